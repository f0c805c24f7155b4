package serve

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// The endpoints of MedCATservice (github.com/CogStack/MedCATservice), so that a site that uses it changes one address. Offsets
// count code points, as Python does. Mentions are detected unless the text marks them.

// MedCATInfo is what GET /api/info answers.
type MedCATInfo struct {
	AppName  string `json:"service_app_name"`
	Language string `json:"service_language"`
	Version  string `json:"service_version"`
	Model    string `json:"service_model"`
}

// MedCATContent is one document.
type MedCATContent struct {
	_      struct{} `additionalProperties:"true"`
	Text   string   `json:"text"`
	Footer any      `json:"footer,omitempty" doc:"Returned as it came."`
}

// MedCATResult is one document with its annotations, keyed by their number.
type MedCATResult struct {
	Text        string                      `json:"text"`
	Annotations map[string]MedCATAnnotation `json:"annotations" nullable:"false"`
	Success     bool                        `json:"success"`
	Timestamp   string                      `json:"timestamp"`
	Elapsed     float64                     `json:"elapsed_time"`
	Errors      []string                    `json:"errors,omitempty" nullable:"false"`
	Footer      any                         `json:"footer,omitempty"`
}

// MedCATAnnotation is one linked mention.
type MedCATAnnotation struct {
	PrettyName string         `json:"pretty_name"`
	CUI        string         `json:"cui"`
	TypeIDs    []string       `json:"type_ids" nullable:"false"`
	Types      []string       `json:"types" nullable:"false"`
	Source     string         `json:"source_value"`
	Detected   string         `json:"detected_name"`
	Acc        float64        `json:"acc"`
	Similarity float64        `json:"context_similarity"`
	Start      int            `json:"start"`
	End        int            `json:"end"`
	ICD10      []string       `json:"icd10" nullable:"false"`
	Ontologies []string       `json:"ontologies" nullable:"false"`
	SNOMED     []string       `json:"snomed" nullable:"false"`
	ID         int            `json:"id"`
	MetaAnns   map[string]any `json:"meta_anns" nullable:"false"`
}

type medcatInput struct {
	Body struct {
		_       struct{}      `additionalProperties:"true"`
		Content MedCATContent `json:"content"`
	}
}

type medcatOutput struct {
	Body struct {
		Info   MedCATInfo   `json:"medcat_info"`
		Result MedCATResult `json:"result"`
	}
}

type medcatBulkInput struct {
	Body struct {
		_       struct{}        `additionalProperties:"true"`
		Content []MedCATContent `json:"content" maxItems:"1000" nullable:"false"`
	}
}

type medcatBulkOutput struct {
	Body struct {
		Info   MedCATInfo     `json:"medcat_info"`
		Result []MedCATResult `json:"result" nullable:"false"`
	}
}

type medcatInfoOutput struct{ Body MedCATInfo }

func (s *Server) medcatRoutes() {
	huma.Register(s.api, operation(http.MethodGet, "/api/info", "medcat-info", "MedCATservice: what this server is", "compatible"), func(context.Context, *struct{}) (*medcatInfoOutput, error) {
		return &medcatInfoOutput{s.medcatInfo()}, nil
	})
	huma.Register(s.api, operation(http.MethodPost, "/api/process", "medcat-process", "MedCATservice: annotate a document", "compatible"), func(ctx context.Context, in *medcatInput) (*medcatOutput, error) {
		out := &medcatOutput{}
		out.Body.Info = s.medcatInfo()
		var err error
		out.Body.Result, err = s.medcat(ctx, &in.Body.Content)
		return out, problemOf(err)
	})
	huma.Register(s.api, operation(http.MethodPost, "/api/process_bulk", "medcat-process-bulk", "MedCATservice: annotate several documents", "compatible"), func(ctx context.Context, in *medcatBulkInput) (*medcatBulkOutput, error) {
		out := &medcatBulkOutput{}
		out.Body.Info, out.Body.Result = s.medcatInfo(), []MedCATResult{}
		for i := range in.Body.Content {
			r, err := s.medcat(ctx, &in.Body.Content[i])
			if err != nil {
				return nil, problemOf(err)
			}
			out.Body.Result = append(out.Body.Result, r)
		}
		return out, nil
	})
}

func (s *Server) medcatInfo() MedCATInfo {
	return MedCATInfo{AppName: "syncabel", Language: s.opt.Language, Version: s.opt.Program, Model: s.opt.Model}
}

func (s *Server) medcat(ctx context.Context, c *MedCATContent) (MedCATResult, error) {
	start := time.Now()
	out := MedCATResult{Text: c.Text, Annotations: map[string]MedCATAnnotation{}, Success: true, Footer: c.Footer, Timestamp: start.UTC().Format("2006-01-02T15:04:05.000-07:00")}
	if strings.TrimSpace(c.Text) == "" {
		return out, nil
	}
	linked, err := s.link(ctx, &Document{Text: c.Text, Offsets: unitCodePoint}, 1)
	if err != nil {
		return out, err
	}
	out.Text = linked.Text
	for i, m := range linked.Links {
		if len(m.Candidates) > 0 {
			out.Annotations[fmt.Sprint(i)] = s.medcatAnnotation(&m, i)
		}
	}
	out.Elapsed = time.Since(start).Seconds()
	return out, nil
}

func (s *Server) medcatAnnotation(m *LinkedMention, id int) MedCATAnnotation {
	c := m.Candidates[0]
	a := MedCATAnnotation{PrettyName: c.Preferred, CUI: c.Code, TypeIDs: []string{}, Types: []string{m.Group}, Source: m.Text, Detected: strings.ReplaceAll(cmp.Or(c.Name, m.Text), " ", "~"),
		Acc: c.Probability, Similarity: c.Probability, Start: m.Start, End: m.End, ICD10: []string{}, Ontologies: []string{}, SNOMED: []string{}, ID: id, MetaAnns: map[string]any{}}
	if i, ok := s.opt.KB.Index(c.Code); ok {
		a.Types = a.Types[:0]
		for _, t := range s.opt.KB.Concept(i).Types {
			a.Types = append(a.Types, t.Name)
		}
	}
	return a
}
