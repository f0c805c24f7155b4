package serve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Role is what a key may do; each includes those before it.
type Role int

// Roles in ascending order.
const (
	Open     Role = iota // no key needed: the page's files, /livez, /readyz, /openapi.json
	Link                 // link, search, look at runs, read metrics
	Reviewer             // and decide on review items
	Admin                // and add review items, export them and the verdicts of others, read the whole log
)

// A Key lets someone in. Only its hash is kept.
type Key struct {
	Name string // of the person or system; the reviewer's name in the log
	Role Role
	Hash [sha256.Size]byte
}

// maxKeys bounds a file of keys: every request is compared with all of them.
const maxKeys = 1000

// ReadKeys reads a file of keys, a line each: name, role (link, review or admin), and the key itself or sha256: and its hash in
// hexadecimal. Lines that start with # are comments.
func ReadKeys(r io.Reader, name string) ([]Key, error) {
	roles := map[string]Role{"link": Link, "review": Reviewer, "admin": Admin}
	var out []Key
	sc := bufio.NewScanner(r)
	for line := 1; sc.Scan(); line++ {
		f := strings.Fields(sc.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 3 || roles[f[1]] == 0 || len(out) == maxKeys {
			return nil, fmt.Errorf("%s:%d: a line is `name role key` with role link, review or admin, and there are at most %d", name, line, maxKeys)
		}
		k := Key{Name: f[0], Role: roles[f[1]]}
		if h, ok := strings.CutPrefix(f[2], "sha256:"); ok {
			b, err := hex.DecodeString(h)
			if err != nil || len(b) != len(k.Hash) {
				return nil, fmt.Errorf("%s:%d: sha256: is followed by 64 hexadecimal digits", name, line)
			}
			k.Hash = [sha256.Size]byte(b)
		} else if len(f[2]) < 16 {
			return nil, fmt.Errorf("%s:%d: a key has at least 16 characters, e.g. from `openssl rand -hex 32`", name, line)
		} else {
			k.Hash = sha256.Sum256([]byte(f[2]))
		}
		out = append(out, k)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading keys %s: %w", name, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("reading keys %s: the file holds no key", name)
	}
	return out, nil
}

// find returns the key that was presented. Hashes of equal length are compared, all of them and in constant time, so neither
// which key nor how much of it was right can be told from how long the answer took.
func find(keys []Key, presented string) (Key, bool) {
	h := sha256.Sum256([]byte(presented))
	at := -1
	for i := range keys {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(h[:], keys[i].Hash[:]), i, at)
	}
	if at < 0 {
		return Key{}, false
	}
	return keys[at], true
}

// presented returns the key of a request: `Authorization: Bearer KEY`, `Authorization: Token KEY` as Label Studio sends it,
// the password of basic authentication, or X-API-Key.
func presented(r *http.Request) string {
	if k := r.Header.Get("X-API-Key"); k != "" {
		return k
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token") {
		return strings.TrimSpace(key)
	}
	return ""
}

// needs returns the role that a request needs.
func needs(r *http.Request) Role {
	p := r.URL.Path
	switch {
	case p == "/" || p == "/livez" || p == "/readyz" || p == "/openapi.json" || strings.HasPrefix(p, "/page/"):
		return Open
	case p == "/api/v1/review/items" || p == "/api/v1/review/export" || p == "/api/v1/review/log", p == "/api/v1/review/audit" && r.Method != http.MethodGet:
		return Admin
	case strings.HasPrefix(p, "/api/v1/review/"):
		return Reviewer
	}
	return Link
}

// keyContext carries the caller's key.
type keyContext struct{}

// caller returns who is asking; without keys everyone is an administrator without a name.
func caller(ctx context.Context) Key {
	if k, ok := ctx.Value(keyContext{}).(Key); ok {
		return k
	}
	return Key{Role: Admin}
}

// guarded wraps the routes in what every request passes, from the outside in: observation, recovery, headers, the name of the
// host, the origin, the key, the number of requests, their size and time.
func (s *Server) guarded() http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusForbidden, "requests that change something are not taken from pages of other sites")
	}))
	h := s.observedRoute(s.mux)
	h = s.limited(h)
	h = s.keyed(h)
	h = origin.Handler(h)
	h = s.hosted(h)
	h = headed(h)
	h = s.recovered(h)
	return s.observed(h)
}

// headed sets the headers that keep a browser strict. Pages may load only what the server itself has.
func headed(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// hosted answers only to names it knows, so that a foreign name that was pointed at this address (DNS rebinding) reaches nothing.
func (s *Server) hosted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.knows(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "this server does not answer to that host name: name it with --host")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) knows(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil {
		return true // an address cannot be rebound
	}
	return host == "localhost" || slices.Contains(s.opt.Hosts, "*") || slices.Contains(s.opt.Hosts, host)
}

// keyed lets a request through that has a key of the role it needs.
func (s *Server) keyed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		role := needs(r)
		if len(s.opt.Keys) == 0 || role == Open {
			next.ServeHTTP(w, r)
			return
		}
		k, ok := find(s.opt.Keys, presented(r))
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="syncabel"`)
			refuse(w, http.StatusUnauthorized, "a valid key is needed: Authorization: Bearer KEY")
			return
		}
		if k.Role < role {
			refuse(w, http.StatusForbidden, "this key may not do that")
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyContext{}, k)))
	})
}

// limited bounds the size of requests, their number in progress and their time. A body is read before the request counts as in
// progress: a client that sends slowly holds its connection and the bytes it sent, nothing else.
func (s *Server) limited(next http.Handler) http.Handler {
	slots := make(chan struct{}, s.opt.MaxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if needs(r) == Open || r.URL.Path == batchPath { // liveness must be told when all is busy; a stream has limits of its own
			next.ServeHTTP(w, r)
			return
		}
		body, ok := s.body(w, r)
		if !ok {
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, "too many requests are in progress")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.opt.Timeout)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// body reads a request's body, or refuses it: too large, cut off, or not UTF-8, which would shift every offset behind it.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.opt.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request has at most %d bytes", s.opt.MaxBody))
	case err != nil:
		w.Header().Set("Connection", "close")
		refuse(w, http.StatusRequestTimeout, "the request was cut off or came too slowly")
	case !utf8.Valid(b):
		refuse(w, http.StatusBadRequest, "the request is not valid UTF-8")
	default:
		return b, true
	}
	return nil, false
}

// recovered turns a panic into an answer and a line in the log, without the request's text.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				s.metrics.panics.Inc()
				s.opt.Log.Error("panic", "method", r.Method, "stack", string(debug.Stack()))
				refuse(w, http.StatusInternalServerError, "internal error")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// refuse writes a problem as RFC 9457 does. The detail is ours, never the client's text.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"title":%q,"status":%d,"detail":%q}`+"\n", http.StatusText(status), status, detail)
}
