// Package judge says whether a wrong answer of a linker is clinically as good as the gold one, too general, too specific or
// something else (the published labels of arXiv 2601.19667). Equal answers and parts of composites are decided without a call;
// the rest goes to language models through package llm. A verdict that no model gave, or that cannot be read, is missing and is
// counted as missing; it never becomes a label. It compares judges with people and writes the sheet on which clinicians decide
// without knowing what a model said. It stands after prediction and before eval.
package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"syncabel/internal/prediction"
)

// Verdicts. Strict and Partial need no judge.
const (
	Strict     = "STRICT"  // the codes are equal
	Partial    = "PARTIAL" // every predicted concept is a part of a composite gold
	Exact      = "EXACT"
	Broad      = "BROAD"
	Narrow     = "NARROW"
	NoRelation = "NO_RELATION"
)

// Labels are the verdicts that a judge or a person may give, best first.
func Labels() []string { return []string{Exact, Broad, Narrow, NoRelation} }

// Why a verdict is missing, beside the kinds of package llm.
const (
	MissingUnread    = "unreadable answer"
	MissingConcept   = "concept not in the knowledge base"
	MissingAgreement = "no majority"
	MissingUnasked   = "not asked yet"
)

// Decided returns the verdict of a mention that needs no judge, "" otherwise. No candidate at all names nothing that could be
// judged: NO_RELATION, as published.
func Decided(p *prediction.Prediction) string {
	if len(p.Candidates) == 0 {
		return NoRelation
	}
	named := p.Candidates[0].IDs()
	partial := false
	for _, g := range p.Gold {
		inside := !slices.ContainsFunc(named, func(id string) bool { return !slices.Contains(g, id) })
		if inside && !slices.ContainsFunc(g, func(id string) bool { return !slices.Contains(named, id) }) {
			return Strict
		}
		partial = partial || inside
	}
	if partial {
		return Partial
	}
	return ""
}

// answer is what a judge is asked to write.
type answer struct {
	A string `json:"a"`
	B string `json:"b"`
}

// schema is the JSON schema of answer.
var schema = json.RawMessage(`{"type":"object","properties":{"a":{"type":"string","enum":["EXACT","BROAD","NARROW","NO_RELATION"]},"b":{"type":"string","enum":["EXACT","BROAD","NARROW","NO_RELATION"]}},"required":["a","b"],"additionalProperties":false}`)

// parse reads an answer. Models put text around JSON; the last object of the text counts. Anything but two known labels is
// an error.
func parse(text string) (answer, error) {
	var a answer
	from, to := strings.LastIndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return a, fmt.Errorf("no JSON object in the answer")
	}
	if err := json.Unmarshal([]byte(text[from:to+1]), &a); err != nil {
		return a, fmt.Errorf("the answer is no JSON: %w", err)
	}
	for _, l := range []*string{&a.A, &a.B} {
		*l = strings.ToUpper(strings.TrimSpace(*l))
		if !slices.Contains(Labels(), *l) {
			return answer{}, fmt.Errorf("%q is no verdict: want one of %s", *l, strings.Join(Labels(), ", "))
		}
	}
	return a, nil
}
