// Package fake is a server that speaks the protocols of language models without being one: OpenAI's chat completions
// (whole and streamed, with and without a schema), files and batches; Anthropic's messages and batches; Gemini's
// generateContent, uploads and batches. Its answers depend on nothing but the request, so that two runs can be compared, and
// it makes the faults that servers make, as often as it is told. It exists for tests and measurements: everything above llm is
// tried against it.
package fake

import (
	"encoding/json"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Faults. The first five spoil the transport and come by chance at every attempt; the rest spoil the answer and belong to the
// request with its seed, so that asking with another seed may help.
const (
	TooMany   = "429" // with Retry-After
	Internal  = "500"
	Slow      = "slow"      // answers after Options.SlowFor
	Cut       = "cut"       // the connection ends within the reply
	Truncated = "truncated" // the reply is whole by HTTP, its JSON is not
	Language  = "language"  // the sentences are in another language
	Duplicate = "duplicate" // the first sentence, repeated
	Bracket   = "bracket"   // closing brackets are missing
	Length    = "length"    // the answer stops at the token limit
)

var (
	transport = []string{TooMany, Internal, Slow, Cut, Truncated}
	content   = []string{Language, Duplicate, Bracket, Length}
)

// Options of a server. Zero values are the defaults.
type Options struct {
	Seed       uint64
	Key        string             // API key that clients must give; empty: none
	Faults     map[string]float64 // probability by fault
	SlowFor    time.Duration
	Latency    time.Duration    // of every answer
	RetryAfter string           // of 429; default "0.01"
	NoSchema   bool             // refuse response_format, as old servers do
	Polls      int              // how often a batch is in progress before it is done
	Answer     func(Ask) string // default Sentences
}

// An Ask is what a request asks, whatever its protocol.
type Ask struct {
	Model  string
	System string
	User   string          // the last message
	Schema json.RawMessage // of the answer; nil: lines
	Seed   int64
	Fault  string // of the content, that the answer shall have
}

// A Server is an http.Handler.
type Server struct {
	opt      Options
	mux      *http.ServeMux
	attempts atomic.Uint64
	answered atomic.Int64

	mu     sync.Mutex
	counts map[string]int64
	seen   map[uint64]int64 // answers given, by content of the request
	store  map[string][]byte
	jobs   map[string]*job
}

// New makes a server.
func New(opt Options) *Server {
	if opt.RetryAfter == "" {
		opt.RetryAfter = "0.01"
	}
	if opt.Answer == nil {
		opt.Answer = Sentences
	}
	s := &Server{opt: opt, mux: http.NewServeMux(), counts: map[string]int64{}, store: map[string][]byte{}, jobs: map[string]*job{}}
	s.routes()
	return s
}

func (s *Server) routes() {
	s.mux.HandleFunc("GET /v1/models", s.models)
	s.mux.HandleFunc("POST /v1/chat/completions", s.chat(openai))
	s.mux.HandleFunc("POST /v1/files", s.openaiUpload)
	s.mux.HandleFunc("GET /v1/files/{id}/content", s.openaiDownload)
	s.mux.HandleFunc("POST /v1/batches", s.openaiBatch)
	s.mux.HandleFunc("GET /v1/batches/{id}", s.openaiPoll)
	s.mux.HandleFunc("POST /v1/messages", s.chat(anthropic))
	s.mux.HandleFunc("POST /v1/messages/batches", s.anthropicBatch)
	s.mux.HandleFunc("GET /v1/messages/batches/{id}", s.anthropicPoll)
	s.mux.HandleFunc("GET /v1/messages/batches/{id}/results", s.anthropicResults)
	s.mux.HandleFunc("POST /v1beta/models/{call}", s.geminiCall)
	s.mux.HandleFunc("POST /upload/v1beta/files", s.geminiUpload)
	s.mux.HandleFunc("GET /v1beta/batches/{id}", s.geminiPoll)
	s.mux.HandleFunc("GET /download/v1beta/files/{file}", s.geminiDownload)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.authorized(r) {
		// Hosts repeat the key they refuse; a client must not pass that on.
		fail(w, http.StatusUnauthorized, "Incorrect API key provided: "+given(r))
		return
	}
	s.mux.ServeHTTP(w, r)
}

func given(r *http.Request) string {
	h := r.Header
	for _, k := range []string{"X-Api-Key", "X-Goog-Api-Key"} {
		if h.Get(k) != "" {
			return h.Get(k)
		}
	}
	const bearer = "Bearer "
	if a := h.Get("Authorization"); len(a) > len(bearer) {
		return a[len(bearer):]
	}
	return ""
}

func (s *Server) authorized(r *http.Request) bool { return s.opt.Key == "" || given(r) == s.opt.Key }

// Counts returns how often each fault was made, and "answered".
func (s *Server) Counts() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := maps.Clone(s.counts)
	out["answered"] = s.answered.Load()
	return out
}

// Watch makes the server remember how often it answered each request; Answers returns that.
func (s *Server) Watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = map[uint64]int64{}
}

// Times returns how often one request was answered, since Watch.
func (s *Server) Times(system, user string, seed int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[hash(0, system, user, strconv.FormatInt(seed, 10))]
}

// Answers returns how many requests were answered how often, since Watch.
func (s *Server) Answers() map[int64]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[int64]int{}
	for _, n := range s.seen {
		out[n]++
	}
	return out
}

func (s *Server) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// hash mixes a seed and text into a number.
func hash(seed uint64, parts ...string) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for i := range b {
		b[i] = byte(seed >> (8 * i))
	}
	h.Write(b[:])
	for _, p := range parts {
		io.WriteString(h, p)
		h.Write([]byte{0})
	}
	x := h.Sum64() // fnv leaves neighbours alike: finish as murmur3 does
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// pick chooses a fault of a list by the number h.
func (s *Server) pick(list []string, h uint64) string {
	x := float64(h>>11) / (1 << 53)
	for _, f := range list {
		if x -= s.opt.Faults[f]; x < 0 {
			return f
		}
	}
	return ""
}

// answer writes what the model would.
func (s *Server) answer(a Ask) (text string, cut bool) {
	h := hash(s.opt.Seed, a.Model, a.System, a.User, string(a.Schema), strconv.FormatInt(a.Seed, 10), "content")
	a.Fault = s.pick(content, h)
	if a.Fault != "" {
		s.count(a.Fault)
	}
	text = s.opt.Answer(a)
	if a.Fault == Length {
		return text[:len(text)/2], true
	}
	return text, false
}

// done notes an answer that went out.
func (s *Server) done(a Ask) {
	s.answered.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen != nil {
		s.seen[hash(0, a.System, a.User, strconv.FormatInt(a.Seed, 10))]++
	}
}

// spoil makes a fault of the transport and reports whether the request is done with.
func (s *Server) spoil(w http.ResponseWriter) (done bool, fault string) {
	fault = s.pick(transport, hash(s.opt.Seed+s.attempts.Add(1), "transport"))
	if fault == "" {
		return false, ""
	}
	s.count(fault)
	switch fault {
	case TooMany:
		w.Header().Set("Retry-After", s.opt.RetryAfter)
		fail(w, http.StatusTooManyRequests, "Rate limit reached for requests")
		return true, fault
	case Internal:
		fail(w, http.StatusInternalServerError, "The server had an error while processing your request")
		return true, fault
	case Slow:
		time.Sleep(s.opt.SlowFor)
	}
	return false, fault
}

// fail answers with an error in the form all three protocols share.
func fail(w http.ResponseWriter, status int, msg string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": msg, "code": status}})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

// maxBody bounds what the server reads.
const maxBody = 256 << 20

func body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "body too large")
	}
	return b, err == nil
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"object": "list", "data": []any{map[string]any{"id": "fake", "object": "model", "owned_by": "syncabel"}}})
}
