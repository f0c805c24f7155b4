package mock

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"syncabel/internal/oracle"
)

func sortTokens(list []oracle.Token) {
	slices.SortFunc(list, func(a, b oracle.Token) int {
		return cmp.Or(cmp.Compare(b.LogProb, a.LogProb), cmp.Compare(a.ID, b.ID))
	})
}

// object keeps the replies below readable.
type object = map[string]any

// arrange applies the faults of a batch of answers.
func (s *Server) arrange(list []any, missing bool) []any {
	if s.opt.Faults.Reorder {
		slices.Reverse(list)
	}
	if missing && len(list) > 1 {
		list = list[:len(list)-1]
	}
	return list
}

// llamacpp is POST /completion of llama-server: n_probs of the most likely tokens at each position. A token that ends within a character
// has none, as the server keeps it back until the character is whole.
func (s *Server) llamacpp(body []byte, missing bool) (any, *refusal) {
	var r struct {
		Prompt  [][]int32 `json:"prompt"`
		Predict int       `json:"n_predict"`
		Probs   int       `json:"n_probs"`
		Tokens  bool      `json:"return_tokens"`
		Bias    [][2]any  `json:"logit_bias"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, refuse("%v", err)
	}
	if no := s.check(r.Prompt); no != nil {
		return nil, no
	}
	var out []any
	for i, p := range r.Prompt {
		var list []object
		var tokens []int32
		for _, w := range s.write(p, len(r.Prompt), r.Predict, false) {
			id := w.token
			if r.Bias != nil {
				id = plainToken
			}
			tokens = append(tokens, id)
			if !s.partial(id) {
				list = append(list, object{"id": id, "top_logprobs": s.candidates(w.row, r.Probs, missing && len(r.Prompt) == 1)})
			}
		}
		a := object{"index": i, "completion_probabilities": list}
		if r.Tokens {
			a["tokens"] = tokens
		}
		out = append(out, a)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return s.arrange(out, missing), nil
}

// plainToken is the token that a bias for text asks for.
const plainToken = 2

// partial reports whether a token ends within a character.
func (s *Server) partial(token int32) bool {
	return s.opt.Partial > 0 && token != plainToken && int(token)%s.opt.Partial == 0
}

func (s *Server) candidates(row []float64, k int, missing bool) []object {
	var top []object
	for _, t := range s.top(row, k) {
		top = append(top, object{"id": t.ID, "token": fmt.Sprint("t", t.ID), "bytes": []int{116}, "logprob": float32(t.LogProb)})
	}
	if missing {
		top = top[1:]
	}
	return top
}

// writing is one token that was written, with the row it was chosen from.
type writing struct {
	token int32
	row   []float64
}

// likeliest is the first of a row's largest.
func likeliest(row []float64) (token int32) {
	for t, lp := range row {
		if lp > row[token] {
			token = int32(t)
		}
	}
	return token
}

// write continues a prefix greedily with n tokens, or to the end token.
func (s *Server) write(prefix []int32, batch, n int, ignoreEOS bool) []writing {
	var out []writing
	for range n {
		row := s.row(prefix, batch)
		w := writing{likeliest(row), row}
		prefix, out = append(slices.Clip(prefix), w.token), append(out, w)
		if len(prefix) >= s.opt.Context || !ignoreEOS && s.opt.EOS > 0 && w.token == s.opt.EOS {
			break
		}
	}
	return out
}

// vllm is POST /v1/completions: logprob_token_ids, which are one list for all prompts, or logprobs.
func (s *Server) vllm(body []byte, missing bool) (any, *refusal) {
	var r struct {
		Model  string    `json:"model"`
		Prompt [][]int32 `json:"prompt"`
		Max    int       `json:"max_tokens"`
		Ignore bool      `json:"ignore_eos"`
		Probs  int       `json:"logprobs"`
		IDs    []int32   `json:"logprob_token_ids"`
		AsIDs  bool      `json:"return_tokens_as_token_ids"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, refuse("%v", err)
	}
	switch no := s.check(r.Prompt); {
	case no != nil:
		return nil, no
	case r.Model != modelName:
		return nil, &refusal{404, fmt.Sprintf("the model %q does not exist", r.Model)}
	case len(r.IDs) > s.opt.MaxIDs:
		return nil, refuse("logprob_token_ids has %d entries, at most %d are allowed", len(r.IDs), s.opt.MaxIDs)
	case r.Probs > s.opt.MaxTop:
		return nil, refuse("requested %d logprobs, at most %d (--max-logprobs)", r.Probs, s.opt.MaxTop)
	}
	var out []any
	for i, p := range r.Prompt {
		var tokens []string
		var positions []object
		for _, w := range s.write(p, len(r.Prompt), r.Max, r.Ignore) {
			list := s.top(w.row, r.Probs)
			if r.IDs != nil {
				list = append(pick(w.row, r.IDs, missing), list[0]) // the sampled token comes besides
			}
			top := object{}
			for _, t := range list {
				top[s.key(t.ID, r.AsIDs)] = float32(t.LogProb)
			}
			tokens, positions = append(tokens, s.key(w.token, r.AsIDs)), append(positions, top)
		}
		out = append(out, object{"index": i, "logprobs": object{"tokens": tokens, "top_logprobs": positions}})
	}
	return object{"object": "text_completion", "choices": s.arrange(out, missing)}, nil
}

// key names a token: texts are not unique.
func (s *Server) key(token int32, asID bool) string {
	if asID {
		return fmt.Sprint("token_id:", token)
	}
	return fmt.Sprint("t", token%7)
}

// pick returns wanted tokens; the least likely is missing where it should be.
func pick(row []float64, ids []int32, missing bool) []oracle.Token {
	var list []oracle.Token
	for _, t := range ids {
		list = append(list, oracle.Token{ID: t, LogProb: row[t]})
	}
	if missing {
		sortTokens(list)
		list = list[:len(list)-1]
	}
	return list
}

// sglang is POST /generate: a list of wanted tokens for each prompt.
func (s *Server) sglang(body []byte, missing bool) (any, *refusal) {
	var r struct {
		RID      []string  `json:"rid"`
		IDs      [][]int32 `json:"input_ids"`
		LogProb  bool      `json:"return_logprob"`
		Wanted   [][]int32 `json:"token_ids_logprob"`
		Top      []int     `json:"top_logprobs_num"`
		Sampling []struct {
			Max    int  `json:"max_new_tokens"`
			Ignore bool `json:"ignore_eos"`
		} `json:"sampling_params"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, refuse("%v", err)
	}
	n := len(r.IDs)
	switch no := s.check(r.IDs); {
	case no != nil:
		return nil, no
	case len(r.RID) != n || len(r.Wanted) != n || len(r.Top) != n || len(r.Sampling) != n:
		return nil, refuse("lists of %d, %d, %d and %d entries for %d prompts", len(r.RID), len(r.Wanted), len(r.Top), len(r.Sampling), n)
	case !r.LogProb:
		return nil, refuse("return_logprob is off")
	}
	var out []any
	for i, p := range r.IDs {
		var written []oracle.Token
		var wanted, tops []any
		for _, w := range s.write(p, n, r.Sampling[i].Max, r.Sampling[i].Ignore) {
			written = append(written, oracle.Token{ID: w.token, LogProb: w.row[w.token]})
			wanted = append(wanted, entries(pick(w.row, r.Wanted[i], missing && n == 1)))
			tops = append(tops, entries(s.top(w.row, r.Top[i])))
		}
		meta := object{"id": r.RID[i], "prompt_tokens": len(p), "output_token_logprobs": entries(written), "output_token_ids_logprobs": wanted}
		if r.Top[i] > 0 {
			meta["output_top_logprobs"] = tops
		}
		out = append(out, object{"text": "", "meta_info": meta})
	}
	return s.arrange(out, missing), nil
}

func entries(list []oracle.Token) []any {
	out := []any{}
	for _, t := range list {
		out = append(out, []any{float32(t.LogProb), t.ID, nil})
	}
	return out
}
