package corpus

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"syncabel/internal/text"
)

// ReadIDs reads document IDs, one a line.
func ReadIDs(r io.Reader) ([]string, error) {
	var out []string
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		if id := strings.TrimSpace(sc.Text()); id != "" {
			out = append(out, id)
		}
	}
	return out, sc.Err()
}

// Reassign makes the documents of one split another's.
func Reassign(docs []Document, from, to string) {
	for i := range docs {
		if docs[i].Split == from {
			docs[i].Split = to
		}
	}
}

// Folds deals documents into parts in their order, those of one series into the same: n of them, or fewer where there are fewer series.
func Folds(docs []Document, n int) [][]Document {
	var out [][]Document
	part := map[string]int{}
	for i := range docs {
		w := docs[i].Whole()
		k, ok := part[w]
		if !ok {
			k = len(part) % n
			part[w] = k
		}
		if k == len(out) {
			out = append(out, nil)
		}
		out[k] = append(out[k], docs[i])
	}
	return out
}

// Others are the documents of all parts but one.
func Others(parts [][]Document, but int) []Document {
	return slices.Concat(slices.Delete(slices.Clone(parts), but, but+1)...)
}

// SetSeries makes what a pattern finds in a document's ID its series: the first group in parentheses, or all of it. Documents whose ID it
// does not match stand alone.
func SetSeries(docs []Document, pattern *regexp.Regexp) {
	for i := range docs {
		if m := pattern.FindStringSubmatch(docs[i].ID); m != nil {
			docs[i].Series = m[min(1, len(m)-1)]
		}
	}
}

// Assign puts the documents of some IDs into a split and reports IDs that no document has.
func Assign(docs []Document, split string, ids []string) []text.Warning {
	missing := map[string]bool{}
	for _, id := range ids {
		missing[id] = true
	}
	want := maps.Clone(missing)
	for i := range docs {
		if want[docs[i].ID] {
			docs[i].Split = split
			delete(missing, docs[i].ID)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	first := slices.Min(slices.Collect(maps.Keys(missing)))
	return []text.Warning{{Kind: "missing-document", Msg: fmt.Sprintf("split %s: %d of %d listed documents are not in the corpus, first %q", split, len(missing), len(ids), first)}}
}

// Divide puts every document into train, dev or test by a hash of its ID, or its series', and the seed: a document stays in its split when
// others come or go, and neither the mentions of a document nor the documents of a series ever part. The shares need not add up to 1; they are met on average.
func Divide(docs []Document, train, dev, test float64, seed uint64) error {
	total := train + dev + test
	if train < 0 || dev < 0 || test < 0 || total <= 0 {
		return fmt.Errorf("shares %g, %g, %g of train, dev and test: numbers that are not negative and not all zero are expected", train, dev, test)
	}
	for i := range docs {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d\x00%s", seed, docs[i].Whole())
		x := h.Sum64() // FNV leaves its high bits of short keys alike: mix them (splitmix64)
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		switch at := float64((x^x>>31)>>11) / (1 << 53) * total; {
		case at < train:
			docs[i].Split = "train"
		case at < train+dev:
			docs[i].Split = "dev"
		default:
			docs[i].Split = "test"
		}
	}
	return nil
}

// Corrections say what codes of a corpus mean in the knowledge base of today: wrong codes, retired ones, composites written
// together (reference table: QUAERO_2014_adapted.csv of arXiv 2605.13451).
type Corrections map[string]Answer

// ReadCorrections reads a table of two columns, code and what replaces it ("A+B" for a composite, nothing for NIL), separated by
// tab, comma or semicolon. A first line without a digit in its first cell is a heading.
func ReadCorrections(r io.Reader, file string) (Corrections, error) {
	s, err := ReadAll(r, maxLine)
	if err != nil {
		return nil, &text.SyntaxError{File: file, Msg: err.Error()}
	}
	rd := csv.NewReader(strings.NewReader(strings.TrimPrefix(s, "\ufeff")))
	rd.FieldsPerRecord, rd.LazyQuotes = -1, true
	first, _, _ := strings.Cut(s, "\n")
	for _, sep := range "\t;," {
		if strings.ContainsRune(first, sep) {
			rd.Comma = sep
			break
		}
	}
	out := Corrections{}
	for line := 1; ; line++ {
		cells, err := rd.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, &text.SyntaxError{File: file, Line: line, Msg: err.Error()}
		}
		if len(cells) < 2 {
			return nil, &text.SyntaxError{File: file, Line: line, Msg: "two columns are expected: code, what replaces it"}
		}
		if line == 1 && !strings.ContainsAny(cells[0], "0123456789") {
			continue
		}
		to, _ := Codes{Composite: "+"}.Parse(cells[1])
		var a Answer
		if len(to) > 0 {
			a = to[0]
		}
		out[strings.TrimSpace(cells[0])] = a
	}
}

// Apply replaces codes, whole composites ("A+B", sorted) first. It reports how many mentions changed.
func (c Corrections) Apply(docs []Document) []text.Warning {
	changed, example := 0, ""
	for i := range docs {
		for j := range docs[i].Mentions {
			m := &docs[i].Mentions[j]
			gold := make([]Answer, 0, len(m.Gold))
			differs := false
			for _, a := range m.Gold {
				b := c.answer(a)
				differs = differs || !slices.Equal(a, b)
				if len(b) > 0 {
					gold = append(gold, b)
				}
			}
			if !differs {
				continue
			}
			if changed++; changed == 1 {
				example = fmt.Sprintf("%v to %v of %q in document %q", m.Gold, gold, m.Text, docs[i].ID)
			}
			m.Gold = gold
		}
	}
	if changed == 0 {
		return nil
	}
	return []text.Warning{{Kind: "corrected-code", Msg: fmt.Sprintf("codes of %d mentions were corrected, first %s", changed, example)}}
}

func (c Corrections) answer(a Answer) Answer {
	if to, ok := c[strings.Join(a, "+")]; ok {
		return to
	}
	var out Answer
	for _, code := range a {
		if to, ok := c[code]; ok {
			out = append(out, to...)
		} else {
			out = append(out, code)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
