// Package vllm asks a vLLM server (POST /v1/completions with logprob_token_ids, vLLM PR #43463, May 2026). A request has one list of
// wanted tokens for all its prompts, of 128 at most: prefixes whose lists fit into one share a request, and a long list is
// cut into several. It stands beside the native oracle, on remote.
package vllm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/remote"
)

// Name of the engine.
const Name = "vllm"

// MaxIDs is what vLLM takes as logprob_token_ids (MAX_LOGPROB_TOKEN_IDS, sampling_params.py). A server that refuses as many is asked
// for half.
const MaxIDs = 128

// Oracle asks vLLM servers. It is safe for concurrent use.
type Oracle struct {
	remote.Base
	ids atomic.Int32 // learnt cap of logprob_token_ids
	top atomic.Int32 // learnt cap of a rollout's logprobs
}

// New returns the oracle of a pool; send nothing before remote.Probe, which also learns the model's name.
func New(p *remote.Pool) *Oracle {
	o := &Oracle{Base: remote.NewBase(p, Name, true)}
	o.ids.Store(MaxIDs)
	o.top.Store(int32(o.Caps().Vocab))
	return o
}

// MaxIDs returns how many tokens one request may ask for, as learnt so far.
func (o *Oracle) MaxIDs() int { return int(o.ids.Load()) }

type request struct {
	Model       string    `json:"model"`
	Prompt      [][]int32 `json:"prompt"`
	MaxTokens   int       `json:"max_tokens"`
	Temperature float64   `json:"temperature"`
	LogProbs    int       `json:"logprobs"`
	IDs         []int32   `json:"logprob_token_ids,omitempty"`
	TokensAsIDs bool      `json:"return_tokens_as_token_ids"`
	AddSpecial  bool      `json:"add_special_tokens"`
	IgnoreEOS   bool      `json:"ignore_eos"`
}

type reply struct {
	Choices []struct {
		Index    int `json:"index"`
		LogProbs struct {
			Tokens []string             `json:"tokens"`
			Top    []map[string]float64 `json:"top_logprobs"`
		} `json:"logprobs"`
	} `json:"choices"`
}

// part is a piece of a query: some of its wanted tokens, its most likely ones, or its rollout.
type part struct {
	query  int
	lo, hi int // of Want
	top    int // TopK; 0: wanted tokens
	roll   int // tokens to write; 0: one, no rollout
}

// job is one request.
type job struct {
	parts []part
	ids   []int32 // union of what the parts want, sorted
	top   int
	roll  int
}

// Do answers queries.
func (o *Oracle) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	o.Pool().Asked(len(queries))
	out := make([]oracle.Answer, len(queries))
	for i := range queries {
		out[i].Want = make([]float64, len(queries[i].Want))
	}
	for {
		ids, top := o.MaxIDs(), int(o.top.Load())
		jobs := o.plan(queries, ids, top)
		err := o.Pool().Each(ctx, len(jobs), func(ctx context.Context, i int) error { return o.ask(ctx, queries, jobs[i], out) })
		if err == nil || !o.learn(err, queries, ids, top) {
			return out, err
		}
	}
}

// learn halves what a server refused, or reports that it refused something else.
func (o *Oracle) learn(err error, queries []oracle.Query, ids, top int) bool {
	widest := 0
	for _, q := range queries {
		if q.Roll > 0 {
			widest = max(widest, min(q.TopK, top))
		}
	}
	switch s := err.Error(); {
	case !errors.Is(err, remote.ErrRefused):
		return false
	case strings.Contains(s, "logprob_token_ids") && ids > 1:
		o.ids.CompareAndSwap(int32(ids), int32(ids/2))
	case strings.Contains(s, "logprobs") && widest > 1:
		o.top.CompareAndSwap(int32(top), int32(widest/2))
	default:
		return false
	}
	return true
}

// plan packs the parts of queries into requests, replica by replica: parts join the open request while the union of their tokens fits.
func (o *Oracle) plan(queries []oracle.Query, limit, top int) []job {
	var jobs []job
	open := map[[3]int]int{} // replica, TopK and tokens to write
	for _, p := range parts(queries, limit, top) {
		q := &queries[p.query]
		key := [3]int{o.Pool().Route(q.Prefix), p.top, p.roll}
		at, ok := open[key]
		ids := []int32(nil)
		if ok {
			ids = union(jobs[at].ids, q.Want[p.lo:p.hi])
		}
		if !ok || len(ids) > limit || len(jobs[at].parts) == o.Pool().Batch {
			at, ids = len(jobs), union(nil, q.Want[p.lo:p.hi])
			open[key] = at
			jobs = append(jobs, job{top: p.top, roll: p.roll})
		}
		jobs[at].parts, jobs[at].ids = append(jobs[at].parts, p), ids
	}
	return jobs
}

func parts(queries []oracle.Query, limit, top int) []part {
	var out []part
	for i := range queries {
		q := &queries[i]
		for lo := 0; lo < len(q.Want); lo += limit {
			out = append(out, part{query: i, lo: lo, hi: min(lo+limit, len(q.Want))})
		}
		switch {
		case q.Roll > 0:
			out = append(out, part{query: i, top: max(1, min(q.TopK, top)), roll: q.Roll})
		case q.TopK > 0:
			out = append(out, part{query: i, top: q.TopK})
		}
	}
	return out
}

func union(sorted, more []int32) []int32 {
	out := append(slices.Clone(sorted), more...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (o *Oracle) ask(ctx context.Context, queries []oracle.Query, j job, out []oracle.Answer) error {
	r := request{Model: o.Pool().Model, MaxTokens: max(1, j.roll), LogProbs: cmp.Or(j.top, 1), IDs: j.ids, TokensAsIDs: true, IgnoreEOS: j.roll == 0}
	for _, p := range j.parts {
		r.Prompt = append(r.Prompt, queries[p.query].Prefix)
	}
	return o.Pool().Do(ctx, remote.Call{Route: o.Pool().Route(r.Prompt[0]), Path: "/v1/completions", Body: r, Prefixes: len(r.Prompt),
		Read: remote.JSON(func(v *reply) error { return read(v, queries, j, out) })})
}

func read(v *reply, queries []oracle.Query, j job, out []oracle.Answer) error {
	if len(v.Choices) != len(j.parts) {
		return fmt.Errorf("%w: %d choices for %d prompts", remote.ErrProtocol, len(v.Choices), len(j.parts))
	}
	seen := make([]bool, len(j.parts))
	for _, c := range v.Choices {
		if c.Index < 0 || c.Index >= len(seen) || seen[c.Index] {
			return fmt.Errorf("%w: choice %d of %d", remote.ErrProtocol, c.Index, len(seen))
		}
		seen[c.Index] = true
		if err := fill(c.LogProbs.Tokens, c.LogProbs.Top, queries, j.parts[c.Index], out); err != nil {
			return err
		}
	}
	return nil
}

// fill writes one choice into its part of an answer. Parts write to places of their own, so that no lock is needed.
func fill(written []string, top []map[string]float64, queries []oracle.Query, p part, out []oracle.Answer) error {
	q := &queries[p.query]
	if p.roll > 0 {
		return fillRoll(written, top, q, p, &out[p.query])
	}
	if err := remote.CheckPositions(len(top), 1); err != nil {
		return err
	}
	list, err := tokens(top[0])
	switch {
	case err != nil:
		return err
	case p.top > 0 && len(list) < p.top:
		return fmt.Errorf("%w: %d tokens of logprobs %d (start the server with a larger --max-logprobs)", remote.ErrProtocol, len(list), p.top)
	case p.top > 0:
		out[p.query].Top = remote.Best(list, p.top)
		return nil
	}
	lps, ok := remote.Pick(q.Want[p.lo:p.hi], list)
	if !ok {
		return fmt.Errorf("%w: a token of logprob_token_ids is missing (vLLM knows that field since mid-2026)", remote.ErrProtocol)
	}
	copy(out[p.query].Want[p.lo:], lps)
	return nil
}

func fillRoll(written []string, top []map[string]float64, q *oracle.Query, p part, a *oracle.Answer) error {
	if err := remote.CheckRoll(q, len(written)); err != nil {
		return err
	}
	if err := remote.CheckPositions(len(top), len(written)); err != nil {
		return err
	}
	a.Roll = make([]oracle.Written, len(written))
	for i, key := range written {
		id, err := tokenID(key)
		if err != nil {
			return err
		}
		list, err := tokens(top[i])
		if err != nil {
			return err
		}
		if len(list) < p.top {
			return fmt.Errorf("%w: %d tokens of logprobs %d", remote.ErrProtocol, len(list), p.top)
		}
		a.Roll[i] = oracle.Written{Token: id, Top: remote.Best(list, p.top)}
	}
	return nil
}

func tokens(position map[string]float64) ([]oracle.Token, error) {
	list := make([]oracle.Token, 0, len(position))
	for key, lp := range position {
		id, err := tokenID(key)
		if err != nil {
			return nil, err
		}
		if err := remote.CheckLogProb(lp); err != nil {
			return nil, err
		}
		list = append(list, oracle.Token{ID: id, LogProb: lp})
	}
	return list, nil
}

func tokenID(key string) (int32, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(key, "token_id:"), 10, 32)
	if err != nil || !strings.HasPrefix(key, "token_id:") {
		return 0, fmt.Errorf("%w: tokens are named by text, not as token_id:N", remote.ErrProtocol)
	}
	return int32(n), nil
}

// Tokenize asks how the server cuts a text.
func (o *Oracle) Tokenize(ctx context.Context, text string) ([]int32, error) {
	return remote.OpenAITokenize(ctx, o.Pool(), text)
}
