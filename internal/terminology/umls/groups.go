package umls

import "strings"

// Group returns the semantic group of a semantic type: the 127 types and 15 groups of SemGroups.txt (McCray, Burgun and
// Bodenreider 2001).
func Group(tui string) (string, bool) {
	if len(tui) != 4 || tui[0] != 'T' {
		return "", false
	}
	for _, g := range groups() {
		if strings.Contains(g.tuis, tui[1:]) {
			return g.name, true
		}
	}
	return "", false
}

type group struct{ name, tuis string }

func groups() []group {
	return []group{
		{"Activities & Behaviors", "052 053 056 051 064 055 066 057 054"},
		{"Anatomy", "017 029 023 030 031 022 025 026 018 021 024"},
		{"Chemicals & Drugs", "116 195 123 122 103 120 104 200 196 126 131 125 129 130 197 114 109 121 192 127"},
		{"Concepts & Ideas", "185 077 169 102 078 170 171 080 081 089 082 079"},
		{"Devices", "203 074 075"},
		{"Disorders", "020 190 049 019 047 050 033 037 048 191 046 184"},
		{"Genes & Molecular Sequences", "087 088 028 085 086"},
		{"Geographic Areas", "083"},
		{"Living Beings", "100 011 008 194 007 012 204 099 013 004 096 016 015 001 101 002 098 097 014 010 005"},
		{"Objects", "071 168 073 072 167"},
		{"Occupations", "091 090"},
		{"Organizations", "093 092 094 095"},
		{"Phenomena", "038 069 068 034 070 067"},
		{"Physiology", "043 201 045 041 044 032 040 042 039"},
		{"Procedures", "060 065 058 059 063 062 061"},
	}
}

// ST21pv returns the 21 semantic types of the MedMentions ST21pv subset (Mohan and Li 2019, arXiv 1902.09476).
func ST21pv() []string {
	return strings.Fields("T005 T007 T017 T022 T031 T033 T037 T038 T058 T062 T074 T082 T091 T092 T097 T098 T103 T168 T170 T201 T204")
}
