package serve

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/corpus"
	"syncabel/internal/judge"
	"syncabel/internal/review"
	"syncabel/internal/text"
)

// ReviewItem is one mention to look at, with offsets in the units the caller asked for.
type ReviewItem struct {
	ID         string          `json:"id"`
	Queue      string          `json:"queue" enum:"synthetic,uncertain,audit"`
	Document   string          `json:"document,omitempty"`
	Language   string          `json:"language,omitempty"`
	Text       string          `json:"text"`
	Start      int             `json:"start"`
	End        int             `json:"end"`
	Mention    string          `json:"mention"`
	Group      string          `json:"group"`
	Code       string          `json:"code" doc:"Proposed concept; empty: none."`
	Name       string          `json:"name,omitempty"`
	Definition string          `json:"definition,omitempty"`
	Parents    []ConceptRef    `json:"parents" nullable:"false"`
	Candidates []review.Choice `json:"candidates,omitempty" nullable:"false"`
}

// NewItem is a mention that a client wants reviewed.
type NewItem struct {
	ID         string          `json:"id,omitempty" maxLength:"400" doc:"Default: drawn from text and span, so that the same mention is added once."`
	Document   string          `json:"document,omitempty" maxLength:"400"`
	Language   string          `json:"language,omitempty" maxLength:"8"`
	Text       string          `json:"text" minLength:"1"`
	Start      int             `json:"start" minimum:"0"`
	End        int             `json:"end" minimum:"1"`
	Group      string          `json:"group" maxLength:"200"`
	Candidates []review.Choice `json:"candidates" nullable:"false" maxItems:"50" doc:"Best first; the first is proposed."`
}

type nextInput struct {
	Queue    string `query:"queue" required:"true" enum:"synthetic,uncertain,audit"`
	Reviewer string `query:"reviewer" maxLength:"100" doc:"Who reviews; with keys it is the key's name."`
	Offsets  string `query:"offsets" enum:"byte,codepoint,utf16" default:"byte"`
	Limit    int    `query:"limit" default:"20" minimum:"1" maximum:"100"`
}

type nextOutput struct {
	Body struct {
		Items []ReviewItem `json:"items" nullable:"false"`
	}
}

type decisionInput struct {
	Body struct {
		Request  string `json:"request,omitempty" maxLength:"100" doc:"A name of the client's choice; the same request sent again is recorded once."`
		Item     string `json:"item" maxLength:"400"`
		Reviewer string `json:"reviewer,omitempty" maxLength:"100" doc:"With keys it is the key's name."`
		Action   string `json:"action" enum:"accept,correct,reject,judge,skip"`
		Code     string `json:"code,omitempty" maxLength:"400" doc:"The right concept, of action correct; the verdicts on the two concepts as EXACT/BROAD, of action judge."`
		Note     string `json:"note,omitempty" maxLength:"4000"`
	}
}

type decisionOutput struct{ Body review.Decision }

type undoInput struct {
	Body struct {
		Request  string `json:"request,omitempty" maxLength:"100"`
		Queue    string `json:"queue" enum:"synthetic,uncertain,audit"`
		Reviewer string `json:"reviewer,omitempty" maxLength:"100"`
	}
}

type summaryOutput struct{ Body *review.Summary }

type logInput struct {
	After int64 `query:"after" minimum:"0" doc:"Only decisions with a larger number."`
	Limit int   `query:"limit" default:"200" minimum:"1" maximum:"1000"`
}

type logOutput struct {
	Body struct {
		Decisions []review.Decision `json:"decisions" nullable:"false"`
	}
}

type itemsInput struct {
	Body struct {
		Offsets string    `json:"offsets,omitempty" enum:"byte,codepoint,utf16"`
		Items   []NewItem `json:"items" minItems:"1" maxItems:"1000" nullable:"false"`
	}
}

type itemsOutput struct {
	Body struct {
		Added int `json:"added" doc:"Items that were not there yet."`
	}
}

type reviewExportInput struct {
	Queue     string `query:"queue" enum:"synthetic,uncertain" doc:"One queue only."`
	Reviewers int    `query:"reviewers" default:"1" minimum:"1" maximum:"10" doc:"Fewest agreeing reviewers."`
}

// bytesOutput is an answer that is no JSON.
type bytesOutput struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Left               string `header:"X-Syncabel-Left-Out" doc:"What was left out, and why."`
	Body               []byte
}

func (s *Server) reviewRoutes() {
	op := func(method, path, id, summary string, errors ...int) huma.Operation {
		o := operation(method, "/api/v1/review/"+path, id, summary, "review")
		o.Errors = append(o.Errors, append(errors, http.StatusUnprocessableEntity)...)
		return o
	}
	huma.Register(s.api, op("GET", "next", "review-next", "Items that wait for a reviewer, the most urgent first"), s.next)
	huma.Register(s.api, op("POST", "decisions", "review-decide", "Record a decision", http.StatusNotFound), s.decide)
	huma.Register(s.api, op("POST", "undo", "review-undo", "Take the last decision back", http.StatusNotFound), s.undo)
	huma.Register(s.api, op("GET", "summary", "review-summary", "Counts and agreement of reviewers"), func(ctx context.Context, _ *struct{}) (*summaryOutput, error) {
		sum, err := s.opt.Store.Summary(ctx)
		return &summaryOutput{sum}, problemOf(err)
	})
	huma.Register(s.api, op("GET", "log", "review-log", "The log of all decisions, undone ones included"), func(ctx context.Context, in *logInput) (*logOutput, error) {
		out := &logOutput{}
		var err error
		out.Body.Decisions, err = s.opt.Store.Log(ctx, in.After, in.Limit)
		return out, problemOf(err)
	})
	huma.Register(s.api, op("POST", "items", "review-add", "Add mentions to the queue of uncertain links"), s.addItems)
	export := op("GET", "export", "review-export", "Accepted items as training documents, one JSON object a line")
	export.Responses = content("application/x-ndjson")
	huma.Register(s.api, export, s.exportReview)
	huma.Register(s.api, op("POST", "audit", "audit-add", "Add the rows of a blind audit sheet (CSV)"), s.addAudit)
	sheet := op("GET", "audit", "audit-export", "The audit sheet with a reviewer's verdicts, as `judge agree` reads it")
	sheet.Responses = content("text/csv")
	huma.Register(s.api, sheet, s.exportAudit)
}

func content(types ...string) map[string]*huma.Response {
	r := &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{}}
	for _, t := range types {
		r.Content[t] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	return map[string]*huma.Response{"200": r}
}

// reviewer is the name that goes into the log: the key's, where there are keys.
func reviewer(ctx context.Context, given string) string { return cmp.Or(caller(ctx).Name, given) }

func (s *Server) next(ctx context.Context, in *nextInput) (*nextOutput, error) {
	items, err := s.opt.Store.Next(ctx, in.Queue, reviewer(ctx, in.Reviewer), in.Limit)
	if err != nil {
		return nil, problemOf(err)
	}
	out := &nextOutput{}
	out.Body.Items = make([]ReviewItem, len(items))
	for i := range items {
		out.Body.Items[i] = s.shown(&items[i], in.Offsets)
	}
	return out, nil
}

func (s *Server) shown(it *review.Item, unit string) ReviewItem {
	out := ReviewItem{ID: it.ID, Queue: it.Queue, Document: it.Document, Language: it.Language, Text: it.Text, Mention: it.Mention, Group: it.Group, Code: it.Code, Name: it.Name, Parents: s.broader(it.Code, it.Language), Candidates: it.Candidates}
	if len(it.Spans) > 0 {
		u := newUnits(it.Text, unit)
		out.Start, out.End = u.from(it.Spans[0].Start), u.from(it.Spans[len(it.Spans)-1].End)
	}
	if i, ok := s.opt.KB.Index(it.Code); ok {
		c := s.opt.KB.Concept(i)
		out.Name, out.Definition = c.PreferredName(it.Language), definition(c, it.Language)
	}
	return out
}

func (s *Server) decide(ctx context.Context, in *decisionInput) (*decisionOutput, error) {
	b := &in.Body
	if b.Action == review.Correct && !s.opt.KB.Has(b.Code) {
		return nil, huma.Error422UnprocessableEntity("the knowledge base has no such code")
	}
	if _, _, ok := verdicts(b.Code); b.Action == review.Judge && !ok {
		return nil, huma.Error422UnprocessableEntity("the code of a judgement is two verdicts as EXACT/BROAD, each one of " + strings.Join(judge.Labels(), ", "))
	}
	d, err := s.opt.Store.Decide(ctx, review.Decision{Request: b.Request, Item: b.Item, Reviewer: reviewer(ctx, b.Reviewer), Action: b.Action, Code: b.Code, Note: b.Note})
	if err != nil {
		return nil, problemOf(err)
	}
	s.metrics.decisions.WithLabelValues(d.Action).Inc()
	return &decisionOutput{d}, nil
}

func (s *Server) undo(ctx context.Context, in *undoInput) (*decisionOutput, error) {
	d, err := s.opt.Store.Undo(ctx, in.Body.Queue, reviewer(ctx, in.Body.Reviewer), in.Body.Request)
	if err != nil {
		return nil, problemOf(err)
	}
	s.metrics.decisions.WithLabelValues(d.Action).Inc()
	return &decisionOutput{d}, nil
}

func (s *Server) addItems(ctx context.Context, in *itemsInput) (*itemsOutput, error) {
	items := make([]review.Item, len(in.Body.Items))
	for i := range in.Body.Items {
		it, err := s.newItem(&in.Body.Items[i], in.Body.Offsets)
		if err != nil {
			return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("item %d: %v", i, err))
		}
		items[i] = *it
	}
	out := &itemsOutput{}
	var err error
	out.Body.Added, err = s.opt.Store.Add(ctx, items)
	return out, problemOf(err)
}

func (s *Server) newItem(n *NewItem, unit string) (*review.Item, error) {
	u := newUnits(n.Text, unit)
	a, ok := u.bytes(n.Text, n.Start)
	b, ok2 := u.bytes(n.Text, n.End)
	if !ok || !ok2 || a >= b {
		return nil, fmt.Errorf("%d to %d is no stretch of the text in units of %s", n.Start, n.End, cmp.Or(unit, unitByte))
	}
	group := s.opt.GroupOf(n.Group)
	if group == "" {
		return nil, fmt.Errorf("the group is none of the knowledge base")
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", n.Language, n.Text, a, b))
	spans := []text.Span{{Start: a, End: b}}
	it := &review.Item{ID: cmp.Or(n.ID, "link:"+hex.EncodeToString(h[:12])), Queue: review.Uncertain, Document: n.Document, Language: cmp.Or(n.Language, s.opt.Language),
		Text: n.Text, Spans: spans, Mention: corpus.SurfaceOf(n.Text, spans), Group: group, Candidates: n.Candidates, Priority: 1, Origin: s.opt.Model}
	if len(n.Candidates) > 0 {
		it.Code, it.Name, it.Priority = n.Candidates[0].Code, n.Candidates[0].Name, 1-n.Candidates[0].Probability
	}
	return it, nil
}

func (s *Server) exportReview(ctx context.Context, in *reviewExportInput) (*bytesOutput, error) {
	var b bytes.Buffer
	n, err := s.opt.Store.Export(ctx, &b, review.ExportOptions{Queue: in.Queue, Reviewers: in.Reviewers})
	if err != nil {
		return nil, problemOf(err)
	}
	return &bytesOutput{ContentType: "application/x-ndjson", ContentDisposition: `attachment; filename="reviewed.jsonl"`,
		Left: fmt.Sprintf("rejected=%d conflicts=%d few=%d open=%d", n.Rejected, n.Conflicts, n.Few, n.Open), Body: b.Bytes()}, nil
}
