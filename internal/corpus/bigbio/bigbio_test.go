package bigbio

import (
	"strings"
	"testing"

	"syncabel/internal/corpus"
)

const sample = `{"id":"0","document_id":"7","passages":[{"id":"1","type":"title","text":["Émile has gout."],"offsets":[[0,15]]},{"id":"2","type":"abstract","text":["T2D too."],"offsets":[[16,24]]}],
"entities":[{"id":"a","type":"Disease","text":["gout"],"offsets":[[10,14]],"normalized":[{"db_name":"MESH","db_id":"D1"},{"db_name":"OMIM","db_id":"9"}]},
{"id":"b","type":"Disease","text":["T2D"],"offsets":[[16,19]],"normalized":[]},{"id":"c","type":"Disease","text":["no"],"offsets":[[0,2]],"normalized":[]}]}`

func TestRead(t *testing.T) {
	for name, in := range map[string]string{"lines": sample + "\n", "array": "[" + sample + "]"} {
		docs, warnings, err := Read(strings.NewReader(in), "f", corpus.ReadOptions{Language: "en"})
		if err != nil || len(docs) != 1 || len(warnings) != 1 {
			t.Fatal(name, docs, warnings, err)
		}
		m := docs[0].Mentions
		if docs[0].ID != "7" || len(m) != 2 || m[0].Text != "gout" || len(m[0].Gold) != 2 || !m[1].NIL() {
			t.Errorf("%s: %+v", name, docs[0])
		}
	}
	docs, _, _ := Read(strings.NewReader(sample), "f", corpus.ReadOptions{Database: "MESH", Codes: corpus.Codes{Prefix: "MESH:"}})
	if g := docs[0].Mentions[0].Gold; len(g) != 1 || g[0][0] != "MESH:D1" {
		t.Errorf("%v", g)
	}
	for _, bad := range []string{"", "{}", "x", "[", sample + "x"} {
		if _, _, err := Read(strings.NewReader(bad), "f", corpus.ReadOptions{}); err == nil && bad != "[" {
			t.Errorf("%.20q was read", bad)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, in string) {
		docs, _, err := Read(strings.NewReader(in), "f", corpus.ReadOptions{})
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
