package exchange

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

const bench = "../../../../shared/bench"

// benchDocuments reads a PubTator file of the benchmark and gives discontinuous mentions the parts that its table has.
func benchDocuments(t *testing.T, set, split string) []corpus.Document {
	t.Helper()
	docs, warnings, err := ReadPath(filepath.Join(bench, set, split+".pubtator"), "pubtator", corpus.ReadOptions{Language: "en", Split: split})
	if err != nil || len(warnings) > 0 {
		t.Fatal(set, split, warnings, err)
	}
	f, err := os.Open(filepath.Join(bench, set, split+".mentions.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parts := map[string]string{} // document, start, end, type
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if c := strings.Split(sc.Text(), "\t"); strings.Contains(c[4], ";") {
			parts[strings.Join([]string{c[0], c[2], c[3], c[6]}, "\t")] = c[4]
		}
	}
	for i := range docs {
		d := &docs[i]
		off := text.NewOffsets(d.Text)
		for j := range d.Mentions {
			m := &d.Mentions[j]
			key := strings.Join([]string{d.ID, strconv.Itoa(off.Unit(m.Span().Start)), strconv.Itoa(off.Unit(m.Span().End)), m.Type}, "\t")
			if parts[key] == "" {
				continue
			}
			var ranges []corpus.Range
			for _, p := range strings.Split(parts[key], ";") {
				a, b, _ := strings.Cut(p, "-")
				x, _ := strconv.Atoi(a)
				y, _ := strconv.Atoi(b)
				ranges = append(ranges, corpus.Range{Start: x, End: y})
			}
			if m.Spans, err = corpus.Locate(d.Text, off, ranges, ""); err != nil {
				t.Fatal(err)
			}
			m.Text = corpus.SurfaceOf(d.Text, m.Spans)
		}
	}
	return docs
}

// annotations are what a round trip has to keep: spans, codes and types of every mention, by document.
func annotations(docs []corpus.Document) map[string][]corpus.Mention {
	out := map[string][]corpus.Mention{}
	for _, d := range docs {
		for _, m := range d.Mentions {
			out[d.ID] = append(out[d.ID], corpus.Mention{Spans: m.Spans, Text: m.Text, Type: m.Type, Gold: m.Gold})
		}
	}
	return out
}

// TestBenchRoundTrips writes every corpus of the benchmark in every format, reads it again, and compares spans, codes and types of
// all mentions. PubTator alone cannot hold the parts of discontinuous mentions and says so.
func TestBenchRoundTrips(t *testing.T) {
	if _, err := os.Stat(bench); err != nil {
		t.Skip("the benchmark data is not here")
	}
	mentions, discontinuous := 0, 0
	for _, set := range []string{"ncbi-disease", "bc5cdr", "hpo-gsc", "spaccc-es", "quaero-emea-fr"} {
		for _, split := range []string{"train", "dev", "test"} {
			docs := benchDocuments(t, set, split)
			for _, d := range docs {
				if err := d.Check(); err != nil {
					t.Fatal(err)
				}
				for _, m := range d.Mentions {
					if mentions++; len(m.Spans) > 1 {
						discontinuous++
					}
				}
			}
			if os.Getenv("SYNCABEL_SLOW") == "" && set+split != "quaero-emea-frtest" { // 150 seconds for all
				continue
			}
			for _, f := range Formats() {
				if f.Writes {
					roundTrip(t, set+" "+split+" "+f.Name, f, docs)
				}
			}
		}
	}
	t.Logf("%d mentions, %d discontinuous", mentions, discontinuous)
}

func roundTrip(t *testing.T, what string, f Format, docs []corpus.Document) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus"+f.Extension)
	if f.Name == "table" {
		path = t.TempDir()
	}
	lost, err := WritePath(path, f.Name, docs, corpus.WriteOptions{})
	if err != nil {
		t.Fatal(what, err)
	}
	if f.Name == "table" {
		path = filepath.Join(path, "mentions.tsv")
	}
	got, warnings, err := ReadPath(path, f.Name, corpus.ReadOptions{Language: "en", Split: docs[0].Split})
	if err != nil || len(warnings) > 0 {
		t.Fatal(what, warnings, err)
	}
	want, have := annotations(docs), annotations(got)
	if f.Name == "pubtator" || f.Name == "doccano" || f.Name == "labelstudio" {
		parts := 0
		for _, list := range want {
			for i, m := range list {
				if len(m.Spans) > 1 {
					parts++
					list[i].Spans = []text.Span{m.Span()}
				}
			}
		}
		if (parts > 0) != (len(lost) > 0) {
			t.Errorf("%s: %d discontinuous mentions, reported: %v", what, parts, lost)
		}
		for id, list := range want {
			for i := range list {
				list[i].Text = corpus.SurfaceOf(textOf(docs, id), list[i].Spans)
			}
		}
		if f.Name == "doccano" && len(lost) > 1 { // two mentions of equal span and type, each with a code of its own: told above
			for _, side := range []map[string][]corpus.Mention{want, have} {
				for _, list := range side {
					for i := range list {
						list[i].Gold = nil
					}
				}
			}
		}
	} else if len(lost) > 0 {
		t.Errorf("%s: %v", what, lost)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s: %.2000s", what, diff)
	}
}

func textOf(docs []corpus.Document, id string) string {
	for i := range docs {
		if docs[i].ID == id {
			return docs[i].Text
		}
	}
	return ""
}

// TestWriteIsDeterministic: the same documents give the same bytes.
func TestWriteIsDeterministic(t *testing.T) {
	docs := []corpus.Document{{ID: "1", Language: "en", Text: "He has gout.", Mentions: []corpus.Mention{{ID: "a", Spans: []text.Span{{Start: 7, End: 11}}, Text: "gout", Type: "Disease",
		Gold: []corpus.Answer{{"MESH:D006073"}}, Attributes: map[string]string{"a": "1", "b": "2"}}}}}
	for _, f := range Formats() {
		if !f.Writes {
			if _, err := Write(&bytes.Buffer{}, f.Name, docs, corpus.WriteOptions{}); err == nil {
				t.Errorf("%s was written", f.Name)
			}
			continue
		}
		var a, b bytes.Buffer
		if _, err := Write(&a, f.Name, docs, corpus.WriteOptions{}); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if _, err := Write(&b, f.Name, docs, corpus.WriteOptions{}); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two writings differ, %v", f.Name, err)
		}
	}
	if _, err := Lookup("pdf"); err == nil || !strings.Contains(err.Error(), "pubtator, brat") {
		t.Error(err)
	}
}

// TestGzip: a gzipped file is recognised by its bytes, as MedMentions comes; what expands without end is an error.
func TestGzip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corpus_pubtator.txt.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte("1|t|DCTN4 in CF\n1|a|Pseudomonas.\n1\t0\t5\tDCTN4\tT116,T123\tUMLS:C4308010\n")); err != nil || z.Close() != nil || os.WriteFile(path, b.Bytes(), 0o644) != nil {
		t.Fatal(err)
	}
	docs, warnings, err := ReadPath(path, "pubtator", corpus.ReadOptions{Language: "en"})
	if err != nil || len(warnings) > 0 || docs[0].Mentions[0].Gold[0][0] != "C4308010" || docs[0].Mentions[0].Type != "T116,T123" {
		t.Error(docs, warnings, err)
	}
	if _, err := io.ReadAll(&bounded{r: strings.NewReader("longer"), left: 5}); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
}
