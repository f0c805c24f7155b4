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

// llamacpp is POST /completion of llama-server: n_probs of the most likely tokens.
func (s *Server) llamacpp(body []byte, missing bool) (any, *refusal) {
	var r struct {
		Prompt  [][]int32 `json:"prompt"`
		Predict int       `json:"n_predict"`
		Probs   int       `json:"n_probs"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, refuse("%v", err)
	}
	if no := s.check(r.Prompt); no != nil {
		return nil, no
	}
	if r.Predict != 1 {
		return nil, refuse("n_predict %d: the mock predicts one token", r.Predict)
	}
	var out []any
	for i, p := range r.Prompt {
		var top []object
		for _, t := range s.top(s.row(p, len(r.Prompt)), r.Probs) {
			top = append(top, object{"id": t.ID, "token": fmt.Sprint("t", t.ID), "bytes": []int{116}, "logprob": float32(t.LogProb)})
		}
		if missing && len(r.Prompt) == 1 {
			top = top[1:]
		}
		out = append(out, object{"index": i, "completion_probabilities": []object{{"id": 0, "top_logprobs": top}}})
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return s.arrange(out, missing), nil
}

// vllm is POST /v1/completions: logprob_token_ids, which are one list for all prompts, or logprobs.
func (s *Server) vllm(body []byte, missing bool) (any, *refusal) {
	var r struct {
		Model  string    `json:"model"`
		Prompt [][]int32 `json:"prompt"`
		Max    int       `json:"max_tokens"`
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
		row := s.row(p, len(r.Prompt))
		list := s.top(row, r.Probs)
		if r.IDs != nil {
			list = append(pick(row, r.IDs, missing), list[0]) // the sampled token comes besides
		}
		top := object{}
		for _, t := range list {
			key := fmt.Sprint("t", t.ID%7) // texts of tokens are not unique
			if r.AsIDs {
				key = fmt.Sprint("token_id:", t.ID)
			}
			top[key] = float32(t.LogProb)
		}
		out = append(out, object{"index": i, "logprobs": object{"top_logprobs": []object{top}}})
	}
	return object{"object": "text_completion", "choices": s.arrange(out, missing)}, nil
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
		Sampling struct {
			Max int `json:"max_new_tokens"`
		} `json:"sampling_params"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, refuse("%v", err)
	}
	n := len(r.IDs)
	switch no := s.check(r.IDs); {
	case no != nil:
		return nil, no
	case len(r.RID) != n || len(r.Wanted) != n || len(r.Top) != n:
		return nil, refuse("lists of %d, %d and %d entries for %d prompts", len(r.RID), len(r.Wanted), len(r.Top), n)
	case !r.LogProb || r.Sampling.Max != 1:
		return nil, refuse("return_logprob is off, or max_new_tokens is not 1")
	}
	var out []any
	for i, p := range r.IDs {
		row := s.row(p, n)
		meta := object{"id": r.RID[i], "prompt_tokens": len(p),
			"output_token_ids_logprobs": []any{entries(pick(row, r.Wanted[i], missing && n == 1))}}
		if r.Top[i] > 0 {
			meta["output_top_logprobs"] = []any{entries(s.top(row, r.Top[i]))}
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
