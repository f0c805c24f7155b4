// Package llm talks to language models that others run: chat requests to OpenAI-compatible servers (vLLM, SGLang,
// llama-server, Ollama, hosted ones) and to Anthropic's and Gemini's APIs, live or by batch files, with an append-only journal
// so that nothing is paid twice. It knows nothing of concepts or verdicts; synth and judge bring their own prompts and read
// their own answers. It stands at the bottom of the chain.
//
// How a caller uses it:
//
//  1. Build Requests. A request's Key is the hash of its content: equal requests are one request.
//  2. Open a Journal. It is locked against a second process, and a line that a killed run left half-written is cut off.
//  3. Make a Client for one or several Endpoints. Do sends one request with retries, back-off, limits and a circuit breaker.
//  4. Run sends a sequence of requests, hundreds at a time, passing over those the journal has, and appends every answer as it
//     comes. A request that stays without a usable answer is recorded as missing with its reason; it never becomes an answer.
//  5. Read answers back by key with Index, from any number of journals and batch result files in any order.
//
// Nothing here logs; keys of APIs are Secrets, which print as "[secret]" everywhere, and are removed from the words of servers.
package llm

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
)

// A Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"` // "system", "user" or "assistant"
	Content string `json:"content"`
}

// A Request is one question to a model. Everything in it is part of its key, so nothing may be changed on the way.
type Request struct {
	Model    string    `json:"model"` // as plans and journals know it; an endpoint may call it by another name
	Messages []Message `json:"messages"`

	// Schema is the JSON schema of the answer. It is sent where the endpoint enforces schemas, and IfSchema is then added to
	// the last message; elsewhere IfLines is.
	Schema   json.RawMessage `json:"schema,omitempty"`
	IfSchema string          `json:"if_schema,omitempty"`
	IfLines  string          `json:"if_lines,omitempty"`

	MaxTokens   int      `json:"max_tokens,omitempty"`  // of the answer; 0 leaves it to the server
	Temperature *float64 `json:"temperature,omitempty"` // nil leaves it to the server
	TopP        *float64 `json:"top_p,omitempty"`
	Seed        int64    `json:"seed,omitempty"` // 0: none; not every server heeds it
}

// A Key identifies a request: the first 128 bits of the SHA-256 of its canonical JSON.
type Key [16]byte

var keyText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Key returns the hash of the request's content.
func (r *Request) Key() Key {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("a request's schema is no JSON: %v", err)) // schemas are constants of the program
	}
	sum := sha256.Sum256(b)
	return Key(sum[:16])
}

// String returns the key as 26 letters and digits, fit for the custom_id of every batch API.
func (k Key) String() string { return keyText.EncodeToString(k[:]) }

// ParseKey reads what String wrote.
func ParseKey(s string) (Key, error) {
	b, err := keyText.DecodeString(s)
	if err != nil || len(b) != len(Key{}) {
		return Key{}, fmt.Errorf("%q is no key of a request", s)
	}
	return Key(b), nil
}

// MarshalText writes the key as String does.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(b []byte) error {
	var err error
	*k, err = ParseKey(string(b))
	return err
}

// messages returns the messages as they are sent to an endpoint that enforces schemas or not.
func (r *Request) messages(schema bool) []Message {
	hint := r.IfLines
	if schema {
		hint = r.IfSchema
	}
	if hint == "" || len(r.Messages) == 0 {
		return r.Messages
	}
	out := append([]Message(nil), r.Messages...)
	last := &out[len(out)-1]
	last.Content = strings.TrimRight(last.Content, "\n") + "\n\n" + hint
	return out
}

// A Response is a model's answer.
type Response struct {
	Text     string // what it wrote
	Finish   string // "stop", "length", "filter"
	Model    string // as the server names it
	Usage    Usage
	Endpoint string // name of the endpoint that answered
}

// What ended an answer.
const (
	FinishStop   = "stop"
	FinishLength = "length" // cut by the token limit
	FinishFilter = "filter" // refused by the provider
)

// Usage counts tokens. Servers that do not say leave zeros.
type Usage struct {
	In  int64 `json:"in"`
	Out int64 `json:"out"`
}

// Add adds v to u.
func (u *Usage) Add(v Usage) { u.In, u.Out = u.In+v.In, u.Out+v.Out }

// A Price is what a million tokens cost, in any one currency.
type Price struct{ In, Out float64 }

// Of returns what u costs.
func (p Price) Of(u Usage) float64 { return (float64(u.In)*p.In + float64(u.Out)*p.Out) / 1e6 }
