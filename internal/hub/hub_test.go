package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	token  = "hf_secret"
	commit = "0123456789abcdef0123456789abcdef01234567"
)

// server speaks the hub's protocol: a list with hashes, small files itself, large ones by way of a redirect to a store on another
// host, which must not see the token.
type server struct {
	t     *testing.T
	files map[string][]byte
	store *httptest.Server
	hub   *httptest.Server

	mu     sync.Mutex
	ranges []string                                                          // Range headers that the store saw
	fault  func(w http.ResponseWriter, r *http.Request, content []byte) bool // true: it answered
	list   func(list map[string]any)
}

func newServer(t *testing.T) *server {
	s := &server{t: t, files: map[string][]byte{"config.json": []byte(`{"model_type":"llama"}`), "tokenizer.json": []byte(`{}`), "README.md": []byte("# x"),
		"model.safetensors": make([]byte, 1<<20), "onnx/model.onnx": []byte("no"), "pytorch_model.bin": []byte("no"), "../evil": []byte("no"), "empty": nil}}
	r := rand.NewChaCha8([32]byte{1})
	r.Read(s.files["model.safetensors"])
	s.store = httptest.NewServer(http.HandlerFunc(s.serveStore))
	s.hub = httptest.NewServer(http.HandlerFunc(s.serveHub))
	t.Cleanup(s.store.Close)
	t.Cleanup(s.hub.Close)
	return s
}

func (s *server) serveHub(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "gated", http.StatusUnauthorized)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/models/") {
		if r.URL.Path != "/api/models/own/tiny/revision/main" {
			http.NotFound(w, r)
			return
		}
		var siblings []map[string]any
		for name, b := range s.files {
			f := map[string]any{"rfilename": name, "size": len(b)}
			if len(b) > 1000 {
				sum := sha256.Sum256(b)
				f["lfs"] = map[string]any{"sha256": hex.EncodeToString(sum[:]), "size": len(b), "pointerSize": 134}
			}
			f["blobId"] = fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...)))
			siblings = append(siblings, f)
		}
		list := map[string]any{"id": "own/tiny", "sha": commit, "siblings": siblings, "gated": "manual"}
		if s.list != nil {
			s.list(list)
		}
		json.NewEncoder(w).Encode(list)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/own/tiny/resolve/"+commit+"/")
	b, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if len(b) > 1000 {
		http.Redirect(w, r, s.store.URL+"/blob/"+name+"?signature=x", http.StatusFound)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

func (s *server) serveStore(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	fault := s.fault
	s.mu.Unlock()
	// Both servers are on 127.0.0.1 with other ports, which net/http takes for the same host's; localhost in the test below is not.
	b := s.files[strings.TrimPrefix(r.URL.Path, "/blob/")]
	if fault != nil && fault(w, r, b) {
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

func (s *server) options() Options {
	return Options{Endpoint: s.hub.URL, Token: token, Wait: time.Millisecond, Tries: 4, Idle: 200 * time.Millisecond}
}

func (s *server) check(dir string) {
	s.t.Helper()
	for name, want := range s.files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		useful := name == "config.json" || name == "tokenizer.json" || name == "README.md" || name == "model.safetensors"
		if useful && (err != nil || !bytes.Equal(got, want)) {
			s.t.Errorf("%s: %v", name, err)
		}
		if !useful && err == nil {
			s.t.Errorf("%s was fetched", name)
		}
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(parts) > 0 {
		s.t.Errorf("left behind: %v", parts)
	}
}

func TestDownload(t *testing.T) {
	s, dir := newServer(t), filepath.Join(t.TempDir(), "m")
	var last, total int64
	opt := s.options()
	opt.Progress = func(done, all int64) { last, total = done, all }
	m, err := Download(context.Background(), "own/tiny", dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	s.check(dir)
	if m.Commit != commit || len(m.Files) != 4 || m.Loaded != m.Bytes || last != total || total != m.Bytes {
		t.Errorf("%+v, progress %d of %d", m, last, total)
	}
	// Again: nothing is fetched. A damaged file is fetched anew.
	if m, err = Download(context.Background(), "own/tiny", dir, opt); err != nil || m.Loaded != 0 {
		t.Errorf("%+v %v", m, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type":"LLAMA"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err = Download(context.Background(), "own/tiny", dir, opt); err != nil || m.Loaded != int64(len(s.files["config.json"])) {
		t.Errorf("%+v %v", m, err)
	}
	s.check(dir)
}

// TestFaults: a download survives what networks do and ends with the right bytes.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool{
		"connection dies": func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool {
			if n > 3 {
				return false
			}
			var from int
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			w.Header().Set("Content-Length", fmt.Sprint(len(b)-from))
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
				w.WriteHeader(http.StatusPartialContent)
			}
			w.Write(b[from : from+200_000])
			panic(http.ErrAbortHandler)
		},
		"server is busy": func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool {
			if n < 3 {
				w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable}[n])
				return true
			}
			return false
		},
		"no resuming": func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			if n == 0 {
				w.Write(b[:300_000])
				panic(http.ErrAbortHandler)
			}
			w.Write(b)
			return true
		},
		"other range than asked": func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool {
			if n == 0 {
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
				w.Write(b[:300_000])
				panic(http.ErrAbortHandler)
			}
			if n == 1 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 5-%d/%d", len(b)-1, len(b)))
				w.WriteHeader(http.StatusPartialContent)
				w.Write(b[5:])
				return true
			}
			return false
		},
		"silence": func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool {
			if n > 0 {
				return false
			}
			w.Write(b[:100_000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		},
		"wrong bytes once": func(n int, w http.ResponseWriter, r *http.Request, b []byte) bool {
			if n > 0 {
				return false
			}
			w.Write(append([]byte{b[0] ^ 1}, b[1:]...))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir, n := newServer(t), t.TempDir(), -1
			s.fault = func(w http.ResponseWriter, r *http.Request, b []byte) bool {
				n++
				return fault(n, w, r, b)
			}
			if _, err := Download(context.Background(), "own/tiny", dir, s.options()); err != nil {
				t.Fatal(err)
			}
			s.check(dir)
			if name == "connection dies" && (len(s.ranges) != 5 || s.ranges[2] != "bytes=400000-") {
				t.Errorf("asked for %q", s.ranges)
			}
		})
	}
}

// TestInterrupted: a download that was stopped goes on in the next call.
func TestInterrupted(t *testing.T) {
	s, dir := newServer(t), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	opt := s.options()
	opt.Progress = func(done, total int64) {
		if done > total/2 {
			cancel()
		}
	}
	if _, err := Download(ctx, "own/tiny", dir, opt); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	opt.Progress = nil
	m, err := Download(context.Background(), "own/tiny", dir, opt)
	if err != nil || m.Loaded > 3*m.Bytes/4 {
		t.Errorf("%+v: %v", m, err)
	}
	s.check(dir)
}

// TestErrors: what cannot work says why and what kind of fault it is.
func TestErrors(t *testing.T) {
	set := func(f func(*server, *Options)) func(*testing.T) (*server, Options) {
		return func(t *testing.T) (*server, Options) {
			s := newServer(t)
			opt := s.options()
			f(s, &opt)
			return s, opt
		}
	}
	for name, c := range map[string]struct {
		model string
		make  func(*testing.T) (*server, Options)
		kind  error
		text  string
	}{
		"no token":      {"own/tiny", set(func(s *server, o *Options) { o.Token = "" }), ErrDenied, "HF_TOKEN"},
		"no such model": {"own/none", set(func(*server, *Options) {}), ErrDenied, "404"},
		"bad name":      {"../../etc", set(func(*server, *Options) {}), nil, "no name of a model"},
		"bad revision":  {"own/tiny", set(func(s *server, o *Options) { o.Revision = "../x" }), nil, "no revision"},
		"nobody there":  {"own/tiny", set(func(s *server, o *Options) { s.hub.Close() }), ErrUnavailable, ""},
		"always busy": {"own/tiny", set(func(s *server, o *Options) {
			s.fault = func(w http.ResponseWriter, r *http.Request, b []byte) bool { w.WriteHeader(503); return true }
		}), ErrUnavailable, "503"},
		"wrong bytes": {"own/tiny", set(func(s *server, o *Options) {
			s.fault = func(w http.ResponseWriter, r *http.Request, b []byte) bool {
				w.Write(make([]byte, len(b)))
				return true
			}
		}), ErrCorrupt, "hash"},
		"too many bytes": {"own/tiny", set(func(s *server, o *Options) {
			s.fault = func(w http.ResponseWriter, r *http.Request, b []byte) bool {
				w.Write(make([]byte, len(b)+1))
				return true
			}
		}), ErrCorrupt, "more than"},
		"pickled": {"own/tiny", set(func(s *server, o *Options) { delete(s.files, "model.safetensors") }), ErrDenied, "pickled"},
		"no hash": {"own/tiny", set(func(s *server, o *Options) {
			s.list = func(list map[string]any) {
				for _, f := range list["siblings"].([]map[string]any) {
					delete(f, "lfs")
					delete(f, "blobId")
				}
			}
		}), ErrCorrupt, "no hash"},
		"odd commit": {"own/tiny", set(func(s *server, o *Options) {
			s.list = func(list map[string]any) { list["sha"] = "../.." }
		}), ErrCorrupt, "commit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, opt := c.make(t)
			dir := t.TempDir()
			_, err := Download(context.Background(), c.model, dir, opt)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Error("the error holds the token")
			}
			if _, err := os.Stat(filepath.Join(dir, "model.safetensors")); err == nil {
				t.Error("a file of unproven content is in place")
			}
		})
	}
}

// TestTokenStaysHome: the store that the hub redirects to does not see the token.
func TestTokenStaysHome(t *testing.T) {
	s := newServer(t)
	s.store.URL = strings.Replace(s.store.URL, "127.0.0.1", "localhost", 1)
	s.fault = func(w http.ResponseWriter, r *http.Request, b []byte) bool {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token went to another host")
		}
		return false
	}
	if _, err := Download(context.Background(), "own/tiny", t.TempDir(), s.options()); err != nil {
		t.Fatal(err)
	}
}
