package sglang

import (
	"encoding/json"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/mock"
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
			if err := mock.CheckWritten(ahead[0], 2); err != nil {
				t.Error(err)
			}
		}
		if o.read(&v, []string{"a"}, queries, []int{0}, out) != nil {
			return
		}
		if err := mock.CheckWanted(out[0]); err != nil {
			t.Error(err)
		}
	})
}
