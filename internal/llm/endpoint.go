package llm

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Protocols of endpoints.
const (
	OpenAI    = "openai"    // POST URL/chat/completions; URL usually ends in /v1
	Anthropic = "anthropic" // POST URL/v1/messages
	Gemini    = "gemini"    // POST URL/v1beta/models/MODEL:generateContent
)

// Whether an endpoint enforces JSON schemas.
const (
	StructuredAuto = "auto" // ask for it; go on without once the server refuses
	StructuredOn   = "on"
	StructuredOff  = "off"
)

// An Endpoint is one server with its limits. It is a section of a config and of an endpoints file; it holds no key, only
// where the key is.
type Endpoint struct {
	Name       string  `toml:"name" json:"name"`             // in journals and messages; default: host and port of the URL
	URL        string  `toml:"url" json:"url"`               // e.g. http://127.0.0.1:8000/v1
	API        string  `toml:"api" json:"api"`               // openai, anthropic, gemini; default openai
	Model      string  `toml:"model" json:"model"`           // what this server calls the model; default: the request's name
	KeyEnv     string  `toml:"key_env" json:"key_env"`       // environment variable that holds the API key
	KeyFile    string  `toml:"key_file" json:"key_file"`     // or the file that does
	InFlight   int     `toml:"in_flight" json:"in_flight"`   // requests at a time; default 64: an engine batches what it gets
	PerSecond  float64 `toml:"per_second" json:"per_second"` // requests begun a second; 0: no limit
	Structured string  `toml:"structured" json:"structured"` // auto, on, off; default auto
	Stream     bool    `toml:"stream" json:"stream"`         // read answers as they are written: Timeout then bounds silence, not the whole
	Timeout    int     `toml:"timeout" json:"timeout"`       // seconds of one request; default 300: hundreds in flight are slow each
	PriceIn    float64 `toml:"price_in" json:"price_in"`     // of a million tokens read, in any one currency
	PriceOut   float64 `toml:"price_out" json:"price_out"`   // of a million tokens written
}

const (
	defaultInFlight = 64
	defaultTimeout  = 300
)

// defaults fills in what is not set and refuses what cannot be.
func (e *Endpoint) defaults() error {
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("endpoint %q: its url is no http or https address, e.g. http://127.0.0.1:8000/v1", e.Name)
	case u.User != nil:
		return fmt.Errorf("endpoint %q: its url holds a user name or a password: name a key file or a variable instead (key_file, key_env)", u.Host)
	}
	e.URL = strings.TrimRight(e.URL, "/")
	e.Name = cmp.Or(e.Name, u.Host)
	e.API, e.Structured = cmp.Or(e.API, OpenAI), cmp.Or(e.Structured, StructuredAuto)
	e.InFlight, e.Timeout = cmp.Or(e.InFlight, defaultInFlight), cmp.Or(e.Timeout, defaultTimeout)
	if !slices.Contains([]string{OpenAI, Anthropic, Gemini}, e.API) {
		return fmt.Errorf("endpoint %q: unknown api %q: have %s, %s, %s", e.Name, e.API, OpenAI, Anthropic, Gemini)
	}
	if !slices.Contains([]string{StructuredAuto, StructuredOn, StructuredOff}, e.Structured) {
		return fmt.Errorf("endpoint %q: unknown structured %q: have %s, %s, %s", e.Name, e.Structured, StructuredAuto, StructuredOn, StructuredOff)
	}
	if e.InFlight < 1 || e.Timeout < 1 || e.PerSecond < 0 {
		return fmt.Errorf("endpoint %q: in_flight, timeout and per_second must be positive", e.Name)
	}
	return nil
}

// Price returns the endpoint's price.
func (e *Endpoint) Price() Price { return Price{e.PriceIn, e.PriceOut} }

// endpoint is an Endpoint at work. The fields after limiter belong to the pool's lock.
type endpoint struct {
	Endpoint
	key     Secret
	limiter *rate.Limiter // nil: no limit

	noSchema  atomic.Bool // it refused a schema
	newTokens atomic.Bool // it wants max_completion_tokens for max_tokens

	inFlight int
	until    time.Time     // nothing is sent before: rate limit or open circuit
	failures int           // in a row, of those that speak against the endpoint
	open     time.Duration // how long the circuit stays open; 0: closed
	probing  bool          // the one request that tries an open circuit is out
	denied   *Error        // it refuses us: never asked again
}

func newEndpoint(cfg Endpoint) (*endpoint, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	key, err := ReadSecret(cfg.KeyEnv, cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("endpoint %q: %w", cfg.Name, err)
	}
	e := &endpoint{Endpoint: cfg, key: key}
	e.newTokens.Store(wantsNewTokens(cfg.URL))
	if cfg.PerSecond > 0 {
		e.limiter = rate.NewLimiter(rate.Limit(cfg.PerSecond), max(1, int(cfg.PerSecond)))
	}
	return e, nil
}

// wantsNewTokens reports whether a server is known to want max_completion_tokens; of others it is learnt from their refusal, for which a
// batch is too late.
func wantsNewTokens(url string) bool {
	return strings.Contains(url, "//api.openai.com") || strings.Contains(url, ".azure.com")
}

// schema reports whether schemas are sent to e.
func (e *endpoint) schema(r *Request) bool {
	return r.Schema != nil && e.Structured != StructuredOff && !e.noSchema.Load()
}
