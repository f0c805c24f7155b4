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
	return &Oracle{Base: remote.NewBase(p, Name)}
}

type request struct {
	Prompt      [][]int32 `json:"prompt"`
	NPredict    int       `json:"n_predict"`
	NProbs      int       `json:"n_probs"`
	Temperature float64   `json:"temperature"`
	CachePrompt bool      `json:"cache_prompt"`
	Fields      []string  `json:"response_fields"`
}

type answer struct {
	Index         int `json:"index"`
	Probabilities []struct {
		Top []struct {
			ID      int32   `json:"id"`
			LogProb float64 `json:"logprob"`
		} `json:"top_logprobs"`
	} `json:"completion_probabilities"`
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
	byK := map[int][]int{}
	for i := range queries {
		byK[o.width(&queries[i])] = append(byK[o.width(&queries[i])], i)
	}
	out := make([]oracle.Answer, len(queries))
	for len(byK) > 0 {
		again, err := o.round(ctx, queries, byK, out)
		if err != nil {
			return nil, err
		}
		byK = again
	}
	return out, nil
}

// narrowest is the K of a question for few tokens, wider how much more is asked for when it did not do.
const (
	narrowest = 256
	wider     = 4
)

// width is a power of four times narrowest, so that questions share requests.
func (o *Oracle) width(q *oracle.Query) int {
	k := narrowest
	for k < 2*len(q.Want) || k < q.TopK {
		k *= wider
	}
	return min(k, o.Caps().Vocab)
}

// job is one request.
type job struct {
	k     int
	index []int
	short []int // queries that need a larger K
}

func (o *Oracle) round(ctx context.Context, queries []oracle.Query, byK map[int][]int, out []oracle.Answer) (map[int][]int, error) {
	var jobs []*job
	for k, index := range byK {
		part := make([]oracle.Query, len(index))
		for j, i := range index {
			part[j] = queries[i]
		}
		for _, b := range o.Pool().Batches(part) {
			jb := &job{k: k}
			for _, j := range b {
				jb.index = append(jb.index, index[j])
			}
			jobs = append(jobs, jb)
		}
	}
	err := o.Pool().Each(ctx, len(jobs), func(ctx context.Context, i int) error { return o.ask(ctx, queries, jobs[i], out) })
	again := map[int][]int{}
	for _, j := range jobs {
		if len(j.short) > 0 {
			k := min(j.k*wider, o.Caps().Vocab)
			again[k] = append(again[k], j.short...)
		}
	}
	return again, err
}

func (o *Oracle) ask(ctx context.Context, queries []oracle.Query, j *job, out []oracle.Answer) error {
	r := request{NPredict: 1, NProbs: j.k, CachePrompt: true, Fields: []string{"index", "completion_probabilities"}}
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
	j.short = j.short[:0]
	seen := make([]bool, len(j.index))
	for _, a := range *v {
		if a.Index < 0 || a.Index >= len(seen) || seen[a.Index] || len(a.Probabilities) != 1 {
			return fmt.Errorf("%w: index %d of %d with %d tokens", remote.ErrProtocol, a.Index, len(seen), len(a.Probabilities))
		}
		seen[a.Index] = true
		top := make([]oracle.Token, len(a.Probabilities[0].Top))
		for i, t := range a.Probabilities[0].Top {
			if err := remote.CheckLogProb(t.LogProb); err != nil {
				return err
			}
			top[i] = oracle.Token{ID: t.ID, LogProb: math.Max(t.LogProb, lowest)}
		}
		if len(top) < j.k {
			return fmt.Errorf("%w: %d tokens of n_probs %d (is the vocabulary of %d tokens the server's?)", remote.ErrProtocol, len(top), j.k, o.Caps().Vocab)
		}
		q := j.index[a.Index]
		var ok bool
		if out[q], ok = remote.FromTop(&queries[q], top); !ok {
			if j.k >= o.Caps().Vocab {
				return fmt.Errorf("%w: the whole vocabulary lacks a token that was asked for", remote.ErrProtocol)
			}
			j.short = append(j.short, q)
		}
	}
	return nil
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
