package serve

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/corpus"
	"syncabel/internal/fhir"
	"syncabel/internal/omop"
	"syncabel/internal/prediction"
)

// ExportDocument is a document to write in another format. Mentions with a code are taken as they are, the others are linked.
type ExportDocument struct {
	ID       string          `json:"id,omitempty" maxLength:"400"`
	Text     string          `json:"text" minLength:"1"`
	Language string          `json:"language,omitempty" maxLength:"8"`
	Offsets  string          `json:"offsets,omitempty" enum:"byte,codepoint,utf16"`
	Mentions []ExportMention `json:"mentions,omitempty" nullable:"false" doc:"None: they are marked in the text, or detected."`
}

// ExportMention is a mention whose concept may be chosen already.
type ExportMention struct {
	Mention
	Code        string  `json:"code,omitempty" maxLength:"400"`
	Name        string  `json:"name,omitempty" maxLength:"1000"`
	Probability float64 `json:"probability,omitempty" minimum:"0" maximum:"1"`
	Reviewer    string  `json:"reviewer,omitempty" maxLength:"100" doc:"Who confirmed the code; without it nothing is asserted."`
}

type exportInput struct {
	Body struct {
		Format    string           `json:"format" maxLength:"40" doc:"fhir: an R4 Bundle, several in an array; omop: NOTE_NLP of CDM 5.4; or a corpus format: pubtator, brat, bioc, bioc-json, bigbio, table, csv, cas-xmi, labelstudio, doccano, prodigy, spacy, jsonl ..."`
		Subject   string           `json:"subject,omitempty" maxLength:"200" doc:"Reference to the patient in FHIR, e.g. Patient/123."`
		Documents []ExportDocument `json:"documents" minItems:"1" maxItems:"1000" nullable:"false"`
	}
}

// exported is a document with the links that go out.
type exported struct {
	doc       *corpus.Document
	preds     []prediction.Prediction
	reviewers map[string]string
}

func (s *Server) exportRoute() {
	op := operation(http.MethodPost, "/api/v1/export", "export", "Link documents and write them in another format", "link")
	op.Errors = append(op.Errors, http.StatusUnprocessableEntity)
	op.Responses = content("application/fhir+json", "text/csv", "text/plain", "text/tab-separated-values", "application/json", "application/xml", "application/zip", "application/x-ndjson")
	huma.Register(s.api, op, s.export)
}

func (s *Server) export(ctx context.Context, in *exportInput) (*bytesOutput, error) {
	var docs []exported
	for i := range in.Body.Documents {
		e, err := s.exportOne(ctx, &in.Body.Documents[i], i)
		if err != nil {
			return nil, problemOf(err)
		}
		docs = append(docs, e)
	}
	var b bytes.Buffer
	var err error
	out, extension := &bytesOutput{}, ".json"
	switch in.Body.Format {
	case "fhir":
		out.ContentType, err = "application/fhir+json", s.writeFHIR(&b, docs, in.Body.Subject)
	case "omop":
		out.ContentType, extension = "text/csv", ".csv"
		out.Left, err = s.writeOMOP(&b, docs)
	default:
		out.ContentType, extension, out.Left, err = writeCorpus(&b, in.Body.Format, docs)
	}
	if err != nil {
		return nil, problemOf(err)
	}
	out.ContentDisposition = fmt.Sprintf("attachment; filename=%q", "links"+extension)
	out.Body = b.Bytes()
	return out, nil
}

// exportOne links what has no code yet.
func (s *Server) exportOne(ctx context.Context, d *ExportDocument, n int) (exported, error) {
	in := Document{ID: cmp.Or(d.ID, fmt.Sprint(n+1)), Text: d.Text, Language: d.Language, Offsets: d.Offsets}
	chosen, reviewers := map[string]prediction.Candidate{}, map[string]string{}
	for i, m := range d.Mentions {
		m.ID = cmp.Or(m.ID, fmt.Sprint(i+1))
		in.Mentions = append(in.Mentions, m.Mention)
		if m.Code != "" {
			chosen[m.ID] = s.chosen(&m, d.Language)
		}
		if m.Reviewer != "" {
			reviewers[m.ID] = reviewer(ctx, m.Reviewer)
		}
	}
	doc, err := s.parse(&in)
	if err != nil {
		return exported{}, err
	}
	preds, err := s.linkOthers(ctx, doc, chosen)
	return exported{doc, preds, reviewers}, err
}

func (s *Server) chosen(m *ExportMention, language string) prediction.Candidate {
	c := prediction.Candidate{Code: m.Code, Name: m.Name, Probability: m.Probability}
	if i, ok := s.opt.KB.Index(m.Code); ok && c.Name == "" {
		c.Name = s.opt.KB.Concept(i).PreferredName(language)
	}
	return c
}

// linkOthers returns a prediction for every mention: the chosen concept, or the linker's.
func (s *Server) linkOthers(ctx context.Context, doc *corpus.Document, chosen map[string]prediction.Candidate) ([]prediction.Prediction, error) {
	open := *doc
	open.Mentions = slices.DeleteFunc(slices.Clone(doc.Mentions), func(m corpus.Mention) bool { _, ok := chosen[m.ID]; return ok })
	linked, err := s.pool.link(ctx, []corpus.Document{open})
	if err != nil {
		return nil, err
	}
	var out []prediction.Prediction
	for _, m := range doc.Mentions {
		if c, ok := chosen[m.ID]; ok {
			out = append(out, prediction.Prediction{Document: doc.ID, Mention: m.ID, Spans: m.Spans, Text: m.Text, Group: s.opt.GroupOf(m.Type), Language: doc.Language, Candidates: []prediction.Candidate{c}})
			continue
		}
		out, linked = append(out, linked[0]), linked[1:]
	}
	return out, nil
}

func (s *Server) writeFHIR(b *bytes.Buffer, docs []exported, subject string) error {
	var bundles []*fhir.Bundle
	for _, e := range docs {
		bundles = append(bundles, fhir.New(e.doc, e.preds, fhir.Options{System: s.opt.System, Version: s.opt.SystemVersion, Subject: subject, Program: s.opt.Program, Reviewers: e.reviewers}))
	}
	enc := json.NewEncoder(b)
	enc.SetIndent("", " ")
	if len(bundles) == 1 {
		return enc.Encode(bundles[0])
	}
	return enc.Encode(bundles)
}

func (s *Server) writeOMOP(b *bytes.Buffer, docs []exported) (string, error) {
	w, err := omop.NewWriter(b, omop.Options{Program: s.opt.Program, Map: s.opt.Map})
	if err != nil {
		return "", err
	}
	for _, e := range docs {
		if err := w.Write(e.doc, e.preds); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("unmapped=%d renumbered=%d", w.Unmapped, w.Renamed), w.Close()
}

// annotated puts the best candidate of each mention where a corpus has its gold answer.
func annotated(docs []exported) []corpus.Document {
	out := make([]corpus.Document, len(docs))
	for i, e := range docs {
		d := *e.doc
		d.Mentions = slices.Clone(d.Mentions)
		for k := range d.Mentions {
			d.Mentions[k].Gold = []corpus.Answer{}
			if c := e.preds[k].Candidates; len(c) > 0 {
				d.Mentions[k].Gold = []corpus.Answer{{c[0].Code}}
			}
		}
		out[i] = d
	}
	return out
}
