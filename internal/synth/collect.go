package synth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"syncabel/internal/artifact"
	"syncabel/internal/llm"
)

// A Missing is a request of a plan that has no answer, and why.
type Missing struct {
	Key      llm.Key `json:"key"`
	Concept  string  `json:"concept"`
	Language string  `json:"language"`
	Prompt   string  `json:"prompt"`
	Reason   string  `json:"reason"`           // a kind of package llm, or NeverAsked
	Detail   string  `json:"detail,omitempty"` // the last failure in words
	Final    bool    `json:"final,omitempty"`  // asking again will not help
	Raw      string  `json:"raw,omitempty"`    // the last unusable answer
}

// NeverAsked is the reason of requests that no result file knows.
const NeverAsked = "never asked"

// A Collection is what Collect found.
type Collection struct {
	Requests int64
	Answered int64
	Missing  map[string]int64 // by reason
	Usage    llm.Usage        // of what the results say was paid
	Cost     float64
}

// Results finds what is known of a request: llm.Index.
type Results interface {
	Get(k llm.Key) (e llm.Entry, ok bool, err error)
}

// Collect joins a plan with its results: answers in the order of the plan, and everything that is missing with its reason. The
// files are the same whatever way the results came. An answer of a batch, which nobody looked at when it came, that holds no
// marked sentence is missing as unusable.
func Collect(p *Plan, results Results, answersPath, missingPath string) (*Collection, error) {
	out := &Collection{Missing: map[string]int64{}}
	err := writeLines(answersPath, func(answer func(any) error) error {
		return writeLines(missingPath, func(miss func(any) error) error {
			for row, err := range p.Rows() {
				if err == nil {
					err = out.row(p, row, results, answer, miss)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("collecting: %w", err)
	}
	return out, nil
}

func (c *Collection) row(p *Plan, row Row, results Results, answer, miss func(any) error) error {
	req := p.Request(row)
	prompt := p.Prompts[row.Prompt]
	e, ok, err := results.Get(req.Key())
	if err != nil {
		return err
	}
	c.Requests++
	c.Usage.Add(e.Usage)
	c.Cost += e.Cost
	m := Missing{Key: req.Key(), Concept: row.Concept, Language: prompt.Language, Prompt: prompt.Name, Reason: NeverAsked}
	if ok {
		m.Reason, m.Detail, m.Final, m.Raw = e.Error, e.Detail, e.Final, e.Raw
	}
	if ok && e.Error == "" {
		err := Accept(req, &llm.Response{Text: e.Answer})
		if err == nil {
			c.Answered++
			return answer(Record{Concept: row.Concept, Language: prompt.Language, Prompt: prompt.Name, Model: p.Sampling.Model, Answer: e.Answer})
		}
		m.Reason, m.Detail, m.Raw = llm.KindUnusable, err.Error(), e.Answer
	}
	c.Missing[m.Reason]++
	return miss(m)
}

// writeLines writes a file of JSON lines, atomically.
func writeLines(path string, f func(put func(any) error) error) error {
	return artifact.WriteWith(path, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<18)
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		if err := f(enc.Encode); err != nil {
			return err
		}
		return out.Flush()
	})
}
