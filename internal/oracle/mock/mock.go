// Package mock is a server for tests that speaks the dialects of llama-server, vLLM and SGLang over one toy model, with the
// faults of real servers: too busy, slow, cut off, answers in another order, tokens missing, few tokens per request. It
// refuses what the engines refuse, so that a client that works here asks what they understand.
package mock

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"syncabel/internal/oracle"
)

// A Model gives the log-probabilities of every token after a prefix, the same whenever it is asked.
type Model interface {
	Row(prefix []int32) []float64
}

// Faults happen to every Nth request, counted over all; 0: never. Cut closes the connection in the middle of the reply.
type Faults struct {
	Busy    int           // 429, with Retry-After: 0
	Broken  int           // 500
	Cut     int           // half a reply
	Missing int           // one wanted token, or one prompt, is missing
	Reorder bool          // answers in reverse order, where the protocol allows
	Slow    time.Duration // before each reply
	Down    bool          // every connection is closed at once
}

// Options of a Server.
type Options struct {
	Engine   string // llamacpp, vllm, sglang: what it says it is, and the routes it has
	Model    Model
	Vocab    int
	Context  int                       // default 512
	MaxIDs   int                       // of vLLM's logprob_token_ids; default 128
	MaxTop   int                       // of vLLM's logprobs; default 20
	EOS      int32                     // after which it writes no more unless asked to; 0: none
	Partial  int                       // every so many tokens end within a character; 0: none
	Noise    float64                   // added to log-probabilities, with a sign that depends on the size of the batch
	Key      string                    // bearer token it wants
	Tokenize func(text string) []int32 // nil: it has no such route
	Faults   Faults
}

// A Server answers as an engine would. It is safe for concurrent use.
type Server struct {
	opt      Options
	requests atomic.Int64
	prefixes atomic.Int64
}

// New returns a server; httptest.NewServer runs it.
func New(opt Options) *Server {
	if opt.Context == 0 {
		opt.Context = 512
	}
	if opt.MaxIDs == 0 {
		opt.MaxIDs = 128
	}
	if opt.MaxTop == 0 {
		opt.MaxTop = 20
	}
	return &Server{opt: opt}
}

// Requests returns how many requests came, faults included.
func (s *Server) Requests() int { return int(s.requests.Load()) }

// Prefixes returns how many prefixes were answered.
func (s *Server) Prefixes() int { return int(s.prefixes.Load()) }

// refusal is a status with a message.
type refusal struct {
	code int
	msg  string
}

func refuse(format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// maxBody bounds a request.
const maxBody = 64 << 20

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.requests.Add(1))
	f := &s.opt.Faults
	if f.Down {
		panic(http.ErrAbortHandler)
	}
	time.Sleep(f.Slow)
	switch {
	case s.opt.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.opt.Key:
		http.Error(w, `{"error":"invalid api key"}`, http.StatusUnauthorized)
		return
	case every(n, f.Busy):
		w.Header().Set("Retry-After", "0")
		http.Error(w, `{"error":"too many requests"}`, http.StatusTooManyRequests)
		return
	case every(n, f.Broken):
		http.Error(w, `{"error":"internal"}`, http.StatusInternalServerError)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, no := s.answer(r.URL.Path, body, every(n, f.Missing))
	if no != nil {
		w.WriteHeader(no.code)
		json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": no.msg, "code": no.code}})
		return
	}
	reply(w, v, every(n, f.Cut))
}

func every(n, k int) bool { return k > 0 && n%k == 0 }

func reply(w http.ResponseWriter, v any, cut bool) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(b)))
	if cut {
		w.Write(b[:len(b)/2])
		panic(http.ErrAbortHandler)
	}
	w.Write(b)
}

// answer finds the route.
func (s *Server) answer(path string, body []byte, missing bool) (any, *refusal) {
	switch {
	case path == "/v1/models":
		return s.models(), nil
	case path == "/tokenize" && s.opt.Tokenize != nil:
		return s.tokenize(body)
	case path == "/completion" && s.opt.Engine == "llamacpp":
		return s.llamacpp(body, missing)
	case path == "/v1/completions" && s.opt.Engine == "vllm":
		return s.vllm(body, missing)
	case path == "/generate" && s.opt.Engine == "sglang":
		return s.sglang(body, missing)
	}
	return nil, &refusal{http.StatusNotFound, "no such route"}
}

// modelName is what the server calls its model.
const modelName = "toy"

func (s *Server) models() any {
	m := map[string]any{"id": modelName, "object": "model", "owned_by": s.opt.Engine}
	if s.opt.Engine == "llamacpp" {
		m["meta"] = map[string]any{"n_ctx": s.opt.Context, "n_vocab": s.opt.Vocab}
	} else {
		m["max_model_len"] = s.opt.Context
	}
	return map[string]any{"object": "list", "data": []any{m}}
}

func (s *Server) tokenize(body []byte) (any, *refusal) {
	var r struct {
		Content string `json:"content"`
		Prompt  string `json:"prompt"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, refuse("%v", err)
	}
	tokens := s.opt.Tokenize(r.Content + r.Prompt)
	return map[string]any{"tokens": tokens, "count": len(tokens)}, nil
}

// row is the model's answer, moved by the noise of a batch of n.
func (s *Server) row(prefix []int32, n int) []float64 {
	s.prefixes.Add(1)
	row := s.opt.Model.Row(prefix)
	if s.opt.Noise == 0 {
		return row
	}
	out := make([]float64, len(row))
	for i, lp := range row {
		out[i] = lp + s.opt.Noise*float64((i+n)%3-1)
	}
	return out
}

// check refuses prompts that an engine would.
func (s *Server) check(prompts [][]int32) *refusal {
	if len(prompts) == 0 {
		return refuse("prompt is empty")
	}
	for _, p := range prompts {
		if len(p) == 0 || len(p) >= s.opt.Context {
			return refuse("the request has %d tokens, the context %d", len(p), s.opt.Context)
		}
		for _, t := range p {
			if t < 0 || int(t) >= s.opt.Vocab {
				return refuse("token %d is out of vocabulary", t)
			}
		}
	}
	return nil
}

func (s *Server) top(row []float64, k int) []oracle.Token {
	list := make([]oracle.Token, len(row))
	for i, lp := range row {
		list[i] = oracle.Token{ID: int32(i), LogProb: lp}
	}
	sortTokens(list)
	return list[:min(k, len(list))]
}
