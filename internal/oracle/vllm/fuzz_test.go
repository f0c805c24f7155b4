package vllm

import (
	"encoding/json"
	"math"
	"testing"

	"syncabel/internal/oracle"
)

// FuzzReply: whatever a server sends, a reply is refused or answers every wanted token, and every position of a rollout, with numbers.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"logprobs":{"top_logprobs":[{"token_id:1":-1,"token_id:2":-2}]}}]}`))
	f.Add([]byte(`{"choices":[{"index":0,"logprobs":{"tokens":["token_id:1"],"top_logprobs":[{"token_id:1":-1,"token_id:2":-2}]}}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v reply
		if json.Unmarshal(b, &v) != nil {
			return
		}
		queries := []oracle.Query{{Prefix: []int32{1}, Want: []int32{1, 2}}}
		out := []oracle.Answer{{Want: make([]float64, 2)}}
		roll, ahead := []oracle.Query{{Prefix: []int32{1}, TopK: 1, Roll: 2}}, make([]oracle.Answer, 1)
		if read(&v, roll, job{parts: []part{{query: 0, top: 1, roll: 2}}}, ahead) == nil {
			rolled(t, ahead[0])
		}
		if read(&v, queries, job{parts: []part{{query: 0, lo: 0, hi: 2}}}, out) != nil {
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
