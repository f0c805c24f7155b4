// Package sglang asks an SGLang server (docs.sglang.io, native API, POST /generate): many prefixes in one request, each with a
// list of its own of the tokens whose log-probabilities are wanted. It stands beside the native oracle, on remote.
package sglang

import (
	"context"
	"fmt"
	"strconv"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/remote"
)

// Name of the engine.
const Name = "sglang"

// Oracle asks SGLang servers. It is safe for concurrent use.
type Oracle struct {
	remote.Base
}

// New returns the oracle of a pool; send nothing before remote.Probe.
func New(p *remote.Pool) *Oracle {
	return &Oracle{Base: remote.NewBase(p, Name, false)}
}

type sampling struct {
	MaxNewTokens int     `json:"max_new_tokens"`
	Temperature  float64 `json:"temperature"`
	IgnoreEOS    bool    `json:"ignore_eos"`
}

type request struct {
	RID      []string   `json:"rid"` // comes back with each answer: the order of a reply is not promised
	InputIDs [][]int32  `json:"input_ids"`
	Sampling []sampling `json:"sampling_params"`
	LogProb  bool       `json:"return_logprob"`
	Start    int        `json:"logprob_start_len"` // -1: of new tokens only, so that the radix cache serves the whole prefix
	Wanted   [][]int32  `json:"token_ids_logprob"`
	Top      []int      `json:"top_logprobs_num"`
	Text     bool       `json:"return_text_in_logprobs"`
}

// entry is [log-probability, id, text].
type entry [3]any

type reply []struct {
	Meta meta `json:"meta_info"`
}

type meta struct {
	ID      string    `json:"id"`
	Written []entry   `json:"output_token_logprobs"`
	Ids     [][]entry `json:"output_token_ids_logprobs"` // by position
	Top     [][]entry `json:"output_top_logprobs"`       // by position
}

// Do answers queries, a request for each replica and batch.
func (o *Oracle) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	o.Pool().Asked(len(queries))
	parts, of := remote.Apart(queries)
	out := make([]oracle.Answer, len(parts))
	batches := o.Pool().Batches(parts)
	err := o.Pool().Each(ctx, len(batches), func(ctx context.Context, i int) error { return o.ask(ctx, parts, batches[i], out) })
	if err != nil {
		return nil, err
	}
	return remote.Together(len(queries), out, of), nil
}

func (o *Oracle) ask(ctx context.Context, queries []oracle.Query, index []int, out []oracle.Answer) error {
	r := request{LogProb: true, Start: -1}
	for k, i := range index {
		q := &queries[i]
		r.RID = append(r.RID, requestID(k, q.Prefix))
		r.InputIDs = append(r.InputIDs, q.Prefix)
		r.Sampling = append(r.Sampling, sampling{MaxNewTokens: max(1, q.Roll), IgnoreEOS: q.Roll == 0})
		r.Wanted = append(r.Wanted, wanted(q))
		r.Top = append(r.Top, q.TopK)
	}
	return o.Pool().Do(ctx, remote.Call{Route: o.Pool().Route(r.InputIDs[0]), Path: "/generate", Body: r, Prefixes: len(index),
		Read: remote.JSON(func(v *reply) error { return o.read(v, r.RID, queries, index, out) })})
}

// wanted is never empty: a list without entries turns the field off for some versions.
func wanted(q *oracle.Query) []int32 {
	if len(q.Want) == 0 {
		return []int32{0}
	}
	return q.Want
}

// requestID tells the prefixes of a request apart. Servers refuse one that is under way, so that it must differ between requests too.
func requestID(k int, prefix []int32) string {
	return remote.RequestID() + "-" + strconv.Itoa(k) + "-" + strconv.Itoa(len(prefix))
}

func (o *Oracle) read(v *reply, rid []string, queries []oracle.Query, index []int, out []oracle.Answer) error {
	if len(*v) != len(index) {
		return fmt.Errorf("%w: %d answers to %d prompts", remote.ErrProtocol, len(*v), len(index))
	}
	at := make(map[string]int, len(rid))
	for k, id := range rid {
		at[id] = k
	}
	for i := range *v {
		m := &(*v)[i].Meta
		k, ok := at[m.ID]
		if !ok {
			return fmt.Errorf("%w: an answer to %q, which was not asked or was answered twice", remote.ErrProtocol, m.ID)
		}
		delete(at, m.ID)
		var err error
		q := &queries[index[k]]
		if q.Roll > 0 {
			out[index[k]], err = o.written(q, m)
		} else {
			out[index[k]], err = o.step(q, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// step reads the answer to a question of one token.
func (o *Oracle) step(q *oracle.Query, m *meta) (a oracle.Answer, err error) {
	if err := remote.CheckPositions(len(m.Ids), 1); err != nil {
		return a, err
	}
	ids, err := tokens(m.Ids[0])
	if err != nil {
		return a, err
	}
	var ok bool
	if a.Want, ok = remote.Pick(q.Want, ids); !ok {
		return a, fmt.Errorf("%w: output_token_ids_logprobs lacks a token that was asked for (SGLang from 0.4.6 on sends them)", remote.ErrProtocol)
	}
	if q.TopK > 0 {
		if err := remote.CheckPositions(len(m.Top), 1); err != nil {
			return a, err
		}
		a.Top, err = o.top(q, m.Top[0])
	}
	return a, err
}

// written reads a rollout.
func (o *Oracle) written(q *oracle.Query, m *meta) (a oracle.Answer, err error) {
	chosen, err := tokens(m.Written)
	if err != nil {
		return a, err
	}
	if err := remote.CheckRoll(q, len(chosen)); err != nil {
		return a, err
	}
	if err := remote.CheckPositions(len(m.Top), len(chosen)); err != nil {
		return a, err
	}
	a.Want, a.Roll = []float64{}, make([]oracle.Written, len(chosen))
	for i, t := range chosen {
		a.Roll[i].Token = t.ID
		if a.Roll[i].Top, err = o.top(q, m.Top[i]); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (o *Oracle) top(q *oracle.Query, list []entry) ([]oracle.Token, error) {
	top, err := tokens(list)
	if err != nil {
		return nil, err
	}
	if len(top) < min(q.TopK, o.Caps().Vocab) {
		return nil, fmt.Errorf("%w: %d tokens of top_logprobs_num %d", remote.ErrProtocol, len(top), q.TopK)
	}
	return remote.Best(top, q.TopK), nil
}

// tokens reads the entries of one position.
func tokens(list []entry) ([]oracle.Token, error) {
	out := make([]oracle.Token, len(list))
	for i, e := range list {
		lp, ok1 := e[0].(float64)
		id, ok2 := e[1].(float64)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%w: an entry that is not [log-probability, id, text]", remote.ErrProtocol)
		}
		if err := remote.CheckLogProb(lp); err != nil {
			return nil, err
		}
		out[i] = oracle.Token{ID: int32(id), LogProb: lp}
	}
	return out, nil
}

// Tokenize asks how the server cuts a text.
func (o *Oracle) Tokenize(ctx context.Context, text string) ([]int32, error) {
	return remote.OpenAITokenize(ctx, o.Pool(), text)
}
