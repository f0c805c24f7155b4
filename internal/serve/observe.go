package serve

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics shows. Labels are routes and codes; nothing of a request's content becomes one.
type metrics struct {
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	active    prometheus.Gauge
	panics    prometheus.Counter
	decisions *prometheus.CounterVec
}

func newMetrics(p *pool) *metrics {
	m := &metrics{
		registry:  prometheus.NewRegistry(),
		requests:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "syncabel_requests_total", Help: "Answered requests."}, []string{"route", "code"}),
		seconds:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "syncabel_request_seconds", Help: "Time to answer.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .15, .25, .5, 1, 2.5, 10}}, []string{"route"}),
		active:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "syncabel_requests_active", Help: "Requests in progress."}),
		panics:    prometheus.NewCounter(prometheus.CounterOpts{Name: "syncabel_panics_total", Help: "Requests that ended in an internal error."}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "syncabel_review_decisions_total", Help: "Recorded review decisions."}, []string{"action"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.active, m.panics, m.decisions,
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "syncabel_mentions_linked_total", Help: "Linked mentions."}, func() float64 { return float64(p.linked.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "syncabel_batches_total", Help: "Calls of a linker."}, func() float64 { return float64(p.batches.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "syncabel_mentions_waiting", Help: "Mentions accepted and not yet linked."}, func() float64 { return float64(p.waiting.Load()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// seen is what the outermost handler learns from the inner ones.
type seen struct{ route, who string }

type seenContext struct{}

// observed counts, times and logs every request: method, route, code, size, time and the key's name. Neither path nor query is
// logged, since a search holds what someone typed.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, about := time.Now(), &seen{route: "none"}
		rec := &recorder{ResponseWriter: w}
		s.metrics.active.Inc()
		defer func() {
			s.metrics.active.Dec()
			took := time.Since(start)
			s.metrics.requests.WithLabelValues(about.route, strconv.Itoa(rec.code())).Inc()
			s.metrics.seconds.WithLabelValues(about.route).Observe(took.Seconds())
			s.opt.Log.Info("request", "route", about.route, "code", rec.code(), "bytes", rec.bytes, "ms", float64(took.Microseconds())/1000, "key", about.who)
		}()
		next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), seenContext{}, about)))
	})
}

// observedRoute notes which route the mux chose.
func (s *Server) observedRoute(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if about, ok := r.Context().Value(seenContext{}).(*seen); ok {
			if _, pattern := mux.Handler(r); pattern != "" {
				about.route = pattern
			}
			about.who = caller(r.Context()).Name
		}
		mux.ServeHTTP(w, r)
	})
}

// recorder remembers status and size.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// WriteHeader notes the first status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// healthRoutes are for machines that watch the server.
func (s *Server) healthRoutes() {
	s.mux.HandleFunc("GET /livez", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok\n")) })
	s.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		switch {
		case s.pool.ending.Load():
			refuse(w, http.StatusServiceUnavailable, "stopping")
		case s.opt.Store.Ping(ctx) != nil:
			refuse(w, http.StatusServiceUnavailable, "the review store does not answer")
		default:
			w.Write([]byte("ok\n"))
		}
	})
	s.mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	s.describe("GET", "/livez", "live", "Is the process alive?", "health", "text/plain")
	s.describe("GET", "/readyz", "ready", "Is it ready for requests?", "health", "text/plain")
	s.describe("GET", "/metrics", "metrics", "Metrics in Prometheus' text format.", "health", "text/plain")
}
