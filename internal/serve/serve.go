// Package serve is the linker as a service: a JSON API whose OpenAPI document is made from the code, endpoints that other tools
// speak (MedCATservice, INCEpTION, Label Studio), the review of sentences and links, and the page that people use. It stands at
// the end of the chain: it owns no algorithm, and everything it needs comes in by Options.
//
// What it promises: no text and no key in logs or metrics; nothing is called outside; every size, time and number of waiting
// requests is bounded, and above capacity the answer is 429 or 503 at once; a review decision that was acknowledged is on disk.
package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"syncabel/internal/corpus"
	"syncabel/internal/omop"
	"syncabel/internal/prediction"
	"syncabel/internal/review"
	"syncabel/internal/terminology"
)

// A Linker links the mentions of documents. It is used by one goroutine at a time.
type Linker interface {
	Link(ctx context.Context, docs []corpus.Document) ([]prediction.Prediction, error)
}

// A Detector finds the mentions of a document's text, with spans in bytes and a semantic group as type. It is safe for concurrent use.
type Detector interface {
	Detect(d *corpus.Document) []corpus.Mention
}

// Options of New. KB, Linkers and Store are needed; zero values of the rest are the defaults.
type Options struct {
	KB       *terminology.KB
	Linkers  []Linker // one a worker; requests that wait together are linked together
	Detector Detector // nil: plain text without marks is refused
	Store    *review.Store
	Runs     []Run  // the first is the one that links
	Program  string // name and version
	Model    string // name of the system, in answers
	Language string // of texts that do not say; default en

	GroupOf       func(typ string) string // maps a type to a semantic group of the knowledge base, "" when none fits; default: equal names
	System        string                  // URI of the code system for FHIR; codes with a known prefix have their own
	SystemVersion string
	Map           omop.Map // codes to OMOP concepts
	Uncertain     float64  // a link whose best candidate has less probability is called uncertain; default 0.5

	Keys  []Key    // empty: everyone who reaches the server may do everything
	Hosts []string // names the server answers to beside addresses of this machine; empty: loopback names only, "*": any

	MaxBody     int64         // bytes of a request; default 2 MiB
	MaxMentions int           // of one document; default 1,000
	MaxWaiting  int           // mentions that wait to be linked, above which the answer is 429; default 512
	MaxRequests int           // requests in progress, above which the answer is 503; default 512
	Timeout     time.Duration // for one answer, streams excepted; default 30 s

	Log *slog.Logger // one line a request; nil: none
}

func (o *Options) defaults() error {
	if o.KB == nil || len(o.Linkers) == 0 || o.Store == nil {
		return errors.New("serving needs a knowledge base, a linker and a review store")
	}
	o.Program, o.Language = cmp.Or(o.Program, "syncabel"), cmp.Or(o.Language, "en")
	o.Uncertain = cmp.Or(o.Uncertain, 0.5)
	o.MaxBody, o.MaxMentions = cmp.Or(o.MaxBody, 2<<20), cmp.Or(o.MaxMentions, 1000)
	o.MaxWaiting, o.MaxRequests = cmp.Or(o.MaxWaiting, 512), cmp.Or(o.MaxRequests, 512)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.GroupOf == nil {
		groups := map[string]bool{}
		for _, g := range o.KB.Groups() {
			groups[g] = true
		}
		o.GroupOf = func(typ string) string {
			if !groups[typ] {
				return ""
			}
			return typ
		}
	}
	return nil
}

// A Server answers requests. Close it after use.
type Server struct {
	opt     Options
	pool    *pool
	metrics *metrics
	api     huma.API
	mux     *http.ServeMux
	handler http.Handler
	started time.Time
}

// New makes a server; Handler or Serve put it to use.
func New(opt Options) (*Server, error) {
	if err := opt.defaults(); err != nil {
		return nil, err
	}
	s := &Server{opt: opt, mux: http.NewServeMux(), started: time.Now()}
	s.pool = newPool(opt.Linkers, opt.MaxWaiting)
	s.metrics = newMetrics(s.pool)
	s.api = humago.New(s.mux, apiConfig(&opt))
	s.routes()
	s.handler = s.guarded()
	return s, nil
}

// Close stops the workers; links in progress are finished first.
func (s *Server) Close() { s.pool.close() }

// Handler returns everything the server answers to.
func (s *Server) Handler() http.Handler { return s.handler }

// routes are all of the server's: what a reader of this function sees is what there is.
func (s *Server) routes() {
	s.linkRoutes()
	s.batchRoute()
	s.conceptRoutes()
	s.exportRoute()
	s.reviewRoutes()
	s.runRoutes()
	s.medcatRoutes()
	s.inceptionRoutes()
	s.labelStudioRoutes()
	s.healthRoutes()
	s.pageRoutes()
}

// Times that keep slow and idle clients from holding anything but their connection.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 16 << 10
)

// Serve answers on a listener until ctx ends, then lets requests in progress finish for at most grace. config is nil without TLS.
func (s *Server) Serve(ctx context.Context, l net.Listener, config *tls.Config, grace time.Duration) error {
	srv := &http.Server{Handler: s.handler, TLSConfig: config, ReadHeaderTimeout: headerTimeout, ReadTimeout: s.opt.Timeout, WriteTimeout: 2 * s.opt.Timeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.opt.Log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() {
		if config != nil {
			ended <- srv.ServeTLS(l, "", "")
			return
		}
		ended <- srv.Serve(l)
	}()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	s.pool.drain() // readyz says so, and new work is refused
	stop, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		srv.Close()
		return fmt.Errorf("stopping: %w: requests still in progress after %s were cut off", err, grace)
	}
	return nil
}
