// Package review keeps what people say about synthetic sentences, uncertain links and blind audit sheets: the items to look at, an
// append-only log of decisions, agreement between reviewers, and the accepted items as training documents. It stands after
// corpus and before serve, which shows it; what it exports goes back to the top of the chain as a corpus.
//
// Nothing is ever changed or deleted: a decision that is taken back stays in the log with the undo that names it, so the log
// is the audit trail. The state of an item is computed from the log.
package review

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Queues of items.
const (
	Synthetic = "synthetic" // sentences that a language model wrote: does the mention mean the concept, is the sentence good?
	Uncertain = "uncertain" // links that the linker was not sure of: which candidate is right?
	Audit     = "audit"     // rows of a blind sheet: how does each of two concepts relate to the mention?
)

// Actions of a reviewer.
const (
	Accept  = "accept"  // the proposed concept is right
	Correct = "correct" // another concept is right: Decision.Code
	Reject  = "reject"  // a bad sentence, or no concept is right: nothing to learn from
	Judge   = "judge"   // of the queue Audit: verdicts on the two concepts, Decision.Code
	Skip    = "skip"    // no opinion; the item does not come back to this reviewer
	Undo    = "undo"    // takes the reviewer's decision Decision.Undoes back
)

// Errors that callers tell apart.
var (
	ErrNoItem  = errors.New("no such review item")
	ErrNothing = errors.New("nothing to undo")
	ErrInvalid = errors.New("invalid decision")
)

// An Item is one mention that people look at.
type Item struct {
	ID         string      `json:"id"`                 // unique; the same ID is never added twice
	Queue      string      `json:"queue"`              // Synthetic, Uncertain or Audit
	Document   string      `json:"document,omitempty"` // where the text comes from
	Language   string      `json:"language,omitempty"`
	Text       string      `json:"text"`
	Spans      []text.Span `json:"spans"` // bytes of Text; of Audit none where the mention does not stand in the text as it is
	Mention    string      `json:"mention"`
	Group      string      `json:"group"`
	Code       string      `json:"code"` // the concept that is proposed; empty: none
	Name       string      `json:"name,omitempty"`
	Candidates []Choice    `json:"candidates,omitempty"` // of Audit the two concepts, described without code
	Priority   float64     `json:"priority"`             // larger comes first: how uncertain the link is
	Origin     string      `json:"origin,omitempty"`     // what made the item, e.g. the model's name
}

// A Choice is one concept a mention may mean.
type Choice struct {
	Code        string  `json:"code"`
	Name        string  `json:"name"`
	Probability float64 `json:"probability"`
}

// check refuses an item whose spans do not fit its text.
func (it *Item) check() error {
	switch {
	case it.Queue != Synthetic && it.Queue != Uncertain && it.Queue != Audit:
		return fmt.Errorf("%w: item %q has queue %q: have %s, %s, %s", ErrInvalid, it.ID, it.Queue, Synthetic, Uncertain, Audit)
	case it.Queue == Audit && (it.ID == "" || it.Text == "" || it.Mention == "" || len(it.Candidates) != 2):
		return fmt.Errorf("%w: item %q needs an id, a text, a mention and two concepts", ErrInvalid, it.ID)
	case it.Queue == Audit && len(it.Spans) == 0:
		return nil
	case it.ID == "" || it.Text == "" || len(it.Spans) == 0:
		return fmt.Errorf("%w: item %q needs an id, a text and spans", ErrInvalid, it.ID)
	}
	for _, s := range it.Spans {
		if s.Start < 0 || s.Start >= s.End || s.End > len(it.Text) {
			return fmt.Errorf("%w: span %d-%d of item %q lies outside its text of %d bytes", ErrInvalid, s.Start, s.End, it.ID, len(it.Text))
		}
	}
	if got := corpus.SurfaceOf(it.Text, it.Spans); it.Mention != got {
		return fmt.Errorf("%w: item %q: mention %q expected, but %q stands at its spans", ErrInvalid, it.ID, it.Mention, got)
	}
	return nil
}

// A Decision is one line of the log.
type Decision struct {
	Seq      int64     `json:"seq"`               // given by the store, ascending
	Request  string    `json:"request,omitempty"` // chosen by the client; a request that is sent again is recorded once
	Item     string    `json:"item"`
	Reviewer string    `json:"reviewer"`
	Action   string    `json:"action"`
	Code     string    `json:"code,omitempty"` // of Correct the concept, of Judge the two verdicts with / between
	Note     string    `json:"note,omitempty"`
	Undoes   int64     `json:"undoes,omitempty"` // of Undo: the decision that is taken back
	At       time.Time `json:"at"`
}

// maxNote bounds a note in bytes.
const maxNote = 4000

func (d *Decision) check() error {
	switch {
	case d.Reviewer == "" || len(d.Reviewer) > 100:
		return fmt.Errorf("%w: a reviewer's name of 1 to 100 bytes is needed", ErrInvalid)
	case d.Action == Undo:
		return nil
	case d.Item == "":
		return fmt.Errorf("%w: no item is named", ErrInvalid)
	case !slices.Contains([]string{Accept, Correct, Reject, Judge, Skip}, d.Action):
		return fmt.Errorf("%w: action %q: have %s, %s, %s, %s, %s", ErrInvalid, d.Action, Accept, Correct, Reject, Judge, Skip)
	case (d.Action == Correct || d.Action == Judge) != (d.Code != ""):
		return fmt.Errorf("%w: a code belongs to the actions %s and %s and to no other", ErrInvalid, Correct, Judge)
	case len(d.Note) > maxNote || len(d.Request) > 100 || len(d.Code) > 400:
		return fmt.Errorf("%w: a note has at most %d bytes, a request 100, a code 400", ErrInvalid, maxNote)
	}
	return nil
}

// SyntheticItems makes review items of synthetic documents, one a mention, spread so that the first items cover many concepts.
func SyntheticItems(docs []corpus.Document, origin string) []Item {
	var out []Item
	seen := map[string]int{}
	for i := range docs {
		d := &docs[i]
		for _, m := range d.Mentions {
			if len(m.Gold) == 0 {
				continue
			}
			code := strings.Join(m.Gold[0], "+")
			out = append(out, Item{ID: d.ID + "#" + m.ID, Queue: Synthetic, Document: d.ID, Language: d.Language, Text: d.Text, Spans: m.Spans, Mention: m.Text,
				Group: m.Type, Code: code, Priority: -float64(seen[code]), Origin: origin})
			seen[code]++
		}
	}
	return out
}
