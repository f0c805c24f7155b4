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
	return &Oracle{Base: remote.NewBase(p, Name)}
}

type sampling struct {
	MaxNewTokens int     `json:"max_new_tokens"`
	Temperature  float64 `json:"temperature"`
	IgnoreEOS    bool    `json:"ignore_eos"`
}

type request struct {
	RID      []string  `json:"rid"` // comes back with each answer: the order of a reply is not promised
	InputIDs [][]int32 `json:"input_ids"`
	Sampling sampling  `json:"sampling_params"`
	LogProb  bool      `json:"return_logprob"`
	Start    int       `json:"logprob_start_len"` // -1: of the new token only, so that the radix cache serves the whole prefix
	Wanted   [][]int32 `json:"token_ids_logprob"`
	Top      []int     `json:"top_logprobs_num"`
	Text     bool      `json:"return_text_in_logprobs"`
}

// entry is [log-probability, id, text].
type entry [3]any

type reply []struct {
	Meta struct {
		ID  string    `json:"id"`
		Ids [][]entry `json:"output_token_ids_logprobs"`
		Top [][]entry `json:"output_top_logprobs"`
	} `json:"meta_info"`
}

// Do answers queries, a request for each replica and batch.
func (o *Oracle) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	o.Pool().Asked(len(queries))
	out := make([]oracle.Answer, len(queries))
	batches := o.Pool().Batches(queries)
	return out, o.Pool().Each(ctx, len(batches), func(ctx context.Context, i int) error { return o.ask(ctx, queries, batches[i], out) })
}

func (o *Oracle) ask(ctx context.Context, queries []oracle.Query, index []int, out []oracle.Answer) error {
	r := request{Sampling: sampling{MaxNewTokens: 1, IgnoreEOS: true}, LogProb: true, Start: -1}
	for k, i := range index {
		q := &queries[i]
		r.RID = append(r.RID, requestID(k, q.Prefix))
		r.InputIDs = append(r.InputIDs, q.Prefix)
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
	for _, a := range *v {
		k, ok := at[a.Meta.ID]
		if !ok {
			return fmt.Errorf("%w: an answer to %q, which was not asked or was answered twice", remote.ErrProtocol, a.Meta.ID)
		}
		delete(at, a.Meta.ID)
		q := &queries[index[k]]
		ids, err := tokens(a.Meta.Ids)
		if err != nil {
			return err
		}
		byID := make(map[int32]float64, len(ids))
		for _, t := range ids {
			byID[t.ID] = t.LogProb
		}
		ans := oracle.Answer{}
		if ans.Want, ok = remote.Pick(q.Want, byID); !ok {
			return fmt.Errorf("%w: output_token_ids_logprobs lacks a token that was asked for (SGLang from 0.4.6 on sends them)", remote.ErrProtocol)
		}
		if q.TopK > 0 {
			top, err := tokens(a.Meta.Top)
			if err != nil {
				return err
			}
			if len(top) < min(q.TopK, o.Caps().Vocab) {
				return fmt.Errorf("%w: %d tokens of top_logprobs_num %d", remote.ErrProtocol, len(top), q.TopK)
			}
			ans.Top = remote.Best(top, q.TopK)
		}
		out[index[k]] = ans
	}
	return nil
}

// tokens reads the entries of the one new token.
func tokens(list [][]entry) ([]oracle.Token, error) {
	if len(list) != 1 {
		return nil, fmt.Errorf("%w: log-probabilities at %d positions instead of one", remote.ErrProtocol, len(list))
	}
	out := make([]oracle.Token, len(list[0]))
	for i, e := range list[0] {
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
