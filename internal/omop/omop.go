// Package omop writes linked mentions as rows of the table NOTE_NLP of the OMOP Common Data Model 5.4. It stands after
// prediction; serve and the exporters call it.
package omop

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

// Columns of NOTE_NLP in the order of the model's definition.
var Columns = []string{"note_nlp_id", "note_id", "section_concept_id", "snippet", "offset", "lexical_variant", "note_nlp_concept_id",
	"note_nlp_source_concept_id", "nlp_system", "nlp_date", "nlp_datetime", "term_exists", "term_temporal", "term_modifiers"}

// Widths of the model's character columns.
const (
	maxSnippet   = 250
	maxVariant   = 250
	maxSystem    = 250
	maxModifiers = 2000
)

// Options of a Writer.
type Options struct {
	Program string    // nlp_system; default "syncabel"
	At      time.Time // nlp_date and nlp_datetime; default now
	Map     Map       // codes to OMOP concepts; nil: every concept is 0
	First   int64     // first note_nlp_id; default 1
}

// A Writer writes rows. Close it to flush.
type Writer struct {
	csv  *csv.Writer
	opt  Options
	next int64
	note int64 // number given to the last document whose ID is no integer

	Rows     int // written
	Unmapped int // of them with a code that the map lacks: concept 0, as the model asks
	Renamed  int // documents whose ID is no integer and got a number; the ID stands in term_modifiers
}

// NewWriter writes the heading.
func NewWriter(w io.Writer, opt Options) (*Writer, error) {
	if opt.At.IsZero() {
		opt.At = time.Now()
	}
	opt.Program = cmp.Or(opt.Program, "syncabel")
	out := &Writer{csv: csv.NewWriter(w), opt: opt, next: cmp.Or(opt.First, 1)}
	if err := out.csv.Write(Columns); err != nil {
		return nil, fmt.Errorf("writing NOTE_NLP: %w", err)
	}
	return out, nil
}

// Write adds the mentions of a document that have a candidate; a mention without one asserts nothing.
func (w *Writer) Write(d *corpus.Document, preds []prediction.Prediction) error {
	id, numbered := w.noteID(d.ID)
	offsets := text.NewOffsets(d.Text)
	for i := range preds {
		p := &preds[i]
		if len(p.Candidates) == 0 || len(p.Spans) == 0 {
			continue
		}
		c := p.Candidates[0]
		for _, code := range strings.Split(c.Code, "+") {
			modifiers := fmt.Sprintf("code=%s;probability=%.4f;group=%s", code, c.Probability, p.Group)
			if numbered {
				modifiers += ";note=" + d.ID
			}
			if err := w.csv.Write(w.row(id, d.Text, p, offsets, code, modifiers)); err != nil {
				return fmt.Errorf("writing NOTE_NLP: %w", err)
			}
			w.next++
			w.Rows++
		}
	}
	return nil
}

// noteID returns the integer that note_id must be.
func (w *Writer) noteID(id string) (n int64, numbered bool) {
	if n, err := strconv.ParseInt(id, 10, 32); err == nil {
		return n, false
	}
	w.note++
	w.Renamed++
	return w.note, true
}

func (w *Writer) row(note int64, s string, p *prediction.Prediction, offsets *text.Offsets, code, modifiers string) []string {
	concept, ok := w.opt.Map[code]
	if !ok {
		w.Unmapped++
	}
	at := w.opt.At.UTC()
	return []string{strconv.FormatInt(w.next, 10), strconv.FormatInt(note, 10), "0", snippet(s, p.Spans[0].Start, p.Spans[len(p.Spans)-1].End),
		strconv.Itoa(offsets.Unit(p.Spans[0].Start)), cut(p.Text, maxVariant), strconv.FormatInt(concept.Standard, 10), strconv.FormatInt(concept.Source, 10),
		cut(w.opt.Program, maxSystem), at.Format("2006-01-02"), at.Format("2006-01-02 15:04:05"), "", "", cut(modifiers, maxModifiers)}
}

// Close flushes.
func (w *Writer) Close() error {
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return fmt.Errorf("writing NOTE_NLP: %w", err)
	}
	return nil
}

// cut shortens to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// snippet is the text around a mention on one line, at most maxSnippet characters.
func snippet(s string, start, end int) string {
	const around = 80
	lo, hi := max(start-around, 0), min(end+around, len(s))
	for lo > 0 && !utf8.RuneStart(s[lo]) {
		lo--
	}
	for hi < len(s) && !utf8.RuneStart(s[hi]) {
		hi++
	}
	return cut(strings.Join(strings.Fields(s[lo:hi]), " "), maxSnippet)
}
