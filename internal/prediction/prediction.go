// Package prediction is the exchanged form of a linker's output: one JSON object a line, a mention with its ranked
// candidates and, where known, the gold answers. It is its own room so that eval can score anyone's output and sees
// neither model nor network.
package prediction

import (
	"slices"

	"syncabel/internal/text"
)

// A Prediction is one linked mention.
type Prediction struct {
	Document   string      `json:"document"`
	Mention    string      `json:"mention"`            // mention ID, unique in the document
	Spans      []text.Span `json:"spans"`              // bytes of the document text
	Text       string      `json:"text"`               // surface form
	Sentence   string      `json:"sentence,omitempty"` // the sentence around the mention, marked, for reading errors
	Type       string      `json:"type,omitempty"`     // type as annotated
	Group      string      `json:"group,omitempty"`    // semantic group whose trie was searched
	Language   string      `json:"language,omitempty"`
	Gold       [][]string  `json:"gold"`                      // alternatives; each is one ID or the sorted parts of a composite; empty = NIL or unknown
	HasGold    bool        `json:"has_gold"`                  // false when the input carried no annotation at all
	Candidates []Candidate `json:"candidates"`                // best first, one per concept; empty means NIL
	NIL        float64     `json:"nil_probability,omitempty"` // calibrated probability that no candidate is right; 0: unknown
	Mode       string      `json:"mode,omitempty"`            // "free", "beam-hf", "beam-trie", "certified-top1", "lexical", ...
	System     string      `json:"system,omitempty"`          // name of the row in a comparison, e.g. "tfidf", "human+synthetic guided"
	Tags       []string    `json:"tags,omitempty"`            // strata it belongs to, set by eval.Strata: "unseen concept", "composite" ...
	Verdict    string      `json:"verdict,omitempty"`         // a judge's word on the first candidate, where there is one
	// Verdicts are the words of several judges, by their names; Verdict is then what they come to together.
	Verdicts map[string]string `json:"verdicts,omitempty"`
	Unstable bool              `json:"unstable,omitempty"` // decided within the engine's numerical noise
	Meanings *Meanings         `json:"meanings,omitempty"` // set by eval.Tagger where the text may mean several things
}

// Meanings says between how many things a text leaves the choice, gold among them.
type Meanings struct {
	Named  int  `json:"named,omitempty"`  // concepts of the semantic group that have the text as a name; 0: gold has not
	Taught int  `json:"taught,omitempty"` // answers that training annotates the text with; 0: never with gold
	Usual  bool `json:"usual,omitempty"`  // no other answer is more frequent there than gold
}

// A Candidate is one concept (or composite) a mention may mean.
type Candidate struct {
	Code        string   `json:"code"`              // concept ID; the parts of a composite sorted and joined by "+"
	Name        string   `json:"name"`              // the knowledge-base name that was reached
	Probability float64  `json:"probability"`       // over concepts, after merging and calibration
	Score       float64  `json:"score"`             // raw score of the ranking, larger is better
	LogProb     float64  `json:"logprob,omitempty"` // model log-probability of the best name, 0 when no model was asked
	Source      []string `json:"source,omitempty"`  // stages that gave it: "beam", "dictionary", "memory", "tfidf", "abbreviation"
	Parts       []string `json:"parts,omitempty"`   // concept IDs of a composite
}

// IDs returns the concept IDs that the candidate names: its parts, or its code; none where it is no concept.
func (c *Candidate) IDs() []string {
	if len(c.Parts) > 0 || c.Code == "" {
		return c.Parts
	}
	return []string{c.Code}
}

// GoldRank is the rank, from 1, of the first candidate that names a part of a gold answer; 0 when none does.
func (p *Prediction) GoldRank() int {
	for r := range p.Candidates {
		for _, id := range p.Candidates[r].IDs() {
			if slices.ContainsFunc(p.Gold, func(g []string) bool { return slices.Contains(g, id) }) {
				return r + 1
			}
		}
	}
	return 0
}
