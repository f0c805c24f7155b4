package vllm

import (
	"encoding/json"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/mock"
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
			if err := mock.CheckWritten(ahead[0], 2); err != nil {
				t.Error(err)
			}
		}
		if read(&v, queries, job{parts: []part{{query: 0, lo: 0, hi: 2}}}, out) != nil {
			return
		}
		if err := mock.CheckWanted(out[0]); err != nil {
			t.Error(err)
		}
	})
}
