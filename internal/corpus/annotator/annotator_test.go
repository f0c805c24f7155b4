package annotator

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

type (
	readFunc  = func(io.Reader, string, corpus.ReadOptions) ([]corpus.Document, []text.Warning, error)
	writeFunc = func(io.Writer, []corpus.Document, corpus.WriteOptions) ([]text.Warning, error)
)

// sample has what is hard: a character of two UTF-16 units, a discontinuous mention, an overlap, NIL, a composite with an
// alternative, attributes, and keys of the program's own.
func sample() []corpus.Document {
	return []corpus.Document{{ID: "7", Language: "en", Split: "test", Text: "\U0001F600 Émile has sores, deep, and T2D.", Meta: object{"_task_hash": []byte("12345")},
		Mentions: []corpus.Mention{
			{ID: "a", Spans: []text.Span{{Start: 16, End: 21}, {Start: 23, End: 27}}, Text: "sores deep", Type: "Disease", Gold: []corpus.Answer{{"A", "B"}, {"C"}}},
			{ID: "b", Spans: []text.Span{{Start: 16, End: 21}}, Text: "sores", Type: "Disease", Gold: []corpus.Answer{}},
			{ID: "c", Spans: []text.Span{{Start: 33, End: 36}}, Text: "T2D", Type: "X & Y", Gold: []corpus.Answer{{"MESH:D3"}}, Attributes: map[string]string{"neg": "yes"}}}}}
}

func TestRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name  string
		read  readFunc
		write writeFunc
		lossy int
		// lose does to a document what the format cannot hold
		lose func(d *corpus.Document)
	}{
		{"prodigy", ReadProdigy, WriteProdigy, 0, func(d *corpus.Document) { d.Meta["answer"] = []byte(`"accept"`) }},
		{"spacy", ReadSpaCy, WriteSpaCy, 0, func(*corpus.Document) {}},
		{"doccano", ReadDoccano, WriteDoccano, 2, func(d *corpus.Document) {
			d.Mentions[0].Spans, d.Mentions[0].Text = []text.Span{{Start: 16, End: 27}}, "sores, deep"
			for i := range d.Mentions {
				d.Mentions[i].ID, d.Mentions[i].Attributes = []string{"1", "2", "3"}[i], nil
			}
		}},
		{"labelstudio", ReadLabelStudio, WriteLabelStudio, 1, func(d *corpus.Document) {
			d.Mentions[0].Spans, d.Mentions[0].Text = []text.Span{{Start: 16, End: 27}}, "sores, deep"
		}},
	} {
		var b bytes.Buffer
		lost, err := c.write(&b, sample(), corpus.WriteOptions{})
		if err != nil || len(lost) != c.lossy {
			t.Fatal(c.name, lost, err)
		}
		want := sample()
		c.lose(&want[0])
		got, warnings, err := c.read(bytes.NewReader(b.Bytes()), "f", corpus.ReadOptions{})
		if diff := cmp.Diff(want, got); err != nil || len(warnings) > 0 || diff != "" {
			t.Errorf("%s: %v %v\n%s\n%s", c.name, warnings, err, diff, b.String())
		}
	}
}

func TestAsProgramsWrite(t *testing.T) {
	for _, c := range []struct {
		name, in string
		read     readFunc
		want     string // type and codes of every mention
		warnings int
	}{
		{"doccano 1.8", `{"id":3,"text":"He has gout.","entities":[{"id":1,"label":"Disease|MESH:D006073","start_offset":7,"end_offset":11}],"relations":[],"Comments":[]}`, ReadDoccano, "gout/Disease/MESH:D006073", 0},
		{"doccano 1.2", `{"id":3,"data":"x","text":"He has gout.","label":[[7,11,"Disease"]]}`, ReadDoccano, "gout/Disease/?", 0},
		{"prodigy", `{"text":"He has gout.","_input_hash":1,"tokens":[{"text":"He","start":0,"end":2,"id":0}],"spans":[{"start":7,"end":11,"token_start":2,"token_end":2,"label":"D"}],"answer":"accept"}
{"text":"x","spans":[],"answer":"reject"}`, ReadProdigy, "gout/D/?", 1},
		{"label studio", `[{"id":5,"data":{"note":"😀 gout and T2D"},"annotations":[{"result":[{"id":"a","from_name":"label","to_name":"text","type":"labels","value":{"start":3,"end":7,"text":"gout","labels":["D"]}},
{"id":"a","from_name":"kb","to_name":"text","type":"taxonomy","value":{"start":3,"end":7,"taxonomy":[["Disorders","MESH:D1"]]}},{"id":"b","type":"labels","value":{"start":11,"end":14,"text":"T2D","labels":["D"]}},{"id":"c","type":"number","value":{}}]},{"was_cancelled":true,"result":[]}]}]`, ReadLabelStudio, "gout/D/MESH:D1 T2D/D/?", 1},
		{"medcat", `{"projects":[{"name":"p","documents":[{"id":1,"name":"n1","text":"He has gout, T2D.","annotations":[{"id":4,"cui":"C001","value":"gout","start":7,"end":11,"validated":true,"correct":true,"meta_anns":{"Presence":{"name":"Presence","value":"True"}}},
{"id":5,"cui":"C002","value":"T2D","start":13,"end":16,"validated":true,"correct":false,"deleted":true},{"id":6,"cui":"C003","value":"He","start":0,"end":2,"validated":false,"correct":true}]}]}]}`, ReadMedCAT, "gout//C001", 2},
		{"spacy", `{"text":"He has gout.","ents":[{"start":7,"end":11,"label":"D","kb_id":"C1+C2"}],"sents":[{"start":0,"end":12}],"tokens":[]}`, ReadSpaCy, "gout/D/C1+C2", 0},
	} {
		docs, warnings, err := c.read(strings.NewReader(c.in), "f", corpus.ReadOptions{})
		if err != nil || len(docs) != 1 || len(warnings) != c.warnings {
			t.Errorf("%s: %v %v %v", c.name, docs, warnings, err)
			continue
		}
		var got []string
		for _, m := range docs[0].Mentions {
			code := "?"
			if m.Gold != nil {
				code = strings.Join(m.Gold[0], "+")
			}
			got = append(got, m.Text+"/"+m.Type+"/"+code)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	readers := []readFunc{ReadProdigy, ReadSpaCy, ReadDoccano, ReadLabelStudio, ReadMedCAT}
	for i, w := range []writeFunc{WriteProdigy, WriteSpaCy, WriteDoccano, WriteLabelStudio} {
		var b bytes.Buffer
		if _, err := w(&b, sample(), corpus.WriteOptions{}); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b.String())
	}
	f.Add(uint8(4), `{"projects":[{"documents":[{"id":1,"text":"gout","annotations":[{"id":4,"cui":"C1","value":"gout","start":0,"end":4,"correct":true}]}]}]}`)
	f.Fuzz(func(t *testing.T, which uint8, in string) {
		docs, _, err := readers[int(which)%len(readers)](strings.NewReader(in), "f", corpus.ReadOptions{})
		if err != nil {
			return
		}
		for i := range docs {
			if err := docs[i].Check(); err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range []writeFunc{WriteProdigy, WriteSpaCy, WriteDoccano, WriteLabelStudio} {
			if _, err := w(io.Discard, docs, corpus.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
