package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"syncabel/internal/llm/fake"
)

var schema = json.RawMessage(`{"type":"object","properties":{"sentences":{"type":"array","items":{"type":"string"}}},"required":["sentences"],"additionalProperties":false}`)

// request is the i-th request of the tests.
func request(i int) *Request {
	return &Request{Model: "m", Messages: []Message{{"system", "You write."}, {"user", fmt.Sprintf("Number %d\nNames: gout %d; podagra", i, i)}},
		Schema: schema, IfSchema: "As JSON.", IfLines: "As lines.", MaxTokens: 200, Seed: int64(i + 1)}
}

func requests(n int) iter.Seq2[*Request, error] {
	return func(yield func(*Request, error) bool) {
		for i := range n {
			if !yield(request(i), nil) {
				return
			}
		}
	}
}

// quick are options that do not wait.
var quick = Options{MinBackOff: time.Millisecond, MaxBackOff: 5 * time.Millisecond}

func serve(t *testing.T, opt fake.Options) (*fake.Server, string) {
	t.Helper()
	s := fake.New(opt)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, h.URL
}

func client(t *testing.T, opt Options, endpoints ...Endpoint) *Client {
	t.Helper()
	c, err := NewClient(endpoints, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func journal(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestProtocols: the same answer and usage by every API, whole and streamed, with and without a schema.
func TestProtocols(t *testing.T) {
	_, url := serve(t, fake.Options{})
	for api, base := range map[string]string{OpenAI: url + "/v1", Anthropic: url, Gemini: url} {
		for _, structured := range []string{StructuredOn, StructuredOff} {
			var texts []string
			for _, stream := range []bool{false, true} {
				c := client(t, quick, Endpoint{URL: base, API: api, Structured: structured, Stream: stream})
				r, err := c.Do(t.Context(), request(7))
				if err != nil {
					t.Fatal(api, structured, stream, err)
				}
				if r.Finish != FinishStop || r.Usage.In == 0 || r.Usage.Out == 0 || r.Model == "" || r.Endpoint == "" {
					t.Errorf("%s %s %v: %+v", api, structured, stream, r)
				}
				texts = append(texts, r.Text)
			}
			if texts[0] != texts[1] {
				t.Errorf("%s %s: streamed %q, whole %q", api, structured, texts[1], texts[0])
			}
			if json.Valid([]byte(texts[0])) != (structured == StructuredOn) || strings.Count(texts[0], "[") < 3 {
				t.Errorf("%s %s: %q", api, structured, texts[0])
			}
		}
	}
}

// TestSchemaFallsBack: a server that refuses schemas is asked for lines, once and for all.
func TestSchemaFallsBack(t *testing.T) {
	s, url := serve(t, fake.Options{NoSchema: true})
	c := client(t, quick, Endpoint{URL: url + "/v1"})
	for i := range 3 {
		r, err := c.Do(t.Context(), request(i))
		if err != nil || json.Valid([]byte(r.Text)) {
			t.Fatal(r, err)
		}
	}
	if s.Counts()["answered"] != 3 {
		t.Error(s.Counts())
	}
	c = client(t, quick, Endpoint{URL: url + "/v1", Structured: StructuredOn})
	var failure *Error
	if _, err := c.Do(t.Context(), request(0)); !errors.As(err, &failure) || failure.Kind != KindRejected {
		t.Error(err)
	}
}

// TestFaultsAreRetried: one in ten of every fault of the transport, and still every request is answered once.
func TestFaultsAreRetried(t *testing.T) {
	s, url := serve(t, fake.Options{SlowFor: time.Millisecond,
		Faults: map[string]float64{fake.TooMany: .1, fake.Internal: .1, fake.Slow: .1, fake.Cut: .1, fake.Truncated: .1}})
	for _, stream := range []bool{false, true} {
		j := journal(t, filepath.Join(t.TempDir(), "j"))
		run := Run{Client: client(t, quick, Endpoint{URL: url + "/v1", InFlight: 16, Stream: stream}), Journal: j}
		st, err := run.Do(t.Context(), requests(300))
		if err != nil || st.Done != 300 || st.Failed != 0 {
			t.Errorf("%+v %v %v", st, err, s.Counts())
		}
		j.Close()
	}
}

// TestUnusableAnswers: an answer that Accept refuses is asked for again with another seed, and then missing with its reason.
func TestUnusableAnswers(t *testing.T) {
	_, url := serve(t, fake.Options{Faults: map[string]float64{fake.Bracket: .3, fake.Length: .2}})
	path := filepath.Join(t.TempDir(), "j")
	j := journal(t, path)
	accept := func(_ *Request, r *Response) error {
		if !json.Valid([]byte(r.Text)) || strings.Count(r.Text, "[") != strings.Count(r.Text, "]") {
			return errors.New("brackets")
		}
		return nil
	}
	run := Run{Client: client(t, quick, Endpoint{URL: url + "/v1", InFlight: 8, PriceIn: 1e6}), Journal: j, Accept: accept, Asks: 2}
	st, err := run.Do(t.Context(), requests(200))
	if err != nil || st.Done+st.Failed != 200 || st.Failed == 0 || st.Failed > 100 || st.Reasons[KindUnusable]+st.Reasons[KindLength] != st.Failed {
		t.Errorf("%+v %v", st, err)
	}
	j.Close()
	x := NewIndex()
	defer x.Close()
	if n, _, err := x.Add(path); n != 200 || err != nil {
		t.Fatal(n, err)
	}
	for i := range 200 {
		e, ok, err := x.Get(request(i).Key())
		if !ok || err != nil || (e.Error == "") != (e.Answer != "") || e.Error == KindUnusable && (e.Raw == "" || e.Asked != 2) || e.Cost <= 0 {
			t.Fatalf("%+v %v %v", e, ok, err)
		}
	}
	// A second run asks again only what failed.
	j = journal(t, path)
	defer j.Close()
	run.Journal = j
	again, err := run.Do(t.Context(), requests(200))
	if err != nil || again.Before != st.Done || again.Done != 0 || again.Failed != st.Failed {
		t.Errorf("%+v %v", again, err)
	}
}

func TestBudgetAndDuplicates(t *testing.T) {
	s, url := serve(t, fake.Options{})
	j := journal(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	twice := func(yield func(*Request, error) bool) {
		for range 2 {
			for r := range requests(20) {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
	run := Run{Client: client(t, quick, Endpoint{URL: url + "/v1", InFlight: 4}), Journal: j}
	if st, err := run.Do(t.Context(), twice); err != nil || st.Done != 20 || st.Before != 20 || s.Counts()["answered"] != 20 {
		t.Errorf("%+v %v", st, err)
	}
	run.Client = client(t, quick, Endpoint{URL: url + "/v1", InFlight: 4, PriceOut: 1e6})
	run.Budget = 1000
	st, err := run.Do(t.Context(), requests(1000))
	if !errors.Is(err, ErrBudget) || st.Spent.Cost < 1000 || st.Spent.Cost > 2000 {
		t.Errorf("%+v %v", st, err)
	}
}

// TestSeveralEndpoints: one dies, one refuses the key; the third does the work. With none left the run says why.
func TestSeveralEndpoints(t *testing.T) {
	t.Setenv("TEST_KEY", "sk-very-secret")
	_, good := serve(t, fake.Options{})
	_, strict := serve(t, fake.Options{Key: "other"})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer dead.Close()
	opt := quick
	opt.BreakAfter, opt.GiveUp, opt.FirstWait = 3, 50*time.Millisecond, 50*time.Millisecond
	j := journal(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	bad := []Endpoint{{Name: "dead", URL: dead.URL + "/v1"}, {Name: "strict", URL: strict + "/v1", KeyEnv: "TEST_KEY"}}
	run := Run{Client: client(t, opt, append(bad, Endpoint{Name: "good", URL: good + "/v1", InFlight: 2})...), Journal: j}
	if st, err := run.Do(t.Context(), requests(100)); err != nil || st.Done != 100 {
		t.Errorf("%+v %v", st, err)
	}
	run.Client = client(t, opt, bad[0])
	if _, err := run.Do(t.Context(), requests(200)); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	run.Client = client(t, opt, bad[1])
	_, err := run.Do(t.Context(), requests(200))
	if !errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "very-secret") || !strings.Contains(err.Error(), "[secret]") {
		t.Error(err)
	}
}

// TestRetryAfter: nothing is sent to an endpoint before the time it asked for.
func TestRetryAfter(t *testing.T) {
	var n atomic.Int64
	var first, second time.Time
	answer := fake.New(fake.Options{})
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			first = time.Now()
			w.Header().Set("Retry-After", "0.2")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		second = time.Now()
		answer.ServeHTTP(w, r)
	}))
	defer h.Close()
	c := client(t, Options{MinBackOff: time.Millisecond}, Endpoint{URL: h.URL + "/v1"})
	if _, err := c.Do(t.Context(), request(1)); err != nil || second.Sub(first) < 200*time.Millisecond {
		t.Error(err, second.Sub(first))
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if d := retryAfter(http.Header{"Retry-After": {"Thu, 01 Jan 2026 00:00:30 GMT"}}, at); d != 30*time.Second {
		t.Error(d)
	}
}

func TestTimeoutsAndLimits(t *testing.T) {
	_, url := serve(t, fake.Options{Latency: 1300 * time.Millisecond})
	c := client(t, Options{Attempts: 1}, Endpoint{URL: url + "/v1", Timeout: 1})
	var failure *Error
	if _, err := c.Do(t.Context(), request(1)); !errors.As(err, &failure) || failure.Kind != KindTimeout {
		t.Error(err)
	}
	_, url = serve(t, fake.Options{})
	c = client(t, quick, Endpoint{URL: url + "/v1", InFlight: 50, PerSecond: 100})
	j := journal(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	start := time.Now()
	if _, err := (&Run{Client: c, Journal: j}).Do(t.Context(), requests(150)); err != nil || time.Since(start) < 400*time.Millisecond {
		t.Error("100 a second were exceeded:", err, time.Since(start))
	}
}

// TestEndpoints: what a config may not say.
func TestEndpoints(t *testing.T) {
	for _, e := range []Endpoint{{}, {URL: "ftp://x"}, {URL: "http://user:pass@host/v1"}, {URL: "http://h", API: "soap"}, {URL: "http://h", Structured: "maybe"},
		{URL: "http://h", InFlight: -1}, {URL: "http://h", KeyEnv: "SYNCABEL_NO_SUCH_VARIABLE"}, {URL: "http://h", KeyFile: "/nonexistent"}} {
		if _, err := NewClient([]Endpoint{e}, Options{}); err == nil {
			t.Errorf("%+v was taken", e)
		} else if strings.Contains(err.Error(), "pass") && !strings.Contains(err.Error(), "a password") {
			t.Error(err)
		}
	}
}

// TestSecrets: no way of printing shows a key.
func TestSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("sk-very-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSecret("", file)
	if err != nil || s.value != "sk-very-secret" {
		t.Fatal(err)
	}
	j, _ := json.Marshal(map[string]any{"s": s, "p": &s})
	for _, out := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), fmt.Sprintf("%+v", struct{ S Secret }{s}), string(j)} {
		if strings.Contains(out, "secret\n") || strings.Contains(out, "very") || strings.Contains(out, "736b2d") {
			t.Error(out)
		}
	}
}

func TestInterrupted(t *testing.T) {
	_, url := serve(t, fake.Options{Latency: 20 * time.Millisecond})
	j := journal(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	st, err := (&Run{Client: client(t, quick, Endpoint{URL: url + "/v1", InFlight: 2}), Journal: j}).Do(ctx, requests(1000))
	if !errors.Is(err, context.DeadlineExceeded) || st.Done == 0 || st.Failed != 0 {
		t.Errorf("%+v %v", st, err)
	}
}

func TestThoughts(t *testing.T) {
	for in, want := range map[string]string{"<think>\nhm\n</think>\n\nYES": "YES", "NO": "NO", "<think>still at it": "", "a <think>b</think>": "a <think>b</think>"} {
		if got := withoutThoughts(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
