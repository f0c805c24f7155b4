package paper

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/terminology"
)

// table reads "code name group" rows, a star before main names; the title is the first name of a code unless "code=title" rows say so.
func table(s string) []Row {
	titles := map[string]string{}
	var out []Row
	for _, line := range strings.Split(strings.TrimSpace(s), "\n") {
		if code, title, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			titles[code] = title
			continue
		}
		f := strings.Split(strings.TrimSpace(line), " | ")
		name, main := strings.CutPrefix(f[1], "*")
		if titles[f[0]] == "" {
			titles[f[0]] = name
		}
		out = append(out, Row{Code: f[0], Name: name, Group: f[2], Main: main})
	}
	for i := range out {
		out[i].Title = titles[out[i].Code]
	}
	return out
}

// show prints a result as sorted "code name group level" rows.
func show(rows []Row) string {
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s | %s | %s | %d", r.Code, r.Name, r.Group, r.Level))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// Each case is a step of docs' description of the published rule for UMLS.
func TestUMLS(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"level 0: one concept in the group keeps its name": {
			"C1 | Gout | DISO\nC2 | Gout | CHEM", "C1 | Gout | DISO | 0\nC2 | Gout | CHEM | 0"},
		"case matters": {
			"C1 | Gout | DISO\nC2 | gout | DISO", "C1 | Gout | DISO | 0\nC2 | gout | DISO | 0"},
		"an ambiguous name vanishes from every concept that has another": {
			"C1=Body discharge\nC1 | Body discharge | DISO\nC1 | Discharge | DISO\nC2=Patient discharge\nC2 | Patient discharge | DISO\nC2 | Discharge | DISO",
			"C1 | Body discharge | DISO | 0\nC2 | Patient discharge | DISO | 0"},
		"another name in any group counts": {
			"C1=Other\nC1 | Cold | DISO\nC1 | Other | CHEM\nC2 | Cold | DISO", "C1 | Other | CHEM | 0\nC2 | Cold | DISO | 1"},
		"level 1: unambiguous once the others gave it up": {
			"C1 | Alpha | DISO\nC1 | Cold | DISO\nC2 | Cold | DISO", "C1 | Alpha | DISO | 0\nC2 | Cold | DISO | 1"},
		"level 2: the lowest code wins, the other is unreachable": {
			"C2 | Cold | DISO\nC1 | Cold | DISO", "C1 | Cold | DISO | 2"},
		"level 2 after level 1: rows of concepts that gained a name are gone": {
			"C1 | Alpha | DISO\nC1 | X | DISO\nC2 | X | DISO\nC2 | Y | DISO\nC3 | Y | DISO\nC4 | Y | DISO",
			"C1 | Alpha | DISO | 0\nC2 | X | DISO | 1\nC3 | Y | DISO | 2"},
		"titles that are nobody's name come back, shared by two": {
			"C1=Discharge\nC1 | Discharge | DISO\nC1 | Flow | DISO\nC2=Discharge\nC2 | Discharge | DISO\nC2 | Leave | DISO",
			"C1 | Discharge | DISO | 0\nC1 | Flow | DISO | 0\nC2 | Discharge | DISO | 0\nC2 | Leave | DISO | 0"},
		"a title that is a name in another group does not": {
			"C1=Cold\nC1 | Cold | DISO\nC1 | Flow | DISO\nC2=Leave\nC2 | Cold | DISO\nC2 | Leave | DISO\nC3 | Cold | CHEM",
			"C1 | Flow | DISO | 0\nC2 | Leave | DISO | 0\nC3 | Cold | CHEM | 0"},
		"capitals go where other letters are": {
			"C1=Gout\nC1 | Gout | DISO\nC1 | GOUT | DISO\nC2 | AIDS | DISO", "C1 | Gout | DISO | 0\nC2 | AIDS | DISO | 0"},
	} {
		if got := show(UMLS(table(c.in))); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// Each case is a step of docs' description of the published rule for SNOMED CT.
func TestSNOMED(t *testing.T) {
	for name, c := range map[string]struct {
		in        string
		priority  []Pair
		want      string
		corrected map[string]string
	}{
		"coverage: the main row is copied into the annotated group, then every name": {
			"1 | b | S\n1 | *a | S", []Pair{{"1", "E"}}, "1 | a | E | 0\n1 | a | S | 0\n1 | b | E | 0\n1 | b | S | 0", nil},
		"completion: all names in all groups": {
			"1 | a | S\n1 | b | E", nil, "1 | a | E | 0\n1 | a | S | 0\n1 | b | E | 0\n1 | b | S | 0", nil},
		"level 1: a code named in the group steps back": {
			"1 | a | S\n1 | x | S\n2 | x | S", []Pair{{"1", "S"}, {"2", "S"}}, "1 | a | S | 0\n2 | x | S | 1", map[string]string{"1": "2"}}, // nothing is uncovered: the map is not restricted
		"level 2: priority, then the lower code; the loser is corrected": {
			"1 | x | S\n2 | x | S", []Pair{{"2", "S"}, {"1", "S"}}, "1 | x | S | 2", map[string]string{"2": "1"}},
		"level 2: a priority pair wins": {
			"1 | x | S\n2 | x | S", []Pair{{"2", "S"}}, "2 | x | S | 2", map[string]string{"1": "2"}},
		"level 2: a code without a name comes before one with": {
			"1 | x | S\n2 | x | S\n1 | y | S\n2 | y | S", nil, "1 | x | S | 2\n2 | y | S | 2", map[string]string{"1": "2", "2": "1"}},
		"level 2: name by name, codes without a name first": {
			"1 | a | S\n1 | x | S\n2 | x | S\n2 | y | S\n3 | y | S\n3 | x | S\n4 | y | S\n5 | z | S\n5 | y | S", nil,
			"1 | a | S | 0\n2 | x | S | 2\n3 | y | S | 2\n5 | z | S | 0", map[string]string{"1": "2", "2": "3", "3": "2", "4": "3", "5": "3"}},
	} {
		rows, corrected := SNOMED(table(c.in), c.priority)
		if got := show(rows); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
		if !maps.Equal(corrected, c.corrected) {
			t.Errorf("%s: corrected %v, want %v", name, corrected, c.corrected)
		}
	}
}

func TestCleanAndTitle(t *testing.T) {
	for in, want := range map[string]string{"gout, NOS": "Gout", "Gout NOS (NOS)": "Gout", "douleur SAI": "Douleur", "éclampsie": "Éclampsie", "": "", "NOS": "NOS"} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	name := func(text, language, source, kind string, preferred bool) terminology.Name {
		return terminology.Name{Text: text, Language: language, Source: source, Kind: kind, Preferred: preferred}
	}
	for want, names := range map[string][]terminology.Name{
		"Preferred":  {name("Short", "en", "MTH", "", false), name("Preferred", "en", "X", "PN", false)},
		"Main":       {name("Main thing", "en", "MTH", "", false), name("Main", "en", "MTH", "", false), name("E", "en", "X", "", true)},
		"Gout":       {name("GOUT", "en", "X", "", true), name("Gout", "en", "X", "", true)},
		"Goutte":     {name("Goutte", "fr", "X", "", true), name("Gota", "es", "X", "", true)},
		"only other": {name("only other", "de", "X", "", true)},
	} {
		if got := Title(&terminology.Concept{Names: names}); got != want {
			t.Errorf("title %q, want %q", got, want)
		}
	}
}

// Under the paper's rule a concept is lost that the forms of the same knowledge base reach.
func TestBuildAgainstForms(t *testing.T) {
	b := terminology.NewBuilder()
	for _, id := range []string{"C1", "C2"} {
		b.Add(terminology.Concept{ID: id, Types: []terminology.SemanticType{{Name: "Finding", Group: "DISO"}}, Names: []terminology.Name{{Text: "Cold", Language: "en", Preferred: true}}})
	}
	kb, _ := b.Build()
	if forms := kb.Forms("DISO"); len(forms) != 3 {
		t.Errorf("%+v", forms)
	}
	b = terminology.NewBuilder()
	lost := Build(b, kb, UMLS(Rows(kb)))
	got, _ := b.Build()
	if forms := got.Forms("DISO"); !slices.Equal(lost, []string{"C2"}) || got.Len() != 1 || len(forms) != 1 || forms[0].Text != "Cold" {
		t.Errorf("lost %v, forms %+v", lost, forms)
	}
}
