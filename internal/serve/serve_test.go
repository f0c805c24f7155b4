package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/demo"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/review"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// example is the demonstration's knowledge base with string comparison as linker: real, and quick to set up.
var example = sync.OnceValues(func() (*terminology.KB, error) {
	dir, err := os.MkdirTemp("", "serve")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, demo.Files()); err != nil {
		return nil, err
	}
	kb, _, err := pipeline.ReadKB(pipeline.KB{Format: "table", Paths: []string{"kb.tsv"}, Relations: "relations.tsv"}, func(p string) string { return filepath.Join(dir, p) })
	return kb, err
})

// words detects the exact names of the knowledge base that start at a word: enough to test what detection feeds.
type words struct{ kb *terminology.KB }

func (w words) Detect(d *corpus.Document) []corpus.Mention {
	s := d.Text
	var out []corpus.Mention
	for start := 0; start < len(s); start++ {
		if start > 0 && s[start-1] != ' ' {
			continue
		}
		for end := min(len(s), start+40); end > start+3; end-- {
			if hits := w.kb.Normalized(s[start:end]); len(hits) > 0 && s[end-1] != ' ' {
				out = append(out, corpus.Mention{ID: fmt.Sprint(len(out) + 1), Spans: []text.Span{{Start: start, End: end}}, Text: s[start:end], Type: w.kb.Concept(hits[0]).Groups()[0]})
				start = end
				break
			}
		}
	}
	return out
}

func options(t testing.TB) Options {
	t.Helper()
	kb, err := example()
	if err != nil {
		t.Fatal(err)
	}
	stage0 := lexical.NewRetriever(kb, lexical.Options{Names: true})
	var linkers []Linker
	for range 2 {
		l, err := link.New(link.Parts{KB: kb, Stage0: stage0}, link.Options{Mode: link.Lexical, Keep: 20})
		if err != nil {
			t.Fatal(err)
		}
		linkers = append(linkers, l)
	}
	store, err := review.Open(t.Context(), filepath.Join(t.TempDir(), "review.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return Options{KB: kb, Linkers: linkers, Store: store, Detector: words{kb}, Program: "syncabel test", Model: "lexical",
		Runs: []Run{{Name: "demo", Rows: []RunRow{{System: "a", N: 3, Recall1: 0.5}}, Report: os.DirFS("testdata")}}}
}

// start serves on a real listener of the loopback address.
func start(t testing.TB, opt Options) (*Server, string) {
	t.Helper()
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(s.Handler())
	h.Config.MaxHeaderBytes = maxHeader
	h.Start()
	t.Cleanup(func() { h.Close(); s.Close() })
	return s, h.URL
}

// ask sends a request and returns status and body.
func ask(t testing.TB, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func askFor[T any](t testing.TB, method, url, body string) T {
	t.Helper()
	code, b := ask(t, method, url, body)
	var v T
	if err := json.Unmarshal([]byte(b), &v); err != nil || code != 200 {
		t.Fatalf("%s %s: %d %s", method, url, code, b)
	}
	return v
}

// Offsets are in the unit asked for, in question and answer, whatever stands before the mention.
func TestLinkUnits(t *testing.T) {
	_, url := start(t, options(t))
	const s = "Él 😷 had a heart attack."
	for unit, at := range map[string]int{unitByte: strings.Index(s, "heart"), unitCodePoint: 11, unitUTF16: 12} {
		body := fmt.Sprintf(`{"text":%q,"language":"en","offsets":%q,"mentions":[{"start":%d,"end":%d,"group":"Disorders"}]}`, s, unit, at, at+12)
		got := askFor[LinkedDocument](t, "POST", url+"/api/v1/link?k=2", body)
		if l := got.Links[0]; l.Text != "heart attack" || l.Start != at || l.End != at+12 || len(l.Candidates) != 2 || l.Candidates[0].Probability < l.Candidates[1].Probability {
			t.Errorf("%s: %+v", unit, l)
		}
	}
	for _, body := range []string{
		fmt.Sprintf(`{"text":%q,"offsets":"utf16","mentions":[{"start":4,"end":6}]}`, s), // inside a surrogate pair
		fmt.Sprintf(`{"text":%q,"mentions":[{"start":1,"end":6}]}`, s),                   // inside a character
		`{"text":"x","mentions":[{"start":0,"end":5}]}`, `{"text":"xy","mentions":[{"start":1,"end":1}]}`, `{"text":" "}`, `{"text":"a [b"  ,"marked":true}`,
		`{"text":"a","mentions":[{"start":0,"end":1,"group":"nonsense"}]}`, `{"text":"a","unknown":1}`,
	} {
		if code, b := ask(t, "POST", url+"/api/v1/link", body); code != 422 {
			t.Errorf("%s: %d %s", body, code, b)
		}
	}
}

func TestLinkInputs(t *testing.T) {
	_, url := start(t, options(t))
	marked := askFor[LinkedDocument](t, "POST", url+"/api/v1/link", `{"text":"An [MI]{Disorders} and \\[x\\] [fever]."}`)
	if marked.Text != "An MI and [x] fever." || len(marked.Links) != 2 || marked.Links[1].Start != 14 {
		t.Errorf("marked: %+v", marked)
	}
	detected := askFor[LinkedDocument](t, "POST", url+"/api/v1/link", `{"text":"a heart attack, then fever [sic]","language":"en"}`)
	if len(detected.Links) != 2 || detected.Links[0].Text != "heart attack" {
		t.Errorf("detected: %+v", detected)
	}
	var explained struct {
		Mention    LinkedMention
		Candidates []Explained
	}
	code, b := ask(t, "POST", url+"/api/v1/candidates", `{"text":"An [heart attack]{Disorders}."}`)
	if err := json.Unmarshal([]byte(b), &explained); err != nil || code != 200 || len(explained.Candidates) == 0 || len(explained.Candidates[0].Parents) == 0 {
		t.Errorf("explained: %d %s", code, b)
	}
}

func TestSearchAndConcept(t *testing.T) {
	s, url := start(t, options(t))
	type hits struct{ Hits []Hit }
	for q, match := range map[string]string{"heart+attack": "exact", "hart+attak": "typo", "infarctus": "prefix", "infarto": "prefix"} {
		got := askFor[hits](t, "GET", url+"/api/v1/search?q="+q, "")
		if len(got.Hits) == 0 || got.Hits[0].Match != match && match != "prefix" {
			t.Errorf("%s: %+v", q, got)
		}
	}
	id := s.opt.KB.ID(0)
	c := askFor[Concept](t, "GET", url+"/api/v1/concepts/"+id+"?language=fr", "")
	if c.Code != id || len(c.Names) == 0 {
		t.Errorf("%+v", c)
	}
	if code, _ := ask(t, "GET", url+"/api/v1/concepts/none", ""); code != 404 {
		t.Error(code)
	}
}

// A stream is answered line by line; a bad line is answered by its number and does not end it.
func TestBatch(t *testing.T) {
	_, url := start(t, options(t))
	pr, pw := io.Pipe()
	go func() { pw.Write([]byte(`{"id":"1","text":"[fever]{Findings}"}` + "\n")) }()
	resp, err := http.Post(url+"/api/v1/batch", "application/x-ndjson", pr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	var first LinkedDocument
	if err := dec.Decode(&first); err != nil || first.ID != "1" { // before the second line is sent
		t.Fatalf("%+v %v", first, err)
	}
	fmt.Fprint(pw, "{oops\n\n{\"id\":\"3\",\"text\":\"[x\",\"marked\":true}\n{\"id\":\"4\",\"text\":\"[cough]{Findings}\"}\n")
	pw.Close()
	var got []string
	for dec.More() {
		var v map[string]any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%v %v %v", v["id"], v["line"], v["error"] != nil))
	}
	if diff := cmp.Diff([]string{"<nil> 2 true", "3 4 true", "4 <nil> false"}, got); diff != "" {
		t.Error(diff)
	}
}

// Two reviewers over the API: decisions, a wrong code, undo, agreement, log, export, and the export read as a corpus.
func TestReviewAPI(t *testing.T) {
	_, url := start(t, options(t))
	body := `{"offsets":"utf16","items":[{"text":"é fever","start":2,"end":7,"group":"Findings","language":"en","candidates":[{"code":"X","name":"x","probability":0.4}]},{"text":"a cough","start":2,"end":7,"group":"Findings","candidates":[]}]}`
	type added struct{ Added int }
	if n := askFor[added](t, "POST", url+"/api/v1/review/items", body); n.Added != 2 {
		t.Fatalf("%+v", n)
	}
	if n := askFor[added](t, "POST", url+"/api/v1/review/items", body); n.Added != 0 {
		t.Fatalf("twice: %+v", n)
	}
	type next struct{ Items []ReviewItem }
	items := askFor[next](t, "GET", url+"/api/v1/review/next?queue=uncertain&reviewer=ana&offsets=utf16", "").Items
	if len(items) != 2 || items[1].Start != 2 || items[1].Code != "X" || items[0].Mention != "cough" {
		t.Fatalf("%+v", items)
	}
	id := askFor[struct{ Hits []Hit }](t, "GET", url+"/api/v1/search?q=fever", "").Hits[0].Code
	decide := func(reviewer, action, code string) int {
		b, _ := json.Marshal(map[string]string{"item": items[1].ID, "reviewer": reviewer, "action": action, "code": code})
		status, _ := ask(t, "POST", url+"/api/v1/review/decisions", string(b))
		return status
	}
	if got := []int{decide("ana", "correct", "nonsense"), decide("ana", "accept", ""), decide("ana", "explode", ""), decide("", "accept", "")}; !cmp.Equal(got, []int{422, 200, 422, 422}) {
		t.Error(got)
	}
	askFor[review.Decision](t, "POST", url+"/api/v1/review/undo", `{"queue":"uncertain","reviewer":"ana"}`)
	if got := []int{decide("ana", "correct", id), decide("bob", "correct", id)}; !cmp.Equal(got, []int{200, 200}) {
		t.Error(got)
	}
	sum := askFor[review.Summary](t, "GET", url+"/api/v1/review/summary", "")
	if len(sum.Agreement) != 1 || sum.Agreement[0].Observed != 1 {
		t.Errorf("%+v", sum)
	}
	if log := askFor[struct{ Decisions []review.Decision }](t, "GET", url+"/api/v1/review/log", ""); len(log.Decisions) != 4 {
		t.Errorf("%+v", log)
	}
	code, b := ask(t, "GET", url+"/api/v1/review/export", "")
	docs, err := corpus.Read(strings.NewReader(b), "export")
	if err != nil || code != 200 || len(docs) != 1 || docs[0].Mentions[0].Gold[0][0] != id {
		t.Errorf("%d %v %+v", code, err, docs)
	}
}

func TestExports(t *testing.T) {
	s, url := start(t, options(t))
	code := s.opt.KB.ID(3)
	body := func(format string) string {
		return fmt.Sprintf(`{"format":%q,"documents":[{"id":"7","text":"é fever and cough","language":"en","offsets":"codepoint","mentions":[{"start":2,"end":7,"group":"Findings","code":%q,"reviewer":"ana"},{"start":12,"end":17,"group":"Findings"}]}]}`, format, code)
	}
	for format, want := range map[string]string{"fhir": `"final"`, "omop": "note_nlp_id", "pubtator": "7\t2\t7\tfever", "jsonl": `"start":3`, "bioc": "<collection>", "bigbio": `"normalized"`, "csv": "fever"} {
		if status, b := ask(t, "POST", url+"/api/v1/export", body(format)); status != 200 || !strings.Contains(b, want) || !strings.Contains(b, code[len("DEMO:"):]) {
			t.Errorf("%s: %d %s", format, status, b)
		}
	}
	if status, _ := ask(t, "POST", url+"/api/v1/export", body("nonsense")); status != 422 {
		t.Error(status)
	}
}

// slow holds every call until it is let go.
type slow struct {
	Linker
	gate chan struct{}
}

func (s slow) Link(ctx context.Context, docs []corpus.Document) ([]prediction.Prediction, error) {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Linker.Link(ctx, docs)
}

// Above capacity the answer is 429 at once, what was accepted is still answered, and the server says it is alive.
func TestOverload(t *testing.T) {
	opt := options(t)
	gate := make(chan struct{})
	for i := range opt.Linkers {
		opt.Linkers[i] = slow{opt.Linkers[i], gate}
	}
	opt.MaxWaiting = 10
	s, url := start(t, opt)
	codes := make(chan int, 100)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() { c, _ := ask(t, "POST", url+"/api/v1/link", `{"text":"[fever]{Findings}"}`); codes <- c })
	}
	for range 50 { // the refused come back while the gate is shut
		if c := <-codes; c != 429 {
			t.Fatalf("%d while the gate is shut", c)
		}
	}
	if c, _ := ask(t, "GET", url+"/livez", ""); c != 200 {
		t.Errorf("/livez: %d", c)
	}
	if c, b := ask(t, "GET", url+"/metrics", ""); c != 200 || !strings.Contains(b, "syncabel_mentions_waiting 10") {
		t.Errorf("/metrics: %d", c)
	}
	close(gate)
	wg.Wait()
	for range 10 {
		if c := <-codes; c != 200 {
			t.Errorf("%d after the gate opened", c)
		}
	}
	if n := s.pool.waiting.Load(); n != 0 {
		t.Errorf("%d still counted as waiting", n)
	}
}

// Requests in progress are bounded in number and in time.
func TestLimitsOfRequests(t *testing.T) {
	opt := options(t)
	gate := make(chan struct{})
	defer close(gate)
	for i := range opt.Linkers {
		opt.Linkers[i] = slow{opt.Linkers[i], gate}
	}
	opt.MaxRequests, opt.Timeout = 2, 300e6
	_, url := start(t, opt)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range 10 {
		wg.Go(func() {
			c, _ := ask(t, "POST", url+"/api/v1/link", `{"text":"[fever]{Findings}"}`)
			mu.Lock()
			count[c]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if count[503] != 10 { // eight at once, two when their time is over
		t.Errorf("%v", count)
	}
}

func TestStopsGracefully(t *testing.T) {
	opt := options(t)
	gate := make(chan struct{})
	opt.Linkers = []Linker{slow{opt.Linkers[0], gate}}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, nil, 5e9) }()
	url := "http://" + l.Addr().String()
	answer := make(chan int, 1)
	go func() { c, _ := ask(t, "POST", url+"/api/v1/link", `{"text":"[fever]{Findings}"}`); answer <- c }()
	waitFor(t, func() bool { return s.pool.waiting.Load() == 1 })
	cancel()
	waitFor(t, func() bool { return s.pool.ending.Load() })
	close(gate)
	if c := <-answer; c != 200 {
		t.Errorf("the request in progress got %d", c)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The page asks for nothing outside, and every word it shows exists in three languages.
func TestPageIsWhole(t *testing.T) {
	used, have := map[string]bool{}, map[string]int{}
	err := fs.WalkDir(pageFiles, "page", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(pageFiles, path)
		if err != nil {
			return err
		}
		if i := bytes.Index(bytes.ReplaceAll(b, []byte("http://www.w3.org/2000/svg"), nil), []byte("://")); i >= 0 {
			t.Errorf("%s names an address", path)
		}
		if bytes.Contains(b, []byte("innerHTML")) || bytes.Contains(b, []byte("insertAdjacentHTML")) || bytes.Contains(b, []byte("eval(")) {
			t.Errorf("%s makes HTML or code of text", path)
		}
		for _, m := range wordKey.FindAllStringSubmatch(string(b), -1) {
			used[m[1]+m[2]] = true
		}
		if strings.HasSuffix(path, "i18n.js") {
			for _, m := range wordEntry.FindAllStringSubmatch(string(b), -1) {
				have[strings.Trim(m[1], `"`)]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for k := range used {
		if have[k] != 3 && !strings.HasSuffix(k, ".") {
			t.Errorf("the word %q exists in %d languages", k, have[k])
		}
	}
	if len(used) < 50 {
		t.Errorf("only %d words found", len(used))
	}
}

// TestEngineAway: a server of the model that does not answer is no fault of ours, and worth another try.
func TestEngineAway(t *testing.T) {
	var status huma.StatusError
	if err := problemOf(fmt.Errorf("linking: %w", remote.ErrUnavailable)); !errors.As(err, &status) || status.GetStatus() != http.StatusServiceUnavailable {
		t.Error(err)
	}
}
