package synth

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"syncabel/internal/llm"
	"syncabel/internal/terminology"
)

// A Question is one that only a model or a person can answer: does the marked mention, which resembles no name of the concept,
// mean it all the same? Brand names and lay words do.
type Question struct {
	Concept, Language, Sentence string
}

// Questions collects what the gates want to know, by being their Confirmer in a first pass; in the second, Verdicts answers.
type Questions struct{ List []Question }

// Confirm notes the question and knows nothing.
func (q *Questions) Confirm(concept, language, sentence string) (means, known bool) {
	q.List = append(q.List, Question{concept, language, sentence})
	return false, false
}

// Verdicts are a judge model's answers.
type Verdicts struct {
	kb       *terminology.KB
	sampling Sampling
	results  Results
	err      error
}

// NewVerdicts reads the answers to JudgeRequests from results.
func NewVerdicts(kb *terminology.KB, s Sampling, results Results) *Verdicts {
	return &Verdicts{kb: kb, sampling: s, results: results}
}

// Confirm looks up a verdict. A missing or unreadable one is not known: it is never a yes or a no.
func (v *Verdicts) Confirm(concept, language, sentence string) (means, known bool) {
	i, ok := v.kb.Index(concept)
	if !ok {
		return false, false
	}
	e, ok, err := v.results.Get(judgeRequest(v.kb.Concept(i), sentence, v.sampling).Key())
	if err != nil || !ok || e.Error != "" {
		v.err = err
		return false, false
	}
	means, err = parseVerdict(e.Answer)
	return means, err == nil
}

// Err returns the last error of reading results.
func (v *Verdicts) Err() error { return v.err }

// Judge asks a model about questions by run, whose Accept it sets, and leaves the answers in run's journal.
func Judge(ctx context.Context, kb *terminology.KB, questions []Question, s Sampling, run llm.Run) (llm.Status, error) {
	run.Total = len(questions)
	run.Accept = func(_ *llm.Request, r *llm.Response) error {
		_, err := parseVerdict(r.Text)
		return err
	}
	return run.Do(ctx, func(yield func(*llm.Request, error) bool) {
		for _, q := range questions {
			if i, ok := kb.Index(q.Concept); ok && !yield(judgeRequest(kb.Concept(i), q.Sentence, s), nil) {
				return
			}
		}
	})
}

const judgeSystem = `You check annotations of biomedical text. A sentence marks one mention in square brackets. Decide whether the mention, as it stands in the sentence, means exactly the concept described: a name, abbreviation, brand name, lay word or paraphrase of it. It does not when it means something broader, narrower, related or else. The sentence may be in any language.`

func judgeRequest(c *terminology.Concept, sentence string, s Sampling) *llm.Request {
	var b strings.Builder
	fmt.Fprintf(&b, "Concept: %s\nSemantic group: %s\nNames: %s\n", c.PreferredName("en"), strings.Join(c.Groups(), ", "), strings.Join(promptNames(c, ""), "; "))
	for _, d := range promptDefinitions(c, "en") {
		fmt.Fprintf(&b, "Definition: %s\n", d)
	}
	fmt.Fprintf(&b, "Sentence: %s\n", sentence)
	zero := 0.0
	r := &llm.Request{Model: s.Model, Messages: []llm.Message{{Role: "system", Content: judgeSystem}, {Role: "user", Content: b.String()}},
		IfSchema: `Answer with a JSON object whose "means_concept" is true or false.`, IfLines: "Answer YES or NO only.",
		Temperature: &zero, MaxTokens: judgeTokens}
	if !s.Plain {
		r.Schema = json.RawMessage(`{"type":"object","properties":{"means_concept":{"type":"boolean"}},"required":["means_concept"],"additionalProperties":false}`)
	}
	return r
}

// judgeTokens leaves room for a model that thinks a little before its word.
const judgeTokens = 64

func parseVerdict(answer string) (bool, error) {
	var v struct {
		Means *bool `json:"means_concept"`
	}
	answer = strings.TrimSpace(answer)
	if json.Unmarshal([]byte(answer), &v) == nil && v.Means != nil {
		return *v.Means, nil
	}
	switch w := foldWords(answer); {
	case len(w) == 1 && w[0] == "yes":
		return true, nil
	case len(w) == 1 && w[0] == "no":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", truncate(answer, 60))
}
