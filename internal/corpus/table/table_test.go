package table

import (
	"strings"
	"testing"
	"testing/fstest"

	"syncabel/internal/corpus"
)

const sample = "filename\tmark\tlabel\toff0\toff1\tspan\tcode\n1\tT1\tENFERMEDAD\t12\t16\tgota\t90560007\n1\tT2\tENFERMEDAD\t0\t5\tMaría\tNO_CODE\n" +
	"1\tT3\tENFERMEDAD\t0\t4\tgota\t1\n1\tT4\tSINTOMA\t12\t16\tgota\t2+1\n"

var texts = fstest.MapFS{"1.txt": &fstest.MapFile{Data: []byte("María tiene gota.")}}

func TestRead(t *testing.T) {
	docs, warnings, err := Read(strings.NewReader(sample), "f.tsv", Options{Language: "es", Texts: texts})
	if err != nil || len(docs) != 1 || len(warnings) != 1 || warnings[0].Line != 4 {
		t.Fatal(docs, warnings, err)
	}
	m := docs[0].Mentions
	if len(m) != 3 || !m[0].NIL() || m[1].Gold[0][0] != "90560007" || len(m[2].Gold[0]) != 2 {
		t.Errorf("%+v", m)
	}
	for in, want := range map[string]string{"": "empty", "a\tb\n": "no column for", "filename\tstart\tend\tcode\n9\t0\t1\tx\n": "f.tsv:2: text of document", "filename\tstart\tend\tcode\n../x\t0\t1\tx\n": "no file name"} {
		if _, _, err := Read(strings.NewReader(in), "f.tsv", Options{Texts: texts}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, in string) {
		docs, _, err := Read(strings.NewReader(in), "f.tsv", Options{Texts: texts})
		if err != nil {
			return
		}
		for _, d := range docs {
			for _, m := range d.Mentions {
				if corpus.SurfaceOf(d.Text, m.Spans) != m.Text {
					t.Fatalf("%q is not at %v", m.Text, m.Spans)
				}
			}
		}
	})
}
