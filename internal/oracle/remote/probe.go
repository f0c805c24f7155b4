package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"

	"syncabel/internal/oracle"
)

// An Engine is an oracle of servers.
type Engine interface {
	Caps() oracle.Caps
	Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error)
	Tokenize(ctx context.Context, text string) ([]int32, error)
	Pool() *Pool
}

// Tokenizer is ours.
type Tokenizer interface {
	EncodeOrdinary(dst []int32, s string) []int32
}

// A Probe is what the start-up probe found; it belongs into what is written with the answers.
type Probe struct {
	Engine    string  `json:"engine"`
	Model     string  `json:"model,omitempty"`
	Replicas  int     `json:"replicas"`
	Tokenizer string  `json:"tokenizer"` // "same" or "unchecked": the server has no route for it
	Epsilon   float64 `json:"epsilon"`   // largest difference of a log-probability asked for in two ways
	Mass      float64 `json:"mass"`      // probability of the 20 most likely tokens together
}

// Tolerance is the largest Epsilon that passes. bfloat16 with batches of changing size moves log-probabilities by some hundredths;
// a tenth and more means other weights, processed log-probabilities or a temperature.
const Tolerance = 0.25

// probeTexts are cut by both tokenizers: what goes wrong is spaces, digits, case, accents and marks.
var probeTexts = []string{" aspirin", "aspirin", " Type 2 diabetes mellitus", " 5-HT3 receptor", " infarctus du myocarde aigu", " neuropatía óptica",
	" p53", " IL-2", " 1,25-dihydroxyvitamin D3", " T-cell", "  two spaces", " β-catenin", " (disorder)", " [NOS]", " α2-adrenergic", " A/B/C",
	" 37.5 °C", " Parkinson's disease", " café-au-lait", " UPPER lower"}

// Check asks a server what it is known to answer and refuses one whose answers cannot be used. Prefixes are tokens below vocab.
func Check(ctx context.Context, e Engine, tok Tokenizer) (*Probe, error) {
	p := &Probe{Engine: e.Caps().Name, Model: e.Pool().Model, Replicas: len(e.Pool().replicas)}
	if err := checkTokenizer(ctx, e, tok, p); err != nil {
		return nil, err
	}
	queries := probeQueries(e.Caps().Vocab)
	together, err := e.Do(ctx, queries)
	if err != nil {
		return nil, fmt.Errorf("probing the oracle: %w", err)
	}
	for i := range queries[:alone] {
		if err := p.compare(ctx, e, queries[i], together[i]); err != nil {
			return nil, fmt.Errorf("probing the oracle: %w", err)
		}
	}
	if err := p.ahead(ctx, e, queries[:alone]); err != nil {
		return nil, fmt.Errorf("probing the oracle: %w", err)
	}
	if p.Epsilon > Tolerance {
		return nil, fmt.Errorf("probing the oracle: %w: one log-probability asked for in two ways differs by %.3g: the server must tell raw log-probabilities (vLLM: --logprobs-mode raw_logprobs)", ErrProtocol, p.Epsilon)
	}
	return p, nil
}

// probes are asked in one batch, alone of them again by themselves.
const probes, alone, probeTop = 64, 4, 20

func probeQueries(vocab int) []oracle.Query {
	out := make([]oracle.Query, probes)
	for i := range out {
		for k := range 4 + i%8 {
			out[i].Prefix = append(out[i].Prefix, int32((i*7919+k*104729+3)%vocab))
		}
		out[i].TopK = min(probeTop, vocab)
	}
	return out
}

// compare asks for a batch's most likely tokens by name and alone.
func (p *Probe) compare(ctx context.Context, e Engine, q oracle.Query, batch oracle.Answer) error {
	step := oracle.Query{Prefix: q.Prefix}
	mass := 0.0
	for _, t := range batch.Top {
		step.Want = append(step.Want, t.ID)
		mass += math.Exp(t.LogProb)
	}
	a, err := e.Do(ctx, []oracle.Query{step})
	if err != nil {
		return err
	}
	for i, t := range batch.Top {
		p.Epsilon = max(p.Epsilon, math.Abs(a[0].Want[i]-t.LogProb))
	}
	if mass > 1.01 {
		return fmt.Errorf("%w: the probabilities of %d tokens sum to %.3f", ErrProtocol, len(batch.Top), mass)
	}
	p.Mass = max(p.Mass, mass)
	return nil
}

// probeRoll is how many tokens the probe has written ahead.
const probeRoll = 4

// ahead asks for rollouts and then, by name, for what each of their positions tells.
func (p *Probe) ahead(ctx context.Context, e Engine, queries []oracle.Query) error {
	queries = slices.Clone(queries)
	for i := range queries {
		queries[i].Roll = probeRoll
	}
	rolls, err := e.Do(ctx, queries)
	if err != nil {
		return err
	}
	for i, a := range rolls {
		prefix, steps := queries[i].Prefix, []oracle.Query(nil)
		for _, w := range a.Roll {
			step := oracle.Query{Prefix: prefix}
			for _, t := range w.Top {
				step.Want = append(step.Want, t.ID)
			}
			prefix, steps = append(slices.Clip(prefix), w.Token), append(steps, step)
		}
		answers, err := e.Do(ctx, steps)
		if err != nil {
			return err
		}
		for k, w := range a.Roll {
			for j, t := range w.Top {
				p.Epsilon = max(p.Epsilon, math.Abs(answers[k].Want[j]-t.LogProb))
			}
			if !p.likeliest(w) {
				return fmt.Errorf("%w: a token was written that is not the most likely one: sampling must be off at temperature 0", ErrProtocol)
			}
		}
	}
	return nil
}

// likeliest reports whether a token was written that none exceeds by more than the engine's noise.
func (p *Probe) likeliest(w oracle.Written) bool {
	i := slices.IndexFunc(w.Top, func(t oracle.Token) bool { return t.ID == w.Token })
	return i >= 0 && w.Top[0].LogProb-w.Top[i].LogProb <= 2*max(p.Epsilon, 1e-6)
}

func checkTokenizer(ctx context.Context, e Engine, tok Tokenizer, p *Probe) error {
	p.Tokenizer = "unchecked"
	if tok == nil {
		return nil
	}
	for _, s := range probeTexts {
		theirs, err := e.Tokenize(ctx, s)
		if errors.Is(err, ErrRefused) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("probing the oracle: %w", err)
		}
		if ours := tok.EncodeOrdinary(nil, s); !slices.Equal(ours, theirs) {
			return fmt.Errorf("probing the oracle: %w: the server's tokenizer is another: it cuts %q into %v, the run's into %v", ErrRefused, s, theirs, ours)
		}
	}
	p.Tokenizer = "same"
	return nil
}

// OpenAITokenize is the route that vLLM and SGLang share.
func OpenAITokenize(ctx context.Context, p *Pool, text string) ([]int32, error) {
	var out []int32
	body := map[string]any{"model": p.Model, "prompt": text, "add_special_tokens": false}
	err := p.Do(ctx, Call{Path: "/tokenize", Body: body, Read: JSON(func(v *struct {
		Tokens []int32 `json:"tokens"`
	}) error {
		out = v.Tokens
		return nil
	})})
	return out, err
}

// RequestID returns an identifier that no other request has.
func RequestID() string { return rand.Text() }

// A Listing is what a server says of its model.
type Listing struct {
	Engine  string // llamacpp, vllm, sglang; empty: it does not say
	Model   string
	Context int // 0: it does not say
}

// Ask reads the list of models that all three engines have.
func (p *Pool) Ask(ctx context.Context) (Listing, error) {
	var out Listing
	err := p.Do(ctx, Call{Path: "/v1/models", Read: JSON(func(v *struct {
		Data []struct {
			ID      string `json:"id"`
			OwnedBy string `json:"owned_by"`
			Max     int    `json:"max_model_len"`
			Meta    struct {
				Context int `json:"n_ctx"`
			} `json:"meta"`
		} `json:"data"`
	}) error {
		for _, m := range v.Data {
			if p.Model == "" || m.ID == p.Model {
				out = Listing{m.OwnedBy, m.ID, max(m.Max, m.Meta.Context)}
				return nil
			}
		}
		return fmt.Errorf("%w: the server has no model %q", ErrRefused, p.Model)
	})})
	return out, err
}
