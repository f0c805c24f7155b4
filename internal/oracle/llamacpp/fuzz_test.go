package llamacpp

import (
	"encoding/json"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/remote"
)

// FuzzReply: whatever a server sends, a reply is refused or answers every wanted token, and every position of a rollout, with numbers.
func FuzzReply(f *testing.F) {
	f.Add([]byte(`[{"index":0,"tokens":[1],"completion_probabilities":[{"id":1,"top_logprobs":[{"id":1,"logprob":-1},{"id":2,"logprob":-2}]}]}]`))
	f.Add([]byte(`[{"index":0,"tokens":[1,2],"completion_probabilities":[{"id":1,"top_logprobs":[{"id":1,"logprob":-1}]},{"id":2,"top_logprobs":[{"id":2,"logprob":-2}]}]}]`))
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
		if j := (&job{shape: shape{k: 1, roll: 2}, index: []int{0}}); o.read(&v, roll, j, ahead) == nil && len(j.again) == 0 {
			if err := mock.CheckWritten(ahead[0], 2); err != nil {
				t.Error(err)
			}
		}
		if o.read(&v, queries, &job{shape: shape{k: 2, roll: 1}, index: []int{0}}, out) != nil {
			return
		}
		if err := mock.CheckWanted(out[0]); err != nil {
			t.Error(err)
		}
	})
}
