// Package llamacpp asks a llama-server (llama.cpp, tools/server/README.md, POST /completion). The engine tells the K most
// likely tokens only, K up to the whole vocabulary, so a question for certain tokens is asked again with a larger K until
// all are among them. It stands beside the native oracle, on remote.
package llamacpp

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/remote"
)

// Name of the engine.
const Name = "llamacpp"

// lowest stands for the log-probabilities that the server's 32-bit floats round to zero: the logarithm of the smallest.
const lowest = -103.3

// Oracle asks llama-servers. It is safe for concurrent use.
type Oracle struct {
	remote.Base
}

// New returns the oracle of a pool; send nothing before remote.Probe.
func New(p *remote.Pool) *Oracle {
	return &Oracle{Base: remote.NewBase(p, Name, true)}
}

type request struct {
	Prompt       [][]int32 `json:"prompt"`
	NPredict     int       `json:"n_predict"`
	NProbs       int       `json:"n_probs"`
	Temperature  float64   `json:"temperature"`
	CachePrompt  bool      `json:"cache_prompt"`
	ReturnTokens bool      `json:"return_tokens"`
	LogitBias    [][2]any  `json:"logit_bias,omitempty"`
	Fields       []string  `json:"response_fields"`
}

type answer struct {
	Index         int        `json:"index"`
	Tokens        []int32    `json:"tokens"`
	Probabilities []position `json:"completion_probabilities"`
}

type position struct {
	ID  int32 `json:"id"`
	Top []struct {
		ID      int32   `json:"id"`
		LogProb float64 `json:"logprob"`
	} `json:"top_logprobs"`
}

// reply is a list, but to one prompt its only entry.
type reply []answer

func (r *reply) UnmarshalJSON(b []byte) error {
	if b[0] == '{' {
		*r = make(reply, 1)
		return json.Unmarshal(b, &(*r)[0])
	}
	return json.Unmarshal(b, (*[]answer)(r))
}

// Do answers queries: all with the K that the narrowest questions need, those not answered then with four times that.
func (o *Oracle) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	o.Pool().Asked(len(queries))
	parts, of := remote.Apart(queries)
	todo := map[shape][]int{}
	for i := range parts {
		s := o.shape(&parts[i])
		todo[s] = append(todo[s], i)
	}
	out := make([]oracle.Answer, len(parts))
	for len(todo) > 0 {
		again, err := o.round(ctx, parts, todo, out)
		if err != nil {
			return nil, err
		}
		todo = again
	}
	return remote.Together(len(queries), out, of), nil
}

// shape is what the prompts of a request have in common.
type shape struct {
	k     int  // n_probs
	roll  int  // n_predict
	plain bool // the token written is one that ends with a whole character
}

// narrowest is the K of a question for few tokens, wider how much more is asked for when it did not do.
const (
	narrowest = 256
	wider     = 4
)

// shape gives questions a power of four times narrowest, so that they share requests, and rollouts, which are answered whatever is
// missing, what they ask for.
func (o *Oracle) shape(q *oracle.Query) shape {
	if q.Roll > 0 {
		return shape{k: min(max(1, q.TopK), o.Caps().Vocab), roll: q.Roll}
	}
	k := narrowest
	for k < 2*len(q.Want) || k < q.TopK {
		k *= wider
	}
	return shape{k: min(k, o.Caps().Vocab), roll: 1}
}

// job is one request.
type job struct {
	shape
	index []int
	again map[shape][]int // queries that must be asked otherwise
}

func (o *Oracle) round(ctx context.Context, queries []oracle.Query, todo map[shape][]int, out []oracle.Answer) (map[shape][]int, error) {
	var jobs []*job
	for s, index := range todo {
		part := make([]oracle.Query, len(index))
		for j, i := range index {
			part[j] = queries[i]
		}
		for _, b := range o.Pool().Batches(part) {
			jb := &job{shape: s}
			for _, j := range b {
				jb.index = append(jb.index, index[j])
			}
			jobs = append(jobs, jb)
		}
	}
	err := o.Pool().Each(ctx, len(jobs), func(ctx context.Context, i int) error { return o.ask(ctx, queries, jobs[i], out) })
	again := map[shape][]int{}
	for _, j := range jobs {
		for s, index := range j.again {
			again[s] = append(again[s], index...)
		}
	}
	return again, err
}

func (o *Oracle) ask(ctx context.Context, queries []oracle.Query, j *job, out []oracle.Answer) error {
	r := request{NPredict: j.roll, NProbs: j.k, CachePrompt: true, ReturnTokens: true, Fields: []string{"index", "tokens", "completion_probabilities"}}
	if j.plain { // a bias moves what is written, not what is told of it; the server tells nothing of a token that ends within a character
		r.LogitBias = [][2]any{{"a", 1000}}
	}
	for _, i := range j.index {
		r.Prompt = append(r.Prompt, queries[i].Prefix)
	}
	return o.Pool().Do(ctx, remote.Call{Route: o.Pool().Route(r.Prompt[0]), Path: "/completion", Body: r, Prefixes: len(r.Prompt),
		Read: remote.JSON(func(v *reply) error { return o.read(v, queries, j, out) })})
}

func (o *Oracle) read(v *reply, queries []oracle.Query, j *job, out []oracle.Answer) error {
	if len(*v) != len(j.index) {
		return fmt.Errorf("%w: %d answers to %d prompts", remote.ErrProtocol, len(*v), len(j.index))
	}
	j.again = map[shape][]int{}
	seen := make([]bool, len(j.index))
	for i := range *v {
		a := &(*v)[i]
		if a.Index < 0 || a.Index >= len(seen) || seen[a.Index] {
			return fmt.Errorf("%w: index %d of %d", remote.ErrProtocol, a.Index, len(seen))
		}
		seen[a.Index] = true
		q := j.index[a.Index]
		other, err := o.take(a, &queries[q], j.shape, &out[q])
		if err != nil {
			return err
		}
		if other != (shape{}) {
			j.again[other] = append(j.again[other], q)
		}
	}
	return nil
}

// take reads one answer, or says how to ask again.
func (o *Oracle) take(a *answer, q *oracle.Query, s shape, out *oracle.Answer) (again shape, err error) {
	if len(a.Tokens) < 1 || len(a.Tokens) > s.roll || len(a.Probabilities) > len(a.Tokens) {
		return shape{}, fmt.Errorf("%w: %d tokens, log-probabilities of %d, for n_predict %d", remote.ErrProtocol, len(a.Tokens), len(a.Probabilities), s.roll)
	}
	var list []oracle.Written
	for i, p := range a.Probabilities {
		if p.ID != a.Tokens[i] { // one that ends within a character was left out
			break
		}
		top, err := o.tokens(&p, s.k)
		if err != nil {
			return shape{}, err
		}
		list = append(list, oracle.Written{Token: p.ID, Top: top})
	}
	switch {
	case len(list) == 0 && s.plain:
		return shape{}, fmt.Errorf("%w: no log-probabilities of token %d", remote.ErrProtocol, a.Tokens[0])
	case len(list) == 0:
		return shape{s.k, 1, true}, nil
	case q.Roll > 0:
		for i := range list {
			list[i].Top = remote.Best(list[i].Top, max(1, q.TopK))
		}
		if s.plain {
			list[0].Token = list[0].Top[0].ID
		}
		*out = oracle.Answer{Want: []float64{}, Roll: list}
		return shape{}, nil
	}
	var ok bool
	if *out, ok = remote.FromTop(q, list[0].Top); !ok {
		if s.k >= o.Caps().Vocab {
			return shape{}, fmt.Errorf("%w: the whole vocabulary lacks a token that was asked for", remote.ErrProtocol)
		}
		return shape{min(s.k*wider, o.Caps().Vocab), 1, s.plain}, nil
	}
	return shape{}, nil
}

func (o *Oracle) tokens(p *position, k int) ([]oracle.Token, error) {
	if len(p.Top) < k {
		return nil, fmt.Errorf("%w: %d tokens of n_probs %d (is the vocabulary of %d tokens the server's?)", remote.ErrProtocol, len(p.Top), k, o.Caps().Vocab)
	}
	top := make([]oracle.Token, len(p.Top))
	for i, t := range p.Top {
		if err := remote.CheckLogProb(t.LogProb); err != nil {
			return nil, err
		}
		top[i] = oracle.Token{ID: t.ID, LogProb: math.Max(t.LogProb, lowest)}
	}
	return top, nil
}

// Tokenize asks how the server cuts a text.
func (o *Oracle) Tokenize(ctx context.Context, text string) ([]int32, error) {
	var out []int32
	body := map[string]any{"content": text, "add_special": false, "parse_special": false}
	err := o.Pool().Do(ctx, remote.Call{Path: "/tokenize", Body: body, Read: remote.JSON(func(v *struct {
		Tokens []int32 `json:"tokens"`
	}) error {
		out = v.Tokens
		return nil
	})})
	return out, err
}
