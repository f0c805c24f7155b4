package bigbio

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
)

// The fixtures were written by pyarrow 26.0.1 (scripts/bigbio_fixture.py): once with its names of list levels, once with the
// older ones.
func TestReadArrow(t *testing.T) {
	in, err := os.ReadFile("testdata/sample.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := Read(bytes.NewReader(in), "f", corpus.ReadOptions{Language: "en"})
	if err != nil || len(want) != 2 || len(want[0].Mentions) != 3 || len(want[0].Mentions[2].Spans) != 2 || len(want[0].Mentions[2].Gold[0]) != 2 {
		t.Fatal(want, err)
	}
	for _, name := range []string{"element", "item"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		got, warnings, err := ReadParquet(bytes.NewReader(b), int64(len(b)), "f", corpus.ReadOptions{Language: "en"})
		if err != nil || len(warnings) != 1 || warnings[0].Kind != "relation" {
			t.Fatal(name, warnings, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(name, diff)
		}
	}
}

func TestWriteParquet(t *testing.T) {
	in, _ := os.ReadFile("testdata/sample.jsonl")
	docs, _, _ := Read(bytes.NewReader(in), "f", corpus.ReadOptions{})
	var b, again bytes.Buffer
	if _, err := WriteParquet(&b, docs, corpus.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteParquet(&again, docs, corpus.WriteOptions{}); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("two writings differ: %v", err)
	}
	got, _, err := ReadParquet(bytes.NewReader(b.Bytes()), int64(b.Len()), "f", corpus.ReadOptions{})
	if diff := cmp.Diff(docs, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if path := os.Getenv("SYNCABEL_PARQUET"); path != "" { // for reading it with other programs
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	in, _ := os.ReadFile("testdata/sample.jsonl")
	docs, _, _ := Read(bytes.NewReader(in), "f", corpus.ReadOptions{})
	var b strings.Builder
	if _, err := Write(&b, docs, corpus.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	got, _, err := Read(strings.NewReader(b.String()), "f", corpus.ReadOptions{})
	if diff := cmp.Diff(docs, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func FuzzReadParquet(f *testing.F) {
	for _, name := range []string{"element", "item"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, _, err := ReadParquet(bytes.NewReader(b), int64(len(b)), "f", corpus.ReadOptions{})
		if err != nil {
			return
		}
		for i := range docs {
			if err := docs[i].Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
