package serve

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/judge"
	"syncabel/internal/review"
	"syncabel/internal/text"
)

type auditInput struct {
	RawBody []byte `contentType:"text/csv"`
}

type auditExportInput struct {
	Reviewer string `query:"reviewer" required:"true" minLength:"1" maxLength:"100" doc:"Whose verdicts."`
}

// auditPrefix stands before a row's key in the id of its item.
const auditPrefix = "audit:"

// AuditItems makes review items of a sheet that nobody has filled in yet. They hold what the sheet holds, so that nobody learns
// here which concept is the gold one.
func AuditItems(rows []judge.SheetRow) ([]review.Item, error) {
	out := make([]review.Item, len(rows))
	for i := range rows {
		r := &rows[i]
		if r.VerdictA != "" || r.VerdictB != "" {
			return nil, fmt.Errorf("row %q has a verdict already: a sheet that nobody has filled in is expected", r.ID)
		}
		if r.ID == "" || r.Sentence == "" || r.Mention == "" || r.A == "" || r.B == "" {
			return nil, fmt.Errorf("row %d (%q) lacks id, sentence, mention or a concept: a sheet written by `syncabel judge sheet` is expected", i+1, r.ID)
		}
		out[i] = review.Item{ID: auditPrefix + r.ID, Queue: review.Audit, Text: r.Sentence, Spans: markedSpan(r.Sentence, r.Mention), Mention: r.Mention,
			Candidates: []review.Choice{{Name: r.A}, {Name: r.B}}}
	}
	return out, nil
}

// markedSpan finds the mention where the sentence marks it, else where it first stands.
func markedSpan(sentence, mention string) []text.Span {
	at := strings.Index(sentence, "["+mention+"]") + 1
	if at == 0 {
		at = strings.Index(sentence, mention)
	}
	if at < 0 {
		return nil
	}
	return []text.Span{{Start: at, End: at + len(mention)}}
}

// verdicts takes the code of a judgement apart.
func verdicts(code string) (a, b string, ok bool) {
	a, b, _ = strings.Cut(code, "/")
	return a, b, slices.Contains(judge.Labels(), a) && slices.Contains(judge.Labels(), b)
}

func (s *Server) addAudit(ctx context.Context, in *auditInput) (*itemsOutput, error) {
	rows, err := judge.ReadRows(bytes.NewReader(in.RawBody), "sheet")
	if err != nil {
		return nil, huma.Error422UnprocessableEntity(err.Error())
	}
	items, err := AuditItems(rows)
	if err != nil {
		return nil, huma.Error422UnprocessableEntity(err.Error())
	}
	out := &itemsOutput{}
	out.Body.Added, err = s.opt.Store.Add(ctx, items)
	return out, problemOf(err)
}

// exportAudit writes the queue as the sheet it came from, with one reviewer's verdicts and notes; what is open or skipped stays empty.
func (s *Server) exportAudit(ctx context.Context, in *auditExportInput) (*bytesOutput, error) {
	if you := caller(ctx); you.Role < Admin && you.Name != in.Reviewer {
		return nil, huma.Error403Forbidden("a reviewer's key exports that reviewer's verdicts only")
	}
	said, err := s.opt.Store.Audited(ctx, in.Reviewer)
	if err != nil {
		return nil, problemOf(err)
	}
	rows, open := make([]judge.SheetRow, len(said)), 0
	for i, j := range said {
		r := judge.SheetRow{ID: strings.TrimPrefix(j.Item.ID, auditPrefix), Sentence: j.Item.Text, Mention: j.Item.Mention, A: j.Item.Candidates[0].Name,
			B: j.Item.Candidates[1].Name, Comment: j.Decision.Note}
		var ok bool
		if r.VerdictA, r.VerdictB, ok = verdicts(j.Code); !ok {
			open++
		}
		rows[i] = r
	}
	var b bytes.Buffer
	if err := judge.WriteRows(&b, rows); err != nil {
		return nil, problemOf(err)
	}
	return &bytesOutput{ContentType: "text/csv; charset=utf-8", ContentDisposition: `attachment; filename="audit.csv"`, Left: fmt.Sprintf("open=%d", open), Body: b.Bytes()}, nil
}
