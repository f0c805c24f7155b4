package pubtator

import (
	"bytes"
	"strings"
	"testing"

	"syncabel/internal/corpus"
)

const sample = "1|t|Émile has gout.\n1|a|And T2D.\n1\t10\t14\tgout\tDisease\tD1|D2\n1\t20\t23\tT2D\tDisease\t-1\n\n2|t|No mention.\n"

func TestReadCodePoints(t *testing.T) {
	docs, warnings, err := Read(strings.NewReader(sample), "f", corpus.ReadOptions{Language: "en"})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if len(docs) != 2 || len(docs[0].Mentions) != 2 {
		t.Fatalf("%+v", docs)
	}
	m := docs[0].Mentions[0]
	if got := docs[0].Text[m.Spans[0].Start:m.Spans[0].End]; got != "gout" || len(m.Gold[0]) != 2 {
		t.Errorf("%q %v", got, m.Gold)
	}
	if nil1 := docs[0].Mentions[1]; !nil1.NIL() || nil1.Gold == nil {
		t.Errorf("NIL is an annotation: %#v", nil1.Gold)
	}
}

func TestReadReports(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"offset", "1|t|He has gout.\n1\t4\t8\tgout\tDisease\tD1\n", `f:2: document "1": mention "gout" expected at 4-8, but "as g" stands there`},
		{"outside", "1|t|gout\n1\t0\t90\tgout\tDisease\tD1\n", "f:2: document \"1\": mention \"gout\" at 0-90 lies outside"},
		{"duplicate", "1|t|a\n\n1|t|a\n", "f:3: document \"1\" occurs twice"},
	} {
		_, warnings, err := Read(strings.NewReader(c.in), "f", corpus.ReadOptions{})
		if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), c.want) {
			t.Errorf("%s: %v %v", c.name, err, warnings)
		}
	}
	for _, in := range []string{"no header\n", "1|a|abstract first\n", "1|t|x\n2\t0\t1\tx\tD\tC\n"} {
		if _, _, err := Read(strings.NewReader(in), "f", corpus.ReadOptions{}); err == nil || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzRead: no input makes the reader panic, and every mention it returns stands where it says, also after writing and
// reading again.
func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Add("1|t|x\n1\t0\t1\tx\tD")
	f.Fuzz(func(t *testing.T, in string) {
		docs, _, err := Read(strings.NewReader(in), "f", corpus.ReadOptions{})
		if err != nil {
			return
		}
		for _, d := range docs {
			for _, m := range d.Mentions {
				if corpus.SurfaceOf(d.Text, m.Spans) != m.Text {
					t.Fatalf("%q stands at %v, not %q", corpus.SurfaceOf(d.Text, m.Spans), m.Spans, m.Text)
				}
			}
		}
		var out bytes.Buffer
		if _, err := Write(&out, docs, corpus.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
