package invented

import (
	"bufio"
	"math/rand/v2"
	"strconv"
)

// UMLSOptions say how large a release is.
type UMLSOptions struct {
	Concepts int
	Rows     int // of MRCONSO
	Seed     uint64
}

// source is a vocabulary with its share of the rows, in thousandths. Preferred ones are what a linker for English, French and
// Spanish would choose: some three rows in ten.
type source struct {
	sab, lat  string
	share     int
	level     string // source restriction
	preferred bool
}

func sources() []source {
	return []source{
		{"MSH", "ENG", 55, "0", true}, {"SNOMEDCT_US", "ENG", 90, "9", true}, {"NCI", "ENG", 35, "0", true}, {"MDR", "ENG", 15, "3", true},
		{"HPO", "ENG", 6, "0", true}, {"MSHFRE", "FRE", 12, "3", true}, {"MSHSPA", "SPA", 12, "3", true}, {"SCTSPA", "SPA", 55, "9", true},
		{"MDRFRE", "FRE", 9, "3", true}, {"MDRSPA", "SPA", 9, "3", true},
		{"MTH", "ENG", 60, "0", false}, {"RXNORM", "ENG", 70, "0", false}, {"NCBI", "ENG", 150, "0", false}, {"LNC", "ENG", 90, "0", false},
		{"ICD10PCS", "ENG", 50, "0", false}, {"GO", "ENG", 30, "0", false}, {"MEDCIN", "ENG", 80, "3", false}, {"OMIM", "ENG", 22, "0", false},
		{"MSHGER", "GER", 30, "3", false}, {"MSHPOR", "POR", 30, "3", false}, {"MDRJPN", "JPN", 20, "3", false}, {"MSHCZE", "CZE", 40, "3", false}, {"MSHRUS", "RUS", 30, "3", false},
	}
}

// Preferred returns the sources of UMLS that a linker for English, French and Spanish would choose.
func Preferred() []string {
	var out []string
	for _, s := range sources() {
		if s.preferred {
			out = append(out, s.sab)
		}
	}
	return out
}

type umls struct {
	n       *namer
	r       *rand.Rand
	out     *folder
	sources []source
	weights []int
	atom    int
	b       []byte
}

// UMLS writes MRCONSO, MRSTY, MRDEF, MRREL, MRCUI and MRSAB to dir: rows sorted by CUI as the NLM's, one type a concept (two for one in
// twenty), a definition for one in twelve, one or two parents, a retired CUI for one in forty.
func UMLS(dir string, opt UMLSOptions) error {
	out, err := newFolder(dir)
	if err != nil {
		return err
	}
	n := newNamer(opt.Seed)
	u := &umls{n: n, r: n.r, out: out, sources: sources()}
	for _, s := range u.sources {
		u.weights = append(u.weights, s.share)
		u.row("MRSAB.RRF", "C1", "C2", s.sab+"2026AA", s.sab, "Invented vocabulary "+s.sab, s.sab, "2026AA", "", "", "", "", "", "", s.level, "1", "1", "", "", "", s.lat, "UTF-8", "Y", "Y", s.sab, "")
	}
	left := opt.Rows
	for i := range opt.Concepts {
		rest := opt.Concepts - i
		mean := float64(left) / float64(rest)
		rows := 1 + min(int(u.r.ExpFloat64()*(mean-1)), 60)
		if rest == 1 {
			rows = max(left, 1)
		}
		left -= rows
		u.concept(i, rows)
	}
	return out.close()
}

func cui(i int) string { return "C" + digits(i+1, 7) }

// digits is a number with leading zeros.
func digits(n, width int) string {
	s := strconv.Itoa(n)
	for len(s) < width {
		s = "0" + s
	}
	return s
}

func (u *umls) concept(i, rows int) {
	id := cui(i)
	types := [][3]string{{"T047", "B2.2.1.2.1", "Disease or Syndrome"}, {"T121", "A1.4.1.1.1", "Pharmacologic Substance"}, {"T109", "A1.4.1.2.1", "Organic Chemical"},
		{"T061", "B1.3.1.3", "Therapeutic or Preventive Procedure"}, {"T033", "A2.2", "Finding"}, {"T023", "A1.2.3.1", "Body Part, Organ, or Organ Component"},
		{"T007", "A1.1.2", "Bacterium"}, {"T028", "A1.2.3.5", "Gene or Genome"}, {"T204", "A1.1.3", "Eukaryote"}, {"T170", "A2.4", "Intellectual Product"}}
	t := u.r.IntN(len(types))
	for k := range 1 + max(u.r.IntN(20)-18, 0) {
		x := types[(t+k)%len(types)]
		u.row("MRSTY.RRF", id, x[0], x[1], x[2], "AT"+digits(i, 8), "256")
	}
	first := map[string]bool{}
	name := ""
	for range rows {
		s := u.sources[pick(u.r, u.weights, 1000)]
		if name == "" || u.r.IntN(4) > 0 { // one row in four repeats the string of another source
			name = u.n.name(s.lat == "FRE" || s.lat == "SPA")
		}
		ts, stt, pref, suppress := "S", "VO", "N", "N"
		if !first[s.lat] {
			first[s.lat] = true
			ts, stt, pref = "P", "PF", "Y"
		} else if u.r.IntN(8) == 0 {
			suppress = "O"
		}
		u.atom++
		a := digits(u.atom, 7)
		u.row("MRCONSO.RRF", id, s.lat, ts, "L"+a, stt, "S"+a, pref, "A"+a, "", "M"+a, "D"+digits(i, 6), s.sab, "PT", "D"+digits(i, 6), name, s.level, suppress, "256")
	}
	if u.r.IntN(12) == 0 {
		u.row("MRDEF.RRF", id, "A"+digits(u.atom, 7), "AT"+digits(i, 8), "", "NCI", u.n.name(false)+", which is "+u.n.name(false)+" of "+u.n.name(false)+".", "N", "")
	}
	for range 1 + u.r.IntN(2) {
		if i > 0 {
			u.row("MRREL.RRF", id, "A1", "AUI", "PAR", cui(u.r.IntN(i)), "A2", "AUI", "", "R"+digits(i, 8), "", "MSH", "MSH", "", "", "N", "")
			u.row("MRREL.RRF", id, "A1", "AUI", "RO", cui(u.r.IntN(i)), "A2", "AUI", "", "R"+digits(i, 8), "", "MSH", "MSH", "", "", "N", "")
		}
	}
	if u.r.IntN(40) == 0 {
		u.row("MRCUI.RRF", "C9"+digits(i, 6), "2020AA", []string{"SY", "RB", "DEL"}[u.r.IntN(3)], "", "", id, "Y")
	}
}

func (u *umls) row(file string, cells ...string) {
	w := u.out.file(file)
	u.b = closed(u.b[:0], cells)
	write(w, u.b)
}

// closed ends every cell with a bar.
func closed(b []byte, cells []string) []byte {
	for _, c := range cells {
		b = append(append(b, c...), '|')
	}
	return append(b, '\n')
}

// write leaves errors to the end: a buffered writer keeps them.
func write(w *bufio.Writer, b []byte) { _, _ = w.Write(b) }
