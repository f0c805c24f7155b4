package review

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"syncabel/internal/corpus"
)

// ExportOptions of Export.
type ExportOptions struct {
	Queue     string // one queue only; empty: Synthetic and Uncertain. Audit teaches nothing and is never among them
	Reviewers int    // fewest agreeing opinions an item needs; default 1
}

// An Exported is a training document with where it comes from. Readers of corpus documents pass over the provenance.
type Exported struct {
	corpus.Document
	Provenance Provenance `json:"provenance"`
}

// Provenance of a reviewed document.
type Provenance struct {
	Item      string    `json:"item"`
	Queue     string    `json:"queue"`
	Origin    string    `json:"origin,omitempty"`   // what made the item
	Proposed  string    `json:"proposed,omitempty"` // concept that was proposed
	Reviewers []string  `json:"reviewers"`
	Decisions []int64   `json:"decisions"` // their numbers in the log
	At        time.Time `json:"at"`        // of the last of them
	Notes     []string  `json:"notes,omitempty"`
}

// ExportCounts says what Export wrote and left out.
type ExportCounts struct {
	Documents int `json:"documents"`
	Corrected int `json:"corrected"` // of them with another concept than proposed
	Rejected  int `json:"rejected"`
	Conflicts int `json:"conflicts"` // reviewers disagree
	Few       int `json:"few"`       // fewer opinions than asked for
	Open      int `json:"open"`      // nobody has decided
}

// Documents returns the items on which all reviewers agree as training documents, in the order they were added.
func (s *Store) Documents(ctx context.Context, opt ExportOptions) ([]Exported, ExportCounts, error) {
	items, judged, err := s.judgements(ctx)
	var n ExportCounts
	if err != nil {
		return nil, n, err
	}
	var out []Exported
	for i := range items {
		if items[i].Queue == Audit || opt.Queue != "" && items[i].Queue != opt.Queue {
			continue
		}
		list := opinions(judged[items[i].ID])
		switch {
		case len(list) == 0:
			n.Open++
		case conflict(list):
			n.Conflicts++
		case list[0].Code == "":
			n.Rejected++
		case len(list) < cmp.Or(opt.Reviewers, 1):
			n.Few++
		default:
			n.Documents++
			if list[0].Code != items[i].Code {
				n.Corrected++
			}
			out = append(out, exported(&items[i], list))
		}
	}
	return out, n, nil
}

// Audited returns what a reviewer says about every item of the queue Audit, in the order they were added; the decision is empty
// where there is none.
func (s *Store) Audited(ctx context.Context, reviewer string) ([]Judgement, error) {
	items, judged, err := s.judgements(ctx)
	if err != nil {
		return nil, err
	}
	var out []Judgement
	for i := range items {
		if items[i].Queue != Audit {
			continue
		}
		j := Judgement{Item: &items[i]}
		for _, x := range judged[items[i].ID] {
			if x.Decision.Reviewer == reviewer {
				j = x
			}
		}
		out = append(out, j)
	}
	return out, nil
}

func exported(it *Item, list []Judgement) Exported {
	id := "review:" + it.ID
	answer := strings.Split(list[0].Code, "+")
	slices.Sort(answer)
	e := Exported{
		Document: corpus.Document{ID: id, Language: it.Language, Split: "train", Text: it.Text, Mentions: []corpus.Mention{{
			ID: id + ".1", Spans: it.Spans, Text: it.Mention, Type: it.Group, Gold: []corpus.Answer{answer}, Origin: "review"}}},
		Provenance: Provenance{Item: it.ID, Queue: it.Queue, Origin: it.Origin, Proposed: it.Code},
	}
	p := &e.Provenance
	for _, j := range list {
		p.Reviewers, p.Decisions = append(p.Reviewers, j.Decision.Reviewer), append(p.Decisions, j.Decision.Seq)
		if j.Decision.At.After(p.At) {
			p.At = j.Decision.At
		}
		if j.Decision.Note != "" {
			p.Notes = append(p.Notes, j.Decision.Note)
		}
	}
	return e
}

// Export writes Documents, one JSON object a line: a corpus of format jsonl.
func (s *Store) Export(ctx context.Context, w io.Writer, opt ExportOptions) (ExportCounts, error) {
	docs, n, err := s.Documents(ctx, opt)
	if err != nil {
		return n, err
	}
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range docs {
		if err := enc.Encode(&docs[i]); err != nil {
			return n, fmt.Errorf("exporting reviewed documents: %w", err)
		}
	}
	return n, b.Flush()
}
