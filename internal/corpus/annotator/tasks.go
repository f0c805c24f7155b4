package annotator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// A task of Label Studio. Offsets are UTF-16 units, as its page counts.
type task struct {
	ID          json.Number  `json:"id,omitempty"`
	Data        object       `json:"data"`
	Annotations []annotation `json:"annotations,omitempty"`
	Completions []annotation `json:"completions,omitempty"` // of its first versions
	Predictions []annotation `json:"predictions,omitempty"`
}

type annotation struct {
	Result       []region `json:"result"`
	Cancelled    bool     `json:"was_cancelled,omitempty"`
	ModelVersion string   `json:"model_version,omitempty"`
	Score        float64  `json:"score,omitempty"`
}

type region struct {
	ID    string `json:"id"`
	From  string `json:"from_name"`
	To    string `json:"to_name"`
	Type  string `json:"type"`
	Value value  `json:"value"`
}

type value struct {
	Start    int             `json:"start"`
	End      int             `json:"end"`
	Text     json.RawMessage `json:"text,omitempty"` // a string, or a list of them under a textarea
	Labels   []string        `json:"labels,omitempty"`
	Taxonomy [][]string      `json:"taxonomy,omitempty"`
	Choices  []string        `json:"choices,omitempty"`
}

// ReadLabelStudio reads an export of tasks. Of a task with several annotations the last that was not cancelled counts, else its first
// prediction. The code of a region is the text or the end of the taxonomy path that shares its ID.
func ReadLabelStudio(in io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	r := newReader(file, opt)
	return r.done(r.lines(in, func(o object) error {
		raw, _ := json.Marshal(o) // came from JSON: cannot fail
		var t task
		if err := json.Unmarshal(raw, &t); err != nil {
			return r.errorf("no task of Label Studio: %v", err)
		}
		key := "text"
		if _, ok := t.Data[key]; !ok {
			for _, k := range slices.Sorted(maps.Keys(t.Data)) {
				if len(t.Data[k]) > len(t.Data[key]) && t.Data[k][0] == '"' {
					key = k // the longest string
				}
			}
		}
		d, err := r.start(t.Data, key)
		if err != nil {
			return err
		}
		if t.ID != "" && d.ID == strconv.Itoa(r.line) {
			d.ID = t.ID.String()
		}
		rest(d, t.Data)
		r.regions(d, t.chosen())
		return nil
	}))
}

// chosen returns the regions that count.
func (t *task) chosen() []region {
	all := append(t.Completions, t.Annotations...)
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].Cancelled {
			return all[i].Result
		}
	}
	if len(all) == 0 && len(t.Predictions) > 0 {
		return t.Predictions[0].Result
	}
	return nil
}

func (r *reader) regions(d *corpus.Document, list []region) {
	codes, attributes := map[string]string{}, map[string]map[string]string{}
	for _, x := range list {
		switch {
		case x.Type == "labels":
		case x.From == "attributes" || len(x.Value.Choices) > 0:
			for _, c := range append(x.Value.Choices, texts(x.Value.Text)...) {
				if attributes[x.ID] == nil {
					attributes[x.ID] = map[string]string{}
				}
				if k, v, ok := strings.Cut(c, "="); ok {
					attributes[x.ID][k] = v
				} else {
					attributes[x.ID][x.From] = c
				}
			}
		case len(x.Value.Taxonomy) > 0:
			var parts []string
			for _, path := range x.Value.Taxonomy {
				if len(path) > 0 {
					parts = append(parts, path[len(path)-1])
				}
			}
			codes[x.ID] = strings.Join(parts, r.opt.Codes.Composite[:1])
		case x.Type == "textarea":
			codes[x.ID] = strings.Join(texts(x.Value.Text), r.opt.Codes.Composite[:1])
		default:
			r.warn("not-read", "results of type %q are not read", x.Type)
		}
	}
	wide, narrow := text.NewUTF16(d.Text), text.NewOffsets(d.Text)
	for _, x := range list {
		if x.Type != "labels" {
			continue
		}
		var code *string
		if c, ok := codes[x.ID]; ok {
			code = &c
		}
		want := strings.Join(texts(x.Value.Text), " ")
		parts := []corpus.Range{{Start: x.Value.Start, End: x.Value.End}}
		off := wide // some converters write code points: the text decides
		if _, err := corpus.Locate(d.Text, wide, parts, want); err != nil && want != "" {
			off = narrow
		}
		if m := r.add(d, off, x.ID, strings.Join(x.Value.Labels, "|"), want, parts, code); m != nil {
			m.Attributes = attributes[x.ID]
		}
	}
}

// texts returns a string or a list of strings.
func texts(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// LabelingConfig is a Label Studio configuration under which WriteLabelStudio's tasks can be opened.
func LabelingConfig(types []string) string {
	var b strings.Builder
	b.WriteString("<View>\n  <Labels name=\"label\" toName=\"text\">\n")
	for _, t := range types {
		fmt.Fprintf(&b, "    <Label value=%q/>\n", t)
	}
	b.WriteString("  </Labels>\n  <Text name=\"text\" value=\"$text\"/>\n  <TextArea name=\"code\" toName=\"text\" perRegion=\"true\"/>\n" +
		"  <TextArea name=\"attributes\" toName=\"text\" perRegion=\"true\"/>\n</View>\n")
	return b.String()
}

// WriteLabelStudio writes tasks with one annotation each.
func WriteLabelStudio(out io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	w := newWriter(out, opt)
	tasks := []task{}
	for i := range docs {
		d := &docs[i]
		data := object{}
		for k, v := range line(d) {
			data[k], _ = json.Marshal(v) // strings and raw JSON: cannot fail
		}
		tasks = append(tasks, task{Data: data, Annotations: []annotation{{Result: w.regions(d)}}})
	}
	return w.lost.Warnings("Label Studio"), w.enc.Encode(tasks)
}

func (w *writer) regions(d *corpus.Document) []region {
	off := text.NewUTF16(d.Text)
	out := []region{}
	for i := range d.Mentions {
		m := &d.Mentions[i]
		sp := m.Span()
		at := value{Start: off.Unit(sp.Start), End: off.Unit(sp.End)}
		add := func(from, typ string, v value) { out = append(out, region{m.ID, from, "text", typ, v}) }
		v := at
		v.Text, _ = json.Marshal(d.Text[sp.Start:sp.End])
		v.Labels = []string{m.Type}
		add("label", "labels", v)
		if code, ok := w.code(m); ok {
			v = at
			v.Text, _ = json.Marshal([]string{code})
			add("code", "textarea", v)
		}
		if len(m.Attributes) > 0 {
			var pairs []string
			for _, k := range slices.Sorted(maps.Keys(m.Attributes)) {
				pairs = append(pairs, k+"="+m.Attributes[k])
			}
			v = at
			v.Text, _ = json.Marshal(pairs)
			add("attributes", "textarea", v)
		}
		if len(m.Spans) > 1 {
			only := *m
			only.Attributes = nil
			w.lost.Mention(d, &only, true, false)
		}
	}
	return out
}

// medcat is an export of MedCATtrainer. Offsets are code points.
type medcat struct {
	Projects []struct {
		Name      string `json:"name"`
		Documents []struct {
			ID          json.Number `json:"id"`
			Name        string      `json:"name"`
			Text        string      `json:"text"`
			Annotations []struct {
				ID          json.Number `json:"id"`
				CUI         string      `json:"cui"`
				Value       string      `json:"value"`
				Start       int         `json:"start"`
				End         int         `json:"end"`
				Validated   *bool       `json:"validated"`
				Correct     bool        `json:"correct"`
				Deleted     bool        `json:"deleted"`
				Alternative bool        `json:"alternative"`
				Killed      bool        `json:"killed"`
				Irrelevant  bool        `json:"irrelevant"`
				Manual      bool        `json:"manually_created"`
				Meta        map[string]struct {
					Value any `json:"value"`
				} `json:"meta_anns"`
			} `json:"annotations"`
		} `json:"documents"`
	} `json:"projects"`
}

// ReadMedCAT reads an export of MedCATtrainer. What a person confirmed, corrected or added counts; what was deleted, killed, marked
// irrelevant or never looked at is counted and left out.
func ReadMedCAT(in io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	r := newReader(file, opt)
	s, err := corpus.ReadAll(in, maxFile)
	var x medcat
	if err == nil {
		err = json.Unmarshal([]byte(s), &x)
	}
	if err == nil && x.Projects == nil {
		err = fmt.Errorf("no key \"projects\"")
	}
	if err != nil {
		return nil, nil, r.errorf("no export of MedCATtrainer: %v", err)
	}
	for _, p := range x.Projects {
		for _, t := range p.Documents {
			d := corpus.Document{ID: t.Name, Language: opt.Language, Split: opt.Split, Text: strings.ToValidUTF8(t.Text, "\ufffd")}
			if d.ID == "" {
				d.ID = t.ID.String()
			}
			off := text.NewOffsets(d.Text)
			for _, a := range t.Annotations {
				checked := a.Validated == nil || *a.Validated
				if !checked || a.Deleted || a.Killed || a.Irrelevant || !(a.Correct || a.Alternative || a.Manual) {
					r.warn("not-confirmed", "annotations that nobody confirmed, or that were deleted, are left out")
					continue
				}
				m := r.add(&d, off, a.ID.String(), "", a.Value, []corpus.Range{{Start: a.Start, End: a.End}}, &a.CUI)
				for k, v := range a.Meta {
					if m != nil && m.Attributes == nil {
						m.Attributes = map[string]string{}
					}
					if m != nil {
						m.Attributes[k] = fmt.Sprint(v.Value)
					}
				}
			}
			r.docs = append(r.docs, d)
		}
	}
	return r.done(nil)
}
