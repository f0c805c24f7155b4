// Package remote is what the oracles of servers have in common: which replica a question goes to, how many may be under way,
// what is tried again, how much of a reply is read, and the probe that a server must pass before its answers count. It
// stands between oracle and the dialects sglang, vllm and llamacpp, and knows no engine.
package remote

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"syncabel/internal/llm"
	"syncabel/internal/oracle"
)

// Options of a server. Keys are named, never given: KeyEnv is an environment variable, KeyFile a file.
type Options struct {
	URLs     []string      // replicas of one engine with one model, e.g. http://127.0.0.1:30000
	Model    string        // what the server calls the model; default: the first it lists
	KeyEnv   string        // environment variable that holds the API key
	KeyFile  string        // or the file that does
	Vocab    int           // tokens of the model; every answer stays below
	Context  int           // tokens that a prefix may have; default: what the server says
	InFlight int           // requests at a time and replica; default 32, halved whenever a server says 429 or 503
	Batch    int           // prefixes of one request where the engine takes several; default 32
	Timeout  time.Duration // of one request; default 2 minutes: the first one may wait for a model to load its kernels
	Tries    int           // of one request, over all replicas; default 8, about a minute with the waits between
	Wait     time.Duration // before the second try, doubled for each further; default 200 ms
	MaxReply int64         // bytes of a reply; default 256 MB: 32 prefixes with a whole vocabulary each
}

// ErrUnavailable: every replica failed to answer until the tries were used up. Asking again later is safe and right.
var ErrUnavailable = errors.New("the oracle's servers do not answer")

// ErrRefused: a server understood and refused; the same question will be refused again.
var ErrRefused = errors.New("the oracle's server refused")

// ErrProtocol: a reply lacks what was asked for; repeated, it means an engine that cannot be used.
var ErrProtocol = errors.New("the reply is not what was asked for")

// defaults fills in what is not set and refuses what cannot be.
func (o *Options) defaults() error {
	if len(o.URLs) == 0 {
		return errors.New("an oracle needs the address of a server, e.g. http://127.0.0.1:30000")
	}
	for i, s := range o.URLs {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%q is no http or https address of an oracle, e.g. http://127.0.0.1:30000", s)
		}
		if u.User != nil || u.RawQuery != "" {
			return fmt.Errorf("the address of the oracle at %s holds a password or a query: name a variable or a file with the key instead", u.Host)
		}
		o.URLs[i] = strings.TrimSuffix(strings.TrimRight(s, "/"), "/v1")
	}
	o.InFlight, o.Batch, o.Tries = cmp.Or(o.InFlight, 32), cmp.Or(o.Batch, 32), cmp.Or(o.Tries, 8)
	o.Timeout, o.Wait = cmp.Or(o.Timeout, 2*time.Minute), cmp.Or(o.Wait, 200*time.Millisecond)
	o.MaxReply = cmp.Or(o.MaxReply, 256<<20)
	if o.InFlight < 1 || o.Batch < 1 || o.Tries < 1 {
		return errors.New("an oracle's requests in flight, batch and tries must be positive")
	}
	return nil
}

// New returns the pool of a server's replicas. It sends nothing.
func New(opt Options) (*Pool, error) {
	opt.URLs = append([]string(nil), opt.URLs...)
	if err := opt.defaults(); err != nil {
		return nil, err
	}
	key, err := llm.ReadSecret(opt.KeyEnv, opt.KeyFile)
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxIdleConns = opt.InFlight, 0
	p := &Pool{Options: opt, key: key, changed: make(chan struct{}),
		client: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for _, u := range opt.URLs {
		p.replicas = append(p.replicas, &replica{url: u, limit: float64(opt.InFlight)})
	}
	return p, nil
}

// A Base is what the oracles of all engines have: the servers and what they can do.
type Base struct {
	pool *Pool
	caps oracle.Caps
}

// NewBase describes an engine by its name; apart is the capability of that name.
func NewBase(p *Pool, name string, apart bool) Base {
	return Base{p, oracle.Caps{Name: name, Vocab: p.Vocab, Context: p.Context, Ahead: min(RollTop, p.Vocab), Apart: apart}}
}

// Caps describes the engine.
func (b *Base) Caps() oracle.Caps { return b.caps }

// Pool returns the servers.
func (b *Base) Pool() *Pool { return b.pool }

// Close drops idle connections.
func (p *Pool) Close() { p.client.CloseIdleConnections() }
