// Package text holds what every reader and every prompt needs to agree on: half-open byte spans, the maps between byte,
// code-point and UTF-16 offsets, sentence splitting for English, French and Spanish, and located errors and warnings.
// It is the lowest room of the chain; nothing here knows about concepts or mentions.
package text

import "fmt"

// A Span is a half-open range of bytes [Start, End) of some text.
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Len returns the number of bytes in s.
func (s Span) Len() int { return s.End - s.Start }

// Overlaps reports whether s and t share at least one byte.
func (s Span) Overlaps(t Span) bool { return s.Start < t.End && t.Start < s.End }

// Contains reports whether t lies inside s.
func (s Span) Contains(t Span) bool { return s.Start <= t.Start && t.End <= s.End }

// A SyntaxError is a fault of an input file at a known place. Line counts from 1; 0 means the whole file.
type SyntaxError struct {
	File string
	Line int
	Msg  string
}

func (e *SyntaxError) Error() string {
	if e.File == "" {
		return e.Msg
	}
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// A Warning is a fault that did not stop the work. Readers return warnings as data; the caller prints and counts them.
type Warning struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"` // from 1; 0 when the whole file is meant
	Kind string `json:"kind"`           // short stable key that counts are kept by, e.g. "offset", "no-name"
	Msg  string `json:"msg"`
	More int    `json:"more,omitempty"` // how many further faults of the kind it stands for, where a reader met too many to keep
}

// Problems are the faults of an input file, as readers collect them.
type Problems struct {
	File string
	List []Warning
}

// Add notes a fault at a line (0: the whole file) under a stable kind.
func (p *Problems) Add(line int, kind, format string, args ...any) {
	p.List = append(p.List, Warning{File: p.File, Line: line, Kind: kind, Msg: fmt.Sprintf(format, args...)})
}

// Count returns how many faults the warnings stand for.
func Count(list []Warning) int {
	n := len(list)
	for _, w := range list {
		n += w.More
	}
	return n
}

func (w Warning) String() string {
	return (&SyntaxError{File: w.File, Line: w.Line, Msg: w.Msg}).Error()
}
