package cas

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

type (
	readFunc  = func(io.Reader, string, corpus.ReadOptions) (corpus.Document, []text.Warning, error)
	writeFunc = func(io.Writer, []corpus.Document, corpus.WriteOptions) ([]text.Warning, error)
)

func sample() []corpus.Document {
	return []corpus.Document{{ID: "7.txt", Language: "en", Text: "\U0001F600 Émile has sores,\ndeep, & \"T2D\".",
		Mentions: []corpus.Mention{
			{ID: "1", Spans: []text.Span{{Start: 16, End: 21}, {Start: 23, End: 27}}, Text: "sores deep", Type: "Disease", Gold: []corpus.Answer{{"A", "B"}, {"C"}}},
			{ID: "2", Spans: []text.Span{{Start: 16, End: 21}}, Text: "sores", Type: "Disease", Gold: []corpus.Answer{}},
			{ID: "3", Spans: []text.Span{{Start: 32, End: 35}}, Text: "T2D", Type: "X & Y", Gold: []corpus.Answer{{"MESH:D3"}}}}}}
}

func TestRoundTrips(t *testing.T) {
	for name, f := range map[string]struct {
		write writeFunc
		read  readFunc
	}{"xmi": {WriteXMI, ReadXMI}, "json": {WriteJSON, ReadJSON}} {
		var b bytes.Buffer
		if lost, err := f.write(&b, sample(), corpus.WriteOptions{}); err != nil || len(lost) > 0 {
			t.Fatal(name, lost, err)
		}
		if dir := os.Getenv("SYNCABEL_CAS"); dir != "" { // for reading it with other programs
			_ = os.WriteFile(dir+"/TypeSystem.xml", []byte(TypeSystem()), 0o644)
			_ = os.WriteFile(dir+"/sample."+name, b.Bytes(), 0o644)
		}
		got, warnings, err := f.read(&b, "f", corpus.ReadOptions{})
		if diff := cmp.Diff(sample()[0], got); err != nil || len(warnings) > 0 || diff != "" {
			t.Error(name, warnings, err, diff)
		}
	}
	if _, err := WriteXMI(io.Discard, nil, corpus.WriteOptions{}); err == nil {
		t.Error("no document makes no CAS")
	}
}

// TestCassis reads what dkpro-cassis (Python) made of our files when it read and wrote them.
func TestCassis(t *testing.T) {
	for name, read := range map[string]readFunc{"xmi": ReadXMI, "json": ReadJSON} {
		b, err := os.ReadFile("testdata/cassis." + name)
		if err != nil {
			t.Fatal(err)
		}
		got, warnings, err := read(bytes.NewReader(b), "f", corpus.ReadOptions{})
		if diff := cmp.Diff(sample()[0], got); err != nil || len(warnings) > 0 || diff != "" {
			t.Error(name, warnings, err, diff)
		}
	}
}

// inception is what INCEpTION 3x exports, shortened: sofa behind the annotations, layers of its own, an IRI as identifier.
const inception = `<?xml version="1.0" encoding="UTF-8"?><xmi:XMI xmlns:tcas="http:///uima/tcas.ecore" xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"
 xmlns:type5="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore" xmlns:type3="http:///de/tudarmstadt/ukp/dkpro/core/api/metadata/type.ecore"
 xmlns:type4="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" xmlns:custom="http:///webanno/custom.ecore" xmi:version="2.0"><cas:NULL xmi:id="0"/>
<type3:DocumentMetaData xmi:id="1" sofa="9" begin="0" end="12" language="x-unspecified" documentTitle="note.txt"/><type5:Token xmi:id="2" sofa="9" begin="0" end="2" order="0"/>
<type4:NamedEntity xmi:id="3" sofa="9" begin="7" end="11" value="DIS" identifier="http://purl.obolibrary.org/obo/HP_0001997"/><custom:Finding xmi:id="4" sofa="9" begin="0" end="2" concept="http://snomed.info/id/90560007" certainty="low"/>
<custom:Relation xmi:id="5" sofa="9" begin="0" end="2" Governor="3"/><type4:NamedEntity xmi:id="6" sofa="9" begin="7" end="99" value="DIS"/>
<cas:Sofa xmi:id="9" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="He has gout.&#10;"/><cas:View sofa="9" members="1 2 3 4"/></xmi:XMI>`

func TestInception(t *testing.T) {
	d, warnings, err := ReadXMI(strings.NewReader(inception), "x.xmi", corpus.ReadOptions{Language: "en"})
	if err != nil || len(warnings) != 1 || warnings[0].Kind != "offset" {
		t.Fatal(warnings, err)
	}
	want := []corpus.Mention{
		{ID: "1", Spans: []text.Span{{Start: 0, End: 2}}, Text: "He", Type: "Finding", Gold: []corpus.Answer{{"90560007"}}, Attributes: map[string]string{"certainty": "low"}},
		{ID: "2", Spans: []text.Span{{Start: 7, End: 11}}, Text: "gout", Type: "DIS", Gold: []corpus.Answer{{"HP:0001997"}}}}
	if diff := cmp.Diff(want, d.Mentions); diff != "" || d.ID != "note.txt" || d.Language != "en" {
		t.Error(d, diff)
	}
}

func TestRefuses(t *testing.T) {
	for _, in := range []string{"", "<a>", "<a/>", "{}", `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, `{"%FEATURE_STRUCTURES":3}`} {
		for _, read := range []readFunc{ReadXMI, ReadJSON} {
			if _, _, err := read(strings.NewReader(in), "f", corpus.ReadOptions{}); err == nil || !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("%q: %v", in, err)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for i, w := range []writeFunc{WriteXMI, WriteJSON} {
		var b bytes.Buffer
		if _, err := w(&b, sample(), corpus.WriteOptions{}); err != nil {
			f.Fatal(err)
		}
		f.Add(i == 0, b.String())
	}
	f.Add(true, inception)
	f.Fuzz(func(t *testing.T, asXML bool, in string) {
		read := ReadJSON
		if asXML {
			read = ReadXMI
		}
		d, _, err := read(strings.NewReader(in), "f", corpus.ReadOptions{})
		if err != nil {
			return
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		for _, w := range []writeFunc{WriteXMI, WriteJSON} {
			if _, err := w(io.Discard, []corpus.Document{d}, corpus.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
