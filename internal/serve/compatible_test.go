package serve

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
)

// The requests are those that the tools send; the answers hold what they read.
func TestMedCAT(t *testing.T) {
	_, url := start(t, options(t))
	type answer struct{ Result MedCATResult }
	got := askFor[answer](t, "POST", url+"/api/process", `{"content":{"text":"é heart attack","footer":{"visit":[1,2]}},"application_params":{"x":1}}`).Result
	a := got.Annotations["0"]
	if !got.Success || a.Start != 2 || a.End != 14 || a.Source != "heart attack" || a.Detected != "heart~attack" || a.CUI == "" || len(a.Types) == 0 || got.Footer == nil {
		t.Errorf("%+v", got)
	}
	type bulk struct{ Result []MedCATResult }
	if got := askFor[bulk](t, "POST", url+"/api/process_bulk", `{"content":[{"text":"fever"},{"text":""}]}`).Result; len(got) != 2 || len(got[0].Annotations) != 1 || len(got[1].Annotations) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestLabelStudio(t *testing.T) {
	_, url := start(t, options(t))
	config := `<View><Text name=\"note\" value=\"$body\"/><Labels name=\"kind\" toName=\"note\"><Label value=\"Disorders\"/></Labels><TextArea name=\"code\" toName=\"note\" perRegion=\"true\"/></View>`
	type answer struct{ Results []LabelStudioPrediction }
	got := askFor[answer](t, "POST", url+"/labelstudio/predict", fmt.Sprintf(`{"project":"1.2","label_config":"%s","tasks":[{"id":7,"data":{"body":"😷 heart attack"}},
		{"id":8,"data":{"body":"a cough"},"annotations":[{"result":[{"id":"r1","type":"labels","from_name":"kind","to_name":"note","value":{"start":2,"end":7,"labels":["Findings"]}}]}]},{"id":9,"data":{"other":1}}]}`, config))
	if len(got.Results) != 3 || len(got.Results[0].Result) != 2 || len(got.Results[2].Result) != 0 {
		t.Fatalf("%+v", got)
	}
	region, code := got.Results[0].Result[0], got.Results[0].Result[1]
	if region.FromName != "kind" || region.ToName != "note" || region.Value.Start != 2 || region.Value.End != 14 || region.Value.Labels[0] != "Disorders" || code.ID != region.ID || code.FromName != "code" || code.Type != "textarea" {
		t.Errorf("%+v", got.Results[0])
	}
	if got.Results[1].Result[0].ID != "syncabel-r1" || got.Results[1].Score <= 0 {
		t.Errorf("%+v", got.Results[1])
	}
}

// Annotations of the layer are linked, UTF-16 offsets kept; the answer is the same document with elements that INCEpTION takes as
// predictions, in the view's list of members.
func TestInception(t *testing.T) {
	_, url := start(t, options(t))
	const layer = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
	xmi := `<?xml version="1.0" encoding="UTF-8"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:type4="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" xmi:version="2.0">` +
		`<cas:NULL xmi:id="0"/><type4:NamedEntity xmi:id="13" sofa="12" begin="3" end="15" value="X"/><cas:Sofa xmi:id="12" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString="😷 heart attack &amp; &lt;b&gt;"/><cas:View sofa="12" members="13"/></xmi:XMI>`
	type answer struct{ Document string }
	got := askFor[answer](t, "POST", url+"/predict", fmt.Sprintf(`{"metadata":{"layer":%q,"feature":"identifier","projectId":1,"anchoringMode":"tokens","crossSentence":false},"document":{"xmi":%q,"documentId":1,"userId":"ana"},"typeSystem":""}`, layer, xmi)).Document
	var doc struct {
		Entities []struct {
			ID         string `xml:"id,attr"`
			Begin      int    `xml:"begin,attr"`
			End        int    `xml:"end,attr"`
			Identifier string `xml:"identifier,attr"`
			Score      string `xml:"identifier_score,attr"`
			Predicted  string `xml:"inception_internal_predicted,attr"`
		} `xml:"http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore NamedEntity"`
		View struct {
			Members string `xml:"members,attr"`
		} `xml:"View"`
	}
	if err := xml.Unmarshal([]byte(got), &doc); err != nil {
		t.Fatal(err, got)
	}
	if len(doc.Entities) < 2 {
		t.Fatalf("%s", got)
	}
	for i, e := range doc.Entities[1:] {
		if e.Begin != 3 || e.End != 15 || e.Identifier == "" || e.Score == "" || e.Predicted != "true" || e.ID != fmt.Sprint(14+i) || !strings.Contains(" "+doc.View.Members+" ", " "+e.ID+" ") {
			t.Errorf("%+v, members %q", e, doc.View.Members)
		}
	}
	if !strings.Contains(got, `sofaString="😷 heart attack &amp; &lt;b&gt;"`) {
		t.Error("the text changed")
	}
}

func FuzzXMI(f *testing.F) {
	f.Add(`<x xmlns:cas="http:///uima/cas.ecore"><cas:Sofa id="1" sofaString="a"/><cas:View sofa="1" members='1'/></x>`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseXMI(s, "http:///a.ecore", "B")
		if err != nil {
			return
		}
		c.with(s, "http:///a.ecore", "B", "id", []LinkedMention{{End: 1, Candidates: []Candidate{{Code: `"<`}}}})
	})
}

func FuzzLabelConfig(f *testing.F) {
	f.Add(`<View><Text name="a" value="$b"/></View>`)
	f.Fuzz(func(t *testing.T, s string) { parseLabelConfig(s) })
}

func FuzzReadKeys(f *testing.F) {
	f.Add("a link 1234567890123456\n")
	f.Fuzz(func(t *testing.T, s string) { ReadKeys(strings.NewReader(s), "fuzz") })
}
