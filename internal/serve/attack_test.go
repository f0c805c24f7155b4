package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Words of the page: t("key") and data-t="key"; entries of i18n.js.
var (
	wordKey   = regexp.MustCompile(`(?:\bt\("([^"]+)"[,)]|data-t="([^"]+)")`)
	wordEntry = regexp.MustCompile(`(?:^|[{,]\s*)("[a-z.]+"|[a-z0-9]+): "`)
)

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func waitFor(t testing.TB, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

const evil = `<script>alert(1)</script><img src=x onerror=alert(2)>"'&`

// Every line is an attack with the answer it must get. None may take the server down or reach a log.
func TestAttacks(t *testing.T) {
	var log bytes.Buffer
	opt := options(t)
	opt.MaxBody = 1 << 20
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, url := start(t, opt)
	doc := func(text string) string { return fmt.Sprintf(`{"text":%q}`, text) }
	deep := strings.Repeat(`{"text":`, 20000) + `"x"` + strings.Repeat("}", 20000)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		want                     int
	}{
		{"10 MB body", "POST", "/api/v1/link", `{"text":"` + strings.Repeat("a", 10<<20) + `"}`, nil, 413},
		{"10 MB of numbers", "POST", "/api/process", "[" + strings.Repeat("1,", 5<<20) + "1]", nil, 413},
		{"deep objects", "POST", "/api/v1/link", deep, nil, 400},
		{"deep arrays", "POST", "/api/v1/link", strings.Repeat("[", 500000), nil, 400},
		{"deep footer", "POST", "/api/process", `{"content":{"text":"x","footer":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}}`, nil, 400},
		{"invalid UTF-8", "POST", "/api/v1/link", "{\"text\":\"a\xff\xfe\"}", nil, 400},
		{"half a surrogate", "POST", "/api/v1/link", `{"text":"\ud800 [fever]{Findings}"}`, nil, 200},
		{"NUL and controls", "POST", "/api/v1/link", `{"text":"\u0000\u202e [fever]{Findings}"}`, nil, 200},
		{"no JSON", "POST", "/api/v1/link", "text=hello", nil, 400},
		{"empty body", "POST", "/api/v1/link", "", []string{"Content-Type", "application/json"}, 400},
		{"wrong type", "POST", "/api/v1/link", `{"text":{"$gt":""}}`, nil, 422},
		{"negative offsets", "POST", "/api/v1/link", `{"text":"abc","mentions":[{"start":-1,"end":2}]}`, nil, 422},
		{"huge offsets", "POST", "/api/v1/link", `{"text":"abc","mentions":[{"start":0,"end":9223372036854775807}]}`, nil, 422},
		{"10,000 mentions", "POST", "/api/v1/link", doc(strings.Repeat("[a]{Findings} ", 10000)), nil, 413},
		{"unclosed marks", "POST", "/api/v1/link", `{"text":"` + strings.Repeat("[", 100000) + `","marked":true}`, nil, 422},
		{"path upwards", "GET", "/page/..%2f..%2f..%2fetc%2fpasswd", "", nil, 404},
		{"path with NUL", "GET", "/page/app.js%00.html", "", nil, 404},
		{"the template", "GET", "/page/index.html", "", nil, 404},
		{"concept path", "GET", "/api/v1/concepts/..%2f..%2fmetrics", "", nil, 404},
		{"report path", "GET", "/api/v1/runs/..%2f0/report", "", nil, 404},
		{"report number", "GET", "/api/v1/runs/-1/report", "", nil, 404},
		{"SQL in an item", "POST", "/api/v1/review/decisions", `{"item":"'; DROP TABLE review_items; --","reviewer":"a","action":"accept"}`, nil, 404},
		{"SQL in a queue", "GET", "/api/v1/review/next?queue=synthetic'%20OR%201=1&reviewer=a", "", nil, 422},
		{"long search", "GET", "/api/v1/search?q=" + strings.Repeat("a", 5000), "", nil, 422},
		{"unknown method", "DELETE", "/api/v1/link", "", nil, 405},
		{"oversized header", "GET", "/api/v1/info", "", []string{"X-Big", strings.Repeat("a", 64<<10)}, 431},
		{"foreign host (rebinding)", "GET", "/api/v1/info", "", []string{"Host", "evil.example"}, 421},
		{"cross-site decision", "POST", "/api/v1/review/decisions", `{"item":"x","reviewer":"a","action":"accept"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"cross-site by origin", "POST", "/api/v1/review/undo", `{"queue":"synthetic","reviewer":"a"}`, []string{"Origin", "https://evil.example"}, 403},
		{"form of another site", "POST", "/api/v1/review/undo", `{"queue":"synthetic","reviewer":"a"}`, []string{"Content-Type", "text/plain", "Origin", "null"}, 403},
		{"form without origin", "POST", "/api/v1/review/undo", `{"queue":"synthetic","reviewer":"a"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"XML entities", "POST", "/predict", `{"metadata":{"layer":"a.B","feature":"id"},"document":{"xmi":"<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><x>&a;</x>"}}`, nil, 422},
		{"a feature that is markup", "POST", "/predict", `{"metadata":{"layer":"a.B","feature":"x=\"1\"/><evil"},"document":{"xmi":"<x/>"}}`, nil, 422},
		{"label config that is no XML", "POST", "/labelstudio/predict", `{"tasks":[],"label_config":"<View"}`, nil, 422},
		{"CRLF in a format", "POST", "/api/v1/export", `{"format":"fhir\r\nX-Evil: 1","documents":[{"text":"x"}]}`, nil, 422},
	} {
		code, b := ask(t, c.method, url+c.path, c.body, c.headers...)
		if code != c.want {
			t.Errorf("%s: %d, want %d: %.200s", c.name, code, c.want, b)
		}
		if strings.Contains(b, "root:") {
			t.Errorf("%s: a file of the system is in the answer", c.name)
		}
	}
	if code, _ := ask(t, "GET", url+"/readyz", ""); code != 200 {
		t.Errorf("after all attacks: %d", code)
	}
	if n := s.pool.waiting.Load(); n != 0 {
		t.Errorf("%d mentions still counted as waiting", n)
	}
	for _, word := range []string{"fever", "DROP", "aaaa", "passwd", "evil"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("the log holds %q of a request", word)
		}
	}
	if !strings.Contains(log.String(), `route="POST /api/v1/link" code=413`) {
		t.Errorf("the log lacks routes and codes:\n%.500s", log.String())
	}
}

// HTML in texts, names and notes comes back as data: never with a type that a browser runs, and nothing sniffs it.
func TestHTMLStaysData(t *testing.T) {
	_, url := start(t, options(t))
	body := fmt.Sprintf(`{"text":%q,"mentions":[{"start":0,"end":%d,"group":"Findings"}]}`, evil, len(evil))
	r, err := http.Post(url+"/api/v1/link", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got := r.Header.Get("Content-Type"); got != "application/json" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s, %v", got, r.Header)
	}
	for _, path := range []string{"/", "/page/app.js", "/api/v1/info"} {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		csp := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	opt := options(t)
	opt.Runs[0].Name = evil
	_, url = start(t, opt)
	if _, page := ask(t, "GET", url+"/", ""); strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("a run's name is not escaped: %s", page)
	}
	xmi := `<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"><cas:Sofa xmi:id="1" sofaString="fever"/><cas:View sofa="1" members="1"/></xmi:XMI>`
	_, got := ask(t, "POST", url+"/predict", fmt.Sprintf(`{"metadata":{"layer":"a.B","feature":"id"},"document":{"xmi":%q}}`, xmi))
	if strings.Contains(got, "<a:B") {
		t.Errorf("%s", got)
	}
}

// Keys: who may do what, and that wrong ones are refused alike.
func TestKeys(t *testing.T) {
	keys, err := ReadKeys(strings.NewReader(fmt.Sprintf("# people\nmachine link %s\nana review sha256:%x\nboss admin %s\n", strings.Repeat("m", 20), sha256.Sum256([]byte("anas-secret-key-1")), strings.Repeat("b", 20))), "keys")
	if err != nil {
		t.Fatal(err)
	}
	opt := options(t)
	opt.Keys = keys
	var log bytes.Buffer
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	_, url := start(t, opt)
	paths := []string{"GET /livez", "GET /", "GET /openapi.json", "GET /api/v1/info", "GET /metrics", "GET /api/v1/review/summary", "GET /api/v1/review/log", "GET /api/v1/review/export"}
	for key, want := range map[string][]int{
		"":                      {200, 200, 200, 401, 401, 401, 401, 401},
		"wrong":                 {200, 200, 200, 401, 401, 401, 401, 401},
		strings.Repeat("m", 19): {200, 200, 200, 401, 401, 401, 401, 401},
		strings.Repeat("m", 20): {200, 200, 200, 200, 200, 403, 403, 403},
		"anas-secret-key-1":     {200, 200, 200, 200, 200, 200, 403, 403},
		strings.Repeat("b", 20): {200, 200, 200, 200, 200, 200, 200, 200},
	} {
		for i, p := range paths {
			method, path, _ := strings.Cut(p, " ")
			if code, _ := ask(t, method, url+path, "", "Authorization", "Bearer "+key); code != want[i] {
				t.Errorf("key %q, %s: %d, want %d", key, p, code, want[i])
			}
		}
	}
	ask(t, "POST", url+"/api/v1/review/items", `{"items":[{"text":"a cough","start":2,"end":7,"group":"Findings","candidates":[{"code":"X","name":"x","probability":1}]}]}`, "X-API-Key", strings.Repeat("b", 20))
	_, items := ask(t, "GET", url+"/api/v1/review/next?queue=uncertain", "", "Authorization", "Bearer anas-secret-key-1")
	id := regexp.MustCompile(`link:[0-9a-f]+`).FindString(items)
	// A key's name is the reviewer, whatever the request claims.
	_, d := ask(t, "POST", url+"/api/v1/review/decisions", fmt.Sprintf(`{"item":%q,"reviewer":"boss","action":"accept"}`, id), "Authorization", "Bearer anas-secret-key-1")
	if !strings.Contains(d, `"reviewer":"ana"`) {
		t.Errorf("%s", d)
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "mmmm") || !strings.Contains(log.String(), "key=ana") {
		t.Error("the log holds a key, or not its name")
	}
	for _, bad := range []string{"", "a link", "a king 1234567890123456", "a link short", "a link sha256:00"} {
		if _, err := ReadKeys(strings.NewReader(bad), "keys"); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// Comparing takes the same steps whichever key is right: the time for a match of the first and of the last of many keys and for
// no match differ by less than noise. They are timed in turn, so that a processor that slows down slows all three, and a leak
// shows in every trial, a disturbance in some. This is a coarse guard beside the code's own use of crypto/subtle.
func TestKeysAreComparedInConstantTime(t *testing.T) {
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("set SYNCABEL_SLOW=1 to measure")
	}
	var keys []Key
	for i := range 200 {
		keys = append(keys, Key{Name: fmt.Sprint(i), Hash: sha256.Sum256(fmt.Appendf(nil, "key %d", i))})
	}
	presented := [3]string{"key 0", "key 199", "key x"}
	var least [3]time.Duration
	for range 10 {
		least = [3]time.Duration{time.Hour, time.Hour, time.Hour}
		for range 300 {
			for i, key := range presented {
				start := time.Now()
				for range 20 {
					find(keys, key)
				}
				least[i] = min(least[i], time.Since(start))
			}
		}
		if float64(slices.Max(least[:])) < 1.25*float64(slices.Min(least[:])) {
			return
		}
	}
	t.Errorf("in each of ten trials; the last: first %v, last %v, none %v", least[0], least[1], least[2])
}

// A thousand idle connections and a hundred clients that send a byte now and then take nothing from the others.
func TestIdleAndSlowClients(t *testing.T) {
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("set SYNCABEL_SLOW=1 to open 1,100 connections")
	}
	opt := options(t)
	opt.MaxRequests = 50 // fewer than there are slow clients
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, nil, time.Second) }()
	for i := range 1100 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%11 == 0 { // headers, the length of a body, and a little of it
			io.WriteString(c, "POST /api/v1/link HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"te")
		} else if i%11 == 1 { // half a header
			io.WriteString(c, "GET /api/v1/info HTTP/1.1\r\nHo")
		}
	}
	url := "http://" + l.Addr().String()
	var worst time.Duration
	for range 200 {
		start := time.Now()
		if code, b := ask(t, "POST", url+"/api/v1/link", `{"text":"[fever]{Findings}"}`); code != 200 {
			t.Fatalf("%d %s", code, b)
		}
		worst = max(worst, time.Since(start))
	}
	t.Logf("slowest of 200 requests beside 1,100 connections: %v", worst)
	if worst > 2*time.Second {
		t.Errorf("slowest request: %v", worst)
	}
	cancel()
	<-ended
}
