package bioc

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

const (
	asXML = `<?xml version="1.0"?><collection><document><id>1</id><passage><infon key="type">title</infon><offset>0</offset><text>Émile has gout.</text>
<annotation id="a"><infon key="type">Disease</infon><infon key="identifier">D1|D2</infon><location offset="10" length="4"/><text>gout</text></annotation></passage>
<passage><infon key="type">abstract</infon><offset>16</offset><text>T2D too.</text><annotation id="b"><infon key="type">Disease</infon><infon key="identifier">-</infon><location offset="16" length="3"/><text>T2D</text></annotation>
<annotation id="c"><infon key="type">Disease</infon><location offset="20" length="3"/><text>two</text></annotation></passage></document></collection>`
	asJSON = `{"documents":[{"id":"1","passages":[{"infons":{"type":"title"},"offset":0,"text":"Émile has gout.","annotations":[{"id":"a","infons":{"type":"Disease","identifier":"D1|D2"},"locations":[{"offset":10,"length":4}],"text":"gout"}]},
{"infons":{"type":"abstract"},"offset":16,"text":"T2D too.","annotations":[{"id":"b","infons":{"type":"Disease","identifier":null},"locations":[{"offset":16,"length":3}],"text":"T2D"}]}]}]}`
)

func TestReadBoth(t *testing.T) {
	x, warnings, err := Read(strings.NewReader(asXML), "f", corpus.ReadOptions{Language: "en"})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Msg, `"too" stands there`) {
		t.Fatal(warnings, err)
	}
	j, warnings, err := Read(strings.NewReader(asJSON), "f", corpus.ReadOptions{Language: "en"})
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if diff := cmp.Diff(x, j); diff != "" {
		t.Error(diff)
	}
	m := x[0].Mentions
	if len(m) != 2 || m[0].Text != "gout" || len(m[0].Gold[0]) != 2 || !m[1].NIL() || len(x[0].Passages) != 2 {
		t.Errorf("%+v", x)
	}
}

func TestRefuses(t *testing.T) {
	for _, in := range []string{"", "{", "<a>", `<!DOCTYPE x [<!ENTITY a "b">]><collection><document><id>&a;</id></document></collection>`} {
		if _, _, err := Read(strings.NewReader(in), "f", corpus.ReadOptions{}); err == nil || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestWriteRead(t *testing.T) {
	docs, _, _ := Read(strings.NewReader(asXML), "f", corpus.ReadOptions{Language: "en"})
	d := &docs[0]
	d.Mentions[1].Gold = []corpus.Answer{{"A", "B"}, {"C"}}
	d.Mentions[1].Attributes = map[string]string{"negated": "yes"}
	d.Mentions = append(d.Mentions, corpus.Mention{ID: "x", Spans: []text.Span{{Start: 0, End: 6}, {Start: 21, End: 24}}, Text: "Émile too", Type: "A & B"})
	corpus.SortMentions(d.Mentions)
	for name, write := range map[string]func(io.Writer, []corpus.Document, corpus.WriteOptions) ([]text.Warning, error){"XML": WriteXML, "JSON": WriteJSON} {
		var b bytes.Buffer
		if warnings, err := write(&b, docs, corpus.WriteOptions{}); err != nil || len(warnings) > 0 {
			t.Fatal(name, warnings, err)
		}
		again, warnings, err := Read(&b, "f", corpus.ReadOptions{Language: "en"})
		if err != nil || len(warnings) > 0 {
			t.Fatal(name, warnings, err)
		}
		if diff := cmp.Diff(docs, again); diff != "" {
			t.Error(name, diff)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(asXML)
	f.Add(asJSON)
	f.Fuzz(func(t *testing.T, in string) {
		docs, _, err := Read(strings.NewReader(in), "f", corpus.ReadOptions{})
		if err != nil {
			return
		}
		for i := range docs {
			if err := docs[i].Check(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := WriteXML(io.Discard, docs, corpus.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := WriteJSON(io.Discard, docs, corpus.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
