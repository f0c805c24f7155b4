package serve

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The endpoints of a Label Studio ML backend (github.com/HumanSignal/label-studio-ml-backend): connect
// http://HOST:PORT/labelstudio as model. Offsets count code points. Regions that people drew are linked; a task without any
// gets regions by detection.

// LabelStudioTask is one task: its data by field, and the regions drawn so far.
type LabelStudioTask struct {
	_           struct{}             `additionalProperties:"true"`
	ID          any                  `json:"id,omitempty"`
	Data        map[string]any       `json:"data" nullable:"false"`
	Annotations []LabelStudioResults `json:"annotations,omitempty" nullable:"false"`
}

// LabelStudioResults is one annotation.
type LabelStudioResults struct {
	_      struct{}            `additionalProperties:"true"`
	Result []LabelStudioRegion `json:"result,omitempty" nullable:"false"`
}

// LabelStudioRegion is a labelled stretch of text, or the words that belong to one of the same ID.
type LabelStudioRegion struct {
	_        struct{}         `additionalProperties:"true"`
	ID       string           `json:"id,omitempty"`
	FromName string           `json:"from_name,omitempty"`
	ToName   string           `json:"to_name,omitempty"`
	Type     string           `json:"type,omitempty"`
	Value    LabelStudioValue `json:"value"`
	Score    float64          `json:"score,omitempty"`
	Meta     map[string]any   `json:"meta,omitempty"`
}

// LabelStudioValue is what a region says. Text is a string of a labels region and a list of a text area's.
type LabelStudioValue struct {
	_      struct{} `additionalProperties:"true"`
	Start  int      `json:"start"`
	End    int      `json:"end"`
	Text   any      `json:"text,omitempty"`
	Labels []string `json:"labels,omitempty" nullable:"false"`
}

// LabelStudioPrediction is the answer to one task.
type LabelStudioPrediction struct {
	ModelVersion string              `json:"model_version"`
	Score        float64             `json:"score"`
	Result       []LabelStudioRegion `json:"result" nullable:"false"`
}

type labelStudioInput struct {
	Body struct {
		_      struct{}          `additionalProperties:"true"`
		Tasks  []LabelStudioTask `json:"tasks" maxItems:"1000" nullable:"false"`
		Config string            `json:"label_config,omitempty" doc:"The project's labelling interface; decides from which field the text comes."`
	}
}

type labelStudioOutput struct {
	Body struct {
		Results      []LabelStudioPrediction `json:"results" nullable:"false"`
		ModelVersion string                  `json:"model_version"`
	}
}

type labelStudioSetupInput struct {
	Body struct {
		_ struct{} `additionalProperties:"true"`
	}
}

type labelStudioSetupOutput struct {
	Body struct {
		ModelVersion string `json:"model_version"`
	}
}

type labelStudioHealthOutput struct {
	Body struct {
		Status string `json:"status"`
		Model  string `json:"model_class"`
	}
}

func (s *Server) labelStudioRoutes() {
	huma.Register(s.api, operation(http.MethodGet, "/labelstudio/health", "label-studio-health", "Label Studio: is the model there?", "compatible"), func(context.Context, *struct{}) (*labelStudioHealthOutput, error) {
		out := &labelStudioHealthOutput{}
		out.Body.Status, out.Body.Model = "UP", "syncabel"
		return out, nil
	})
	huma.Register(s.api, operation(http.MethodPost, "/labelstudio/setup", "label-studio-setup", "Label Studio: connect a project", "compatible"), func(context.Context, *labelStudioSetupInput) (*labelStudioSetupOutput, error) {
		out := &labelStudioSetupOutput{}
		out.Body.ModelVersion = s.opt.Model
		return out, nil
	})
	huma.Register(s.api, operation(http.MethodPost, "/labelstudio/predict", "label-studio-predict", "Label Studio: predict tasks", "compatible"), func(ctx context.Context, in *labelStudioInput) (*labelStudioOutput, error) {
		c, err := parseLabelConfig(in.Body.Config)
		if err != nil {
			return nil, huma.Error422UnprocessableEntity("label_config: " + err.Error())
		}
		out := &labelStudioOutput{}
		out.Body.Results, out.Body.ModelVersion = []LabelStudioPrediction{}, s.opt.Model
		for i := range in.Body.Tasks {
			p, err := s.labelStudio(ctx, &in.Body.Tasks[i], c)
			if err != nil {
				return nil, problemOf(err)
			}
			out.Body.Results = append(out.Body.Results, *p)
		}
		return out, nil
	})
}

// labelConfig names the controls of a labelling interface that a prediction fills.
type labelConfig struct {
	labels string // name of <Labels>
	area   string // name of a per-region <TextArea>, which takes the code; may be missing
	text   string // name of <Text>
	field  string // of the task's data
}

// parseLabelConfig reads the interface's XML: <Text name value="$field"/>, <Labels name/>, <TextArea name perRegion/>.
func parseLabelConfig(s string) (labelConfig, error) {
	c := labelConfig{labels: "label", text: "text", field: "text"}
	dec := xml.NewDecoder(strings.NewReader(s))
	for s != "" {
		t, err := dec.Token()
		if t == nil {
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				return c, fmt.Errorf("line %d is no XML", syntax.Line)
			}
			break
		}
		e, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		a := map[string]string{}
		for _, x := range e.Attr {
			a[x.Name.Local] = x.Value
		}
		switch {
		case e.Name.Local == "Text":
			c.text, c.field = a["name"], strings.TrimPrefix(a["value"], "$")
		case e.Name.Local == "Labels":
			c.labels = a["name"]
		case e.Name.Local == "TextArea" && a["perRegion"] == "true":
			c.area = a["name"]
		}
	}
	return c, nil
}

func (s *Server) labelStudio(ctx context.Context, t *LabelStudioTask, c labelConfig) (*LabelStudioPrediction, error) {
	out := &LabelStudioPrediction{ModelVersion: s.opt.Model, Result: []LabelStudioRegion{}}
	text, _ := t.Data[c.field].(string)
	if strings.TrimSpace(text) == "" {
		return out, nil
	}
	no := false
	d := &Document{Text: text, Offsets: unitCodePoint, Marked: &no, Mentions: drawn(t)}
	linked, err := s.link(ctx, d, 5)
	if err != nil {
		return nil, err
	}
	lowest := 1.0
	for _, m := range linked.Links {
		if len(m.Candidates) == 0 {
			continue
		}
		lowest = min(lowest, m.Candidates[0].Probability)
		out.Result = append(out.Result, regions(&m, c)...)
	}
	if len(out.Result) > 0 {
		out.Score = lowest // tasks are sorted by it: the least certain link decides
	}
	return out, nil
}

// drawn are the labelled regions of a task's first annotation that has any.
func drawn(t *LabelStudioTask) []Mention {
	for _, a := range t.Annotations {
		var out []Mention
		for _, r := range a.Result {
			if r.Type == "labels" && len(r.Value.Labels) > 0 {
				out = append(out, Mention{ID: r.ID, Start: r.Value.Start, End: r.Value.End, Group: r.Value.Labels[0]})
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// regions are the labelled stretch and, where the interface has a text area for regions, its code and name.
func regions(m *LinkedMention, c labelConfig) []LabelStudioRegion {
	id := "syncabel-" + m.ID
	var codes []map[string]any
	for _, x := range m.Candidates {
		codes = append(codes, map[string]any{"code": x.Code, "name": x.Name, "probability": x.Probability})
	}
	best := m.Candidates[0]
	at := LabelStudioValue{Start: m.Start, End: m.End, Text: m.Text, Labels: []string{m.Group}}
	out := []LabelStudioRegion{{ID: id, FromName: c.labels, ToName: c.text, Type: "labels", Value: at, Score: best.Probability, Meta: map[string]any{"text": []string{best.Code + " " + best.Name}, "candidates": codes}}}
	if c.area != "" {
		at.Text, at.Labels = []string{best.Code + " " + best.Name}, nil
		out = append(out, LabelStudioRegion{ID: id, FromName: c.area, ToName: c.text, Type: "textarea", Value: at, Score: best.Probability})
	}
	return out
}
