package lexicon

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/terminology/release"
	"syncabel/internal/text"
)

func TestReadWrite(t *testing.T) {
	in := "\ufeffterm\tother\tweight\nRein\tKidney\n\nlES\tlupus  eritematoso sistémico\t0.5\nles\tlupus eritematoso sistémico\t0.25\nsame\tsame\t1\n" +
		"alone\na\tb\t1\nhair\tpilus\t2\nhair\tpilus\tnan\n"
	got, warnings, err := Read(strings.NewReader(in), "own.tsv")
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{{"les", "lupus eritematoso sistémico", 0.75}, {"rein", "kidney", 1}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var lines []int
	for _, w := range warnings {
		lines = append(lines, w.Line)
	}
	if !slices.Equal(lines, []int{7, 8, 9, 10}) {
		t.Errorf("warned of lines %v: %v", lines, warnings)
	}
	var b bytes.Buffer
	if err := Write(&b, want); err != nil {
		t.Fatal(err)
	}
	again, warnings, err := Read(&b, "written")
	if err != nil || len(warnings) > 0 || !cmp.Equal(want, again) {
		t.Errorf("%v %v %v", again, warnings, err)
	}
}

// What ships is read without a complaint, in order and without doubles.
func TestShipped(t *testing.T) {
	names := ShippedNames()
	if d := cmp.Diff([]string{"en-clinical", "es-clinical", "fr-clinical"}, names); d != "" {
		t.Error(d)
	}
	for _, name := range names {
		table, ok := Shipped(name)
		pairs, warnings, err := Read(bytes.NewReader(table), name)
		if !ok || err != nil || len(warnings) > 0 || len(pairs) < 1000 {
			t.Errorf("%s: %v, %d pairs, %v, %v", name, ok, len(pairs), err, warnings)
		}
		if rows := bytes.Count(table, []byte("\n")) - 1; rows != len(pairs) {
			t.Errorf("%s: %d rows, %d pairs: some are twice there or faint", name, rows, len(pairs))
		}
	}
	if _, ok := Shipped("../lexicon"); ok {
		t.Error("a path is no name")
	}
}

func TestMerge(t *testing.T) {
	got := Merge([]Pair{{"b", "long enough", 1}, {"hair", "pilus", 0.7}, {"hair", "fuzz", 0.01}, {"hair", "pilus", 0.7}, {"hair", "hair", 1}, {"hair", strings.Repeat("x", maxTerm+1), 1}})
	if d := cmp.Diff([]Pair{{"hair", "pilus", 1}}, got); d != "" {
		t.Error(d)
	}
	if got := Reverse(got); !cmp.Equal(got, []Pair{{"pilus", "hair", 0.7}}) {
		t.Error(got)
	}
}

// invented is a WordNet of four sets in the format of wndb(5WN).
func invented() fstest.MapFS {
	const licence = "  1 This is invented.\n"
	return fstest.MapFS{
		"data.noun": {Data: []byte(licence + "00000010 08 n 01 kidney 0 001 + 00000030 v 0101 | an organ\n00000020 08 n 02 hair 0 body_hair 0 000 | a filament\n00000025 08 n 01 hair 0 001 @ 00000020 n 0000 | a measure\n")},
		"data.verb": {Data: []byte(licence + "00000030 30 v 01 kidneyfy 0 000 01 + 02 00 | invented\n")},
		"data.adj":  {Data: []byte(licence + "00000040 01 a 01 renal 0 001 \\ 00000010 n 0101 | of kidneys\n00000050 00 s 01 Afloat(p) 0 000 | floating\n")},
		"data.adv":  {Data: []byte(licence)},
	}
}

func TestWordNet(t *testing.T) {
	got, err := WordNet(invented())
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{{"body hair", "hair", 0.8}, {"hair", "body hair", 0.4}, {"kidney", "kidneyfy", 0.6}, {"kidney", "renal", 0.35}, {"renal", "kidney", 1}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWordNetRefuses(t *testing.T) {
	for name, change := range map[string]func(fstest.MapFS){
		"no data.adj": func(m fstest.MapFS) { delete(m, "data.adj") },
		"short":       func(m fstest.MapFS) { m["data.verb"].Data = []byte("00000030 30 v 05 kidneyfy 0\n") },
		"no offset":   func(m fstest.MapFS) { m["data.verb"].Data = []byte("x 30 v 01 kidneyfy 0 000 | y\n") },
		"leads nowhere": func(m fstest.MapFS) {
			m["data.noun"].Data = []byte("00000010 08 n 01 kidney 0 001 + 00000099 v 0101 | an organ\n")
		},
		"part of pointer": func(m fstest.MapFS) {
			m["data.noun"].Data = []byte("00000010 08 n 01 kidney 0 001 + 00000030 | an organ\n")
		},
	} {
		m := invented()
		change(m)
		if _, err := WordNet(m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOpenMultilingual(t *testing.T) {
	in := "# Invented\tfra\n00000010-n\tfra:lemma\trein\n00000020-n\tfra:lemma\tcheveu\n00000020-n\tfra:lemma\tpoil_corporel\n00000020-n\tfra:def\t0\tun filament\n00000025-n\tfra:lemma\tcheveu\n00000010-n\nnone\tfra:lemma\tx\n"
	got, warnings, err := OpenMultilingual(strings.NewReader(in), "fra.tab", invented())
	if err != nil {
		t.Fatal(err)
	}
	want := []Pair{{"cheveu", "body hair", 0.4}, {"cheveu", "hair", 0.8}, {"poil corporel", "body hair", 0.8}, {"poil corporel", "hair", 0.8}, {"rein", "kidney", 0.8}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(warnings) != 2 || warnings[0].Line != 7 || warnings[1].Line != 8 {
		t.Errorf("%v", warnings)
	}
	if _, _, err := OpenMultilingual(strings.NewReader("99999999-n\tfra:lemma\trein\n"), "fra.tab", invented()); err == nil {
		t.Error("a table of another version must be refused")
	}
}

// dictionary is an index and entries as FreeDict's are.
func dictionary(t *testing.T, packed bool) (index string, entries []byte) {
	body := "00-database-info\nrein /ʁɛ̃/ <n, masc>\nkidney, reins (of a horse)\ncomprimé /kɔ̃pʁime/\n1. tablet; pill\n2. compressed\n"
	b64 := func(n int) string {
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		return string([]byte{digits[n>>6], digits[n&63]})
	}
	row := func(head, from, to string) string {
		a := strings.Index(body, from)
		z := len(body)
		if to != "" {
			z = strings.Index(body, to)
		}
		return head + "\t" + b64(a) + "\t" + b64(z-a) + "\n"
	}
	index = "00databaseinfo\tA\tR\n" + row("rein", "rein ", "comprimé") + row("comprimé", "comprimé", "")
	if !packed {
		return index, []byte(body)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return index, b.Bytes()
}

// openDictd reads a dictionary as import does, from files that may be packed.
func openDictd(t *testing.T, index string, entries []byte) (pairs []Pair, warnings []text.Warning, err error) {
	path := filepath.Join(t.TempDir(), "fra-eng.dict.dz")
	if err := os.WriteFile(path, entries, 0o600); err != nil {
		t.Fatal(err)
	}
	err = release.OpenFile(path, func(r io.Reader, _ string) (err error) {
		pairs, warnings, err = Dictd(strings.NewReader(index), r, "fra-eng.index")
		return err
	})
	return pairs, warnings, err
}

func TestDictd(t *testing.T) {
	want := []Pair{{"comprimé", "compressed", 1}, {"comprimé", "pill", 1}, {"comprimé", "tablet", 1}, {"rein", "kidney", 1}, {"rein", "reins", 1}}
	for _, packed := range []bool{false, true} {
		index, entries := dictionary(t, packed)
		got, warnings, err := openDictd(t, index+"foie\tzzzz\tB\nno row\n", entries)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if len(warnings) != 2 || warnings[0].Line != 4 {
			t.Errorf("%v", warnings)
		}
	}
	index, entries := dictionary(t, true)
	if _, _, err := openDictd(t, index, entries[:len(entries)-9]); err == nil {
		t.Error("a cut dictionary must be refused")
	}
}

// checkPairs tells what every reader promises.
func checkPairs(t *testing.T, pairs []Pair) {
	for i, p := range pairs {
		if !(p.Weight >= minWeight && p.Weight <= 1) || p.Term == p.Other || !usable(p.Term) || !usable(p.Other) || strings.ContainsAny(p.Term+p.Other, "\t\n") {
			t.Fatalf("pair %d: %+v", i, p)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("term\tother\nrein\tkidney\t0.5\n")
	f.Fuzz(func(t *testing.T, in string) {
		pairs, _, _ := Read(strings.NewReader(in), "in")
		checkPairs(t, pairs)
	})
}

func FuzzWordNet(f *testing.F) {
	f.Add("00000010 08 n 01 kidney 0 001 + 00000030 v 0101 | an organ", "00000010-n\tfra:lemma\trein")
	f.Fuzz(func(t *testing.T, line, tab string) {
		m := invented()
		m["data.noun"].Data = append(m["data.noun"].Data, line...)
		if pairs, err := WordNet(m); err == nil {
			checkPairs(t, pairs)
		}
		pairs, _, _ := OpenMultilingual(strings.NewReader(tab), "tab", m)
		checkPairs(t, pairs)
	})
}

func FuzzDictd(f *testing.F) {
	f.Add("rein\tA\tZ\n", []byte("rein /ʁɛ̃/ <n>\nkidney, reins\n"))
	f.Fuzz(func(t *testing.T, index string, entries []byte) {
		pairs, _, _ := Dictd(strings.NewReader(index), bytes.NewReader(entries), "in")
		checkPairs(t, pairs)
	})
}
