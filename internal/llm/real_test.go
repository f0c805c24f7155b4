package llm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestRealServer holds the client against a server that is one: llama-server, vLLM, SGLang or any other with OpenAI's protocol.
//
//	SYNCABEL_LLM_ENDPOINT=http://127.0.0.1:8080/v1 SYNCABEL_LLM_MODEL=name go test ./internal/llm -run RealServer -v
//
// SYNCABEL_LLM_KEY may hold a key. A model with random weights will do: nothing is asked of what it says, but that a schema is kept.
func TestRealServer(t *testing.T) {
	url := os.Getenv("SYNCABEL_LLM_ENDPOINT")
	if url == "" {
		t.Skip("SYNCABEL_LLM_ENDPOINT names no server")
	}
	cfg := Endpoint{URL: url, InFlight: 4}
	if os.Getenv("SYNCABEL_LLM_KEY") != "" {
		cfg.KeyEnv = "SYNCABEL_LLM_KEY"
	}
	model := os.Getenv("SYNCABEL_LLM_MODEL")
	if model == "" {
		model = "default"
	}
	ask := func(i int, schema string) *Request {
		r := &Request{Model: model, Messages: []Message{{"system", "You judge."}, {"user", fmt.Sprintf("Is gout number %d a disease?", i)}},
			IfSchema: "Answer in JSON.", IfLines: "Answer YES or NO.", MaxTokens: 48, Seed: int64(i + 1)}
		if schema != "" {
			r.Schema = json.RawMessage(schema)
		}
		return r
	}
	const verdict = `{"type":"object","properties":{"verdict":{"type":"string","enum":["EXACT","BROAD","NARROW","NO_RELATION"]}},"required":["verdict"],"additionalProperties":false}`
	for _, stream := range []bool{false, true} {
		cfg.Stream = stream
		c := client(t, Options{}, cfg)
		plain, err := c.Do(t.Context(), ask(0, ""))
		if err != nil {
			t.Fatal(err)
		}
		if plain.Text == "" || plain.Usage.In == 0 || plain.Usage.Out == 0 || plain.Finish == "" {
			t.Errorf("stream %v: %+v", stream, plain)
		}
		t.Logf("stream %v: model %q, %+v, finish %s", stream, plain.Model, plain.Usage, plain.Finish)
		for i := range 5 {
			r, err := c.Do(t.Context(), ask(i, verdict))
			if err != nil {
				t.Fatal(err)
			}
			var v struct{ Verdict string }
			if err := json.Unmarshal([]byte(r.Text), &v); err != nil || v.Verdict == "" {
				t.Errorf("stream %v: the schema was not kept: %q", stream, r.Text)
			}
		}
	}
	j := journal(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	st, err := (&Run{Client: client(t, Options{}, cfg), Journal: j}).Do(t.Context(), func(yield func(*Request, error) bool) {
		for i := range 40 {
			if !yield(ask(i, verdict), nil) {
				return
			}
		}
	})
	if err != nil || st.Done != 40 {
		t.Errorf("%+v %v", st, err)
	}
}
