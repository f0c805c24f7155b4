package sglang

import (
	"encoding/json"
	"math"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/remote"
)

// FuzzReply: whatever a server sends, a reply is refused or answers every wanted token, and every position of a rollout, with numbers.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`[{"meta_info":{"id":"a","output_token_ids_logprobs":[[[-1,1,null],[-2,2,null]]]}}]`))
	f.Add([]byte(`[{"meta_info":{"id":"a","output_token_logprobs":[[-1,1,null]],"output_top_logprobs":[[[-1,1,null],[-2,2,null]]]}}]`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v reply
		if json.Unmarshal(b, &v) != nil {
			return
		}
		queries := []oracle.Query{{Prefix: []int32{1}, Want: []int32{1, 2}}}
		out := []oracle.Answer{{Want: make([]float64, 2)}}
		o := New(&remote.Pool{Options: remote.Options{Vocab: 9}})
		roll, ahead := []oracle.Query{{Prefix: []int32{1}, TopK: 1, Roll: 2}}, make([]oracle.Answer, 1)
		if o.read(&v, []string{"a"}, roll, []int{0}, ahead) == nil {
			rolled(t, ahead[0])
		}
		if o.read(&v, []string{"a"}, queries, []int{0}, out) != nil {
			return
		}
		for _, lp := range out[0].Want {
			if math.IsNaN(lp) || lp > 0.01 {
				t.Errorf("%g", lp)
			}
		}
	})
}

// rolled checks what was read as a rollout of at most two tokens.
func rolled(t *testing.T, a oracle.Answer) {
	t.Helper()
	if len(a.Roll) < 1 || len(a.Roll) > 2 {
		t.Fatalf("%d tokens written", len(a.Roll))
	}
	for _, w := range a.Roll {
		if len(w.Top) < 1 || math.IsNaN(w.Top[0].LogProb) {
			t.Errorf("%+v", w)
		}
	}
}
