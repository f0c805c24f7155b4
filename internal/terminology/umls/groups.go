package umls

import (
	"fmt"
	"slices"
	"strings"
)

type group struct{ code, name, tuis string }

// groups are the 127 types and 15 groups of SemGroups.txt (McCray, Burgun and Bodenreider 2001).
func groups() []group {
	return []group{
		{"ACTI", "Activities & Behaviors", "052 053 056 051 064 055 066 057 054"},
		{"ANAT", "Anatomy", "017 029 023 030 031 022 025 026 018 021 024"},
		{"CHEM", "Chemicals & Drugs", "116 195 123 122 103 120 104 200 196 126 131 125 129 130 197 114 109 121 192 127"},
		{"CONC", "Concepts & Ideas", "185 077 169 102 078 170 171 080 081 089 082 079"},
		{"DEVI", "Devices", "203 074 075"},
		{"DISO", "Disorders", "020 190 049 019 047 050 033 037 048 191 046 184"},
		{"GENE", "Genes & Molecular Sequences", "087 088 028 085 086"},
		{"GEOG", "Geographic Areas", "083"},
		{"LIVB", "Living Beings", "100 011 008 194 007 012 204 099 013 004 096 016 015 001 101 002 098 097 014 010 005"},
		{"OBJC", "Objects", "071 168 073 072 167"},
		{"OCCU", "Occupations", "091 090"},
		{"ORGA", "Organizations", "093 092 094 095"},
		{"PHEN", "Phenomena", "038 069 068 034 070 067"},
		{"PHYS", "Physiology", "043 201 045 041 044 032 040 042 039"},
		{"PROC", "Procedures", "060 065 058 059 063 062 061"},
	}
}

// groupTable returns the semantic group of each TUI.
func groupTable() map[string]string {
	out := map[string]string{}
	for _, g := range groups() {
		for _, t := range strings.Fields(g.tuis) {
			out["T"+t] = g.name
		}
	}
	return out
}

// passGroup reports whether a list of group names or codes lets a group pass.
func passGroup(list []string, group string) bool {
	return len(list) == 0 || slices.Contains(list, group) || slices.Contains(list, code(group))
}

func code(group string) string {
	for _, g := range groups() {
		if g.name == group {
			return g.code
		}
	}
	return ""
}

// ST21pv returns the tree numbers of the 21 semantic types of the MedMentions ST21pv subset (Mohan and Li 2019, arXiv 1902.09476), which
// stand for all types below them too: virus, bacterium, anatomical structure, body system, body substance, finding, injury or poisoning,
// biologic function, health care activity, research activity, medical device, spatial concept, biomedical occupation, organization,
// professional group, population group, chemical, food, intellectual product, clinical attribute, eukaryote.
func ST21pv() []string {
	return strings.Fields("A1.1.4 A1.1.2 A1.2 A2.1.4.1 A1.4.2 A2.2 B2.3 B2.2.1 B1.3.1 B1.3.2 A1.3.1 A2.1.5 A2.6.1 A2.7 A2.9.1 A2.9.2 A1.4.1 A1.4.3 A2.4 A2.3.1 A1.1.3")
}

// ST21pvTypes returns the names of the types of ST21pv, in its order.
func ST21pvTypes() []string {
	return strings.Split("Virus|Bacterium|Anatomical Structure|Body System|Body Substance|Finding|Injury or Poisoning|Biologic Function|Health Care Activity|"+
		"Research Activity|Medical Device|Spatial Concept|Biomedical Occupation or Discipline|Organization|Professional or Occupational Group|Population Group|"+
		"Chemical|Food|Intellectual Product|Clinical Attribute|Eukaryote", "|")
}

// treeOf returns which of a list of tree numbers a type is or lies below, -1: none.
func treeOf(list []string, tree string) int {
	return slices.IndexFunc(list, func(t string) bool {
		rest, ok := strings.CutPrefix(tree, t)
		return ok && (rest == "" || rest[0] == '.')
	})
}

// ST21pvSources returns the 18 vocabularies that ST21pv takes concepts from, by the abbreviations of current releases.
func ST21pvSources() []string {
	return strings.Fields("CPT FMA GO HGNC HPO ICD10 ICD10CM ICD9CM MDR MSH MTH NCBI NCI NDDF NDFRT OMIM RXNORM SNOMEDCT_US")
}

// Quaero returns the ten semantic groups of the QUAERO French medical corpus (Névéol et al. 2014).
func Quaero() []string {
	return strings.Fields("ANAT CHEM DEVI DISO GEOG LIVB OBJC PHEN PHYS PROC")
}

// A Preset is a named selection of concepts. TreeNames are what its trees are called.
type Preset struct{ Trees, TreeNames, Groups, Sources []string }

// PresetNamed returns a selection by name: "st21pv" (MedMentions) or "quaero".
func PresetNamed(name string) (Preset, error) {
	switch strings.ToLower(name) {
	case "":
		return Preset{}, nil
	case "st21pv":
		return Preset{Trees: ST21pv(), TreeNames: ST21pvTypes(), Sources: ST21pvSources()}, nil
	case "quaero":
		return Preset{Groups: Quaero()}, nil
	}
	return Preset{}, fmt.Errorf("unknown preset %q: have st21pv, quaero", name)
}

// CheckFilters reports semantic types and groups that do not exist, so that a slip of the pen does not select nothing.
func CheckFilters(types, names []string) error {
	table := groupTable()
	for _, t := range types {
		if table[t] == "" {
			return fmt.Errorf("unknown semantic type %q: types are TUIs such as T047", t)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(groups(), func(g group) bool { return n == g.name || n == g.code }) {
			var have []string
			for _, g := range groups() {
				have = append(have, g.code+" ("+g.name+")")
			}
			return fmt.Errorf("unknown semantic group %q: have %s", n, strings.Join(have, ", "))
		}
	}
	return nil
}
