package umls

import (
	"cmp"
	"slices"
	"strings"

	"syncabel/internal/terminology/release"
)

// ids numbers CUIs and AUIs: those of up to eight ASCII letters, which is all that the NLM makes, are their own number.
type ids struct{ long map[string]uint64 }

// otherID marks numbers that are not the bytes of an ASCII string.
const otherID = 1 << 63

func (x *ids) key(s string) uint64 {
	if len(s) <= 8 && (len(s) < 8 || s[0] < 0x80) {
		k := uint64(0)
		for i := range len(s) {
			k = k<<8 | uint64(s[i])
		}
		if k&otherID == 0 {
			return k
		}
	}
	if k, ok := x.long[s]; ok {
		return k
	}
	if x.long == nil {
		x.long = map[string]uint64{}
	}
	k := otherID | uint64(len(x.long))
	x.long[strings.Clone(s)] = k
	return k
}

// atoms holds the CUI of every atom of a named concept, sorted by AUI.
type atoms struct {
	list []atom
	cuis []string
}

type atom struct {
	aui uint64
	cui uint32
}

// readAtoms reads MRCONSO once more, for MRHIER, which speaks of atoms.
func (r *reader) readAtoms(rel *release.Release) (*atoms, error) {
	a := &atoms{}
	r.again = true
	defer func() { r.again = false }()
	err := r.read(rel, "MRCONSO.RRF", 18, func(c []string) {
		if !r.named(c[0]) {
			return
		}
		if n := len(a.cuis); n == 0 || a.cuis[n-1] != c[0] {
			a.cuis = append(a.cuis, strings.Clone(c[0]))
		}
		a.list = append(a.list, atom{r.cui.key(c[7]), uint32(len(a.cuis) - 1)})
	})
	slices.SortStableFunc(a.list, func(x, y atom) int { return cmp.Compare(x.aui, y.aui) })
	return a, err
}

func (a *atoms) concept(aui uint64) string {
	i, ok := slices.BinarySearchFunc(a.list, aui, func(x atom, aui uint64) int { return cmp.Compare(x.aui, aui) })
	if !ok {
		return ""
	}
	return a.cuis[a.list[i].cui]
}

// mrhier: CUI|AUI|CXN|PAUI|SAB|RELA|PTR|HCD|CVF; PAUI is the atom directly above.
func (r *reader) mrhier(c []string, a *atoms) {
	if c[3] == "" || !r.named(c[0]) {
		return
	}
	if parent := a.concept(r.cui.key(c[3])); parent != "" && parent != c[0] {
		r.b.At(r.file, r.line)
		r.b.AddParent(c[0], parent)
	}
}
