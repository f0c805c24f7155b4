package vllm

import (
	"encoding/json"
	"math"
	"testing"

	"syncabel/internal/oracle"
)

// FuzzReply: whatever a server sends, a reply is refused or answers every wanted token with a number.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"logprobs":{"top_logprobs":[{"token_id:1":-1,"token_id:2":-2}]}}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v reply
		if json.Unmarshal(b, &v) != nil {
			return
		}
		queries := []oracle.Query{{Prefix: []int32{1}, Want: []int32{1, 2}}}
		out := []oracle.Answer{{Want: make([]float64, 2)}}
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
