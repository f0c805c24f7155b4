package llamacpp

import (
	"encoding/json"
	"math"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/remote"
)

// FuzzReply: whatever a server sends, a reply is refused or answers every wanted token with a number.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`[{"index":0,"completion_probabilities":[{"top_logprobs":[{"id":1,"logprob":-1},{"id":2,"logprob":-2}]}]}]`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v reply
		if json.Unmarshal(b, &v) != nil {
			return
		}
		queries := []oracle.Query{{Prefix: []int32{1}, Want: []int32{1, 2}}}
		out := []oracle.Answer{{Want: make([]float64, 2)}}
		if New(&remote.Pool{Options: remote.Options{Vocab: 9}}).read(&v, queries, &job{k: 2, index: []int{0}}, out) != nil {
			return
		}
		for _, lp := range out[0].Want {
			if math.IsNaN(lp) || lp > 0.01 {
				t.Errorf("%g", lp)
			}
		}
	})
}
