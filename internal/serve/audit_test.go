package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"syncabel/internal/judge"
	"syncabel/internal/prediction"
	"syncabel/internal/review"
)

// auditCases are wrong answers over the first concepts of the knowledge base.
func auditCases(s *Server) []prediction.Prediction {
	var out []prediction.Prediction
	for i := range 6 {
		p := prediction.Prediction{Document: fmt.Sprint(i), Mention: "1", Text: "=fièvre", Sentence: "Une [=fièvre], \"dit-il\" : fièvre."}
		p.Gold, p.Candidates = [][]string{{s.opt.KB.ID(i)}}, []prediction.Candidate{{Code: s.opt.KB.ID(i + 10)}}
		out = append(out, p)
	}
	return out
}

// A blind sheet goes in, two clinicians judge it, and each one's sheet comes back as `judge agree` reads it.
func TestAuditQueue(t *testing.T) {
	s, url := start(t, options(t))
	preds := auditCases(s)
	var sheet bytes.Buffer
	if rows, left, err := judge.WriteSheet(&sheet, s.opt.KB, preds, judge.SheetOptions{Seed: 3, Language: "fr"}); err != nil || rows != 6 {
		t.Fatal(rows, left, err)
	}
	post := func(body string) (int, string) {
		return ask(t, "POST", url+"/api/v1/review/audit", body, "Content-Type", "text/csv")
	}
	for i, want := range []string{`"added":6`, `"added":0`} {
		if code, b := post(sheet.String()); code != 200 || !strings.Contains(b, want) {
			t.Fatalf("post %d: %d %s", i, code, b)
		}
	}
	for _, bad := range []string{"nonsense", "id,verdict_a,verdict_b\nx,,\n", strings.Replace(sheet.String(), ",,,\n", ",EXACT,,\n", 1)} {
		if code, b := post(bad); code != 422 {
			t.Errorf("%q: %d %s", bad, code, b)
		}
	}
	if code, b := ask(t, "GET", url+"/api/v1/review/audit?reviewer=ana", ""); code != 200 || b != sheet.String() {
		t.Errorf("an open sheet comes back changed: %d\n%s\n%s", code, b, sheet.String())
	}

	type next struct{ Items []ReviewItem }
	items := askFor[next](t, "GET", url+"/api/v1/review/next?queue=audit&reviewer=ana&offsets=utf16", "").Items
	if it := items[0]; len(items) != 6 || it.Code != "" || len(it.Candidates) != 2 || it.Candidates[0].Code != "" || it.Text[it.Start:] != preds[0].Sentence[5:] {
		t.Fatalf("%+v", items)
	}
	decide := func(reviewer string, i int, action, code string) int {
		b, _ := json.Marshal(map[string]string{"item": items[i].ID, "reviewer": reviewer, "action": action, "code": code, "note": "n" + reviewer})
		status, _ := ask(t, "POST", url+"/api/v1/review/decisions", string(b))
		return status
	}
	for action, code := range map[string]string{"accept": "", "judge": "", "reject": ""} {
		if got := decide("ana", 0, action, code); got != 422 {
			t.Errorf("%s: %d", action, got)
		}
	}
	if a, b := decide("ana", 0, "judge", "EXACT"), decide("ana", 0, "judge", "EXACT/GOOD"); a != 422 || b != 422 {
		t.Error(a, b)
	}
	for i, v := range []string{"EXACT/BROAD", "NO_RELATION/EXACT", "EXACT/NARROW", "BROAD/EXACT"} {
		if a, b := decide("ana", i, "judge", v), decide("bob", i, "judge", "EXACT/BROAD"); a != 200 || b != 200 {
			t.Fatal(a, b)
		}
	}
	askFor[review.Decision](t, "POST", url+"/api/v1/review/undo", `{"queue":"audit","reviewer":"ana"}`)
	if c := decide("ana", 4, "skip", ""); c != 200 {
		t.Error(c)
	}

	// ana judged the first three rows; of the six verdicts both gave, EXACT/BROAD and one EXACT agree: margins 3, 1, 1, 1 and 3, 3 of six
	sum := askFor[review.Summary](t, "GET", url+"/api/v1/review/summary", "")
	chance := 3.0/6*3/6 + 1.0/6*3/6
	if a := sum.Agreement; len(a) != 1 || a[0].Queue != review.Audit || a[0].Items != 6 || math.Abs(a[0].Observed-0.5) > 1e-12 || math.Abs(a[0].Kappa-(0.5-chance)/(1-chance)) > 1e-12 {
		t.Errorf("%+v", a)
	}
	if q := sum.Queues[2]; q.Queue != review.Audit || q.Items != 6 || q.Decided != 4 || q.Conflicts != 2 {
		t.Errorf("%+v", q)
	}
	if _, b := ask(t, "GET", url+"/api/v1/review/export", ""); b != "" {
		t.Errorf("verdicts became training data: %s", b)
	}
	for reviewer, want := range map[string]int{"ana": 3, "bob": 4} {
		_, b := ask(t, "GET", url+"/api/v1/review/audit?reviewer="+reviewer, "")
		back, err := judge.ReadSheet(strings.NewReader(b), reviewer)
		if err != nil || back.Empty != 6-want || !strings.Contains(b, "n"+reviewer) {
			t.Fatal(err, b)
		}
		verdicts, unknown := back.Verdicts(preds, 3)
		if len(verdicts) != want || unknown != 0 {
			t.Errorf("%s: %v, %d unknown", reviewer, verdicts, unknown)
		}
	}
}

// A reviewer adds no rows and sees no verdicts but their own.
func TestAuditKeys(t *testing.T) {
	const ana, boss = "anas-secret-key-1", "the-secret-of-the-boss"
	opt := options(t)
	var err error
	if opt.Keys, err = ReadKeys(strings.NewReader("ana review "+ana+"\nboss admin "+boss), "keys"); err != nil {
		t.Fatal(err)
	}
	_, url := start(t, opt)
	for _, c := range []struct {
		method, key, reviewer string
		want                  int
	}{{"GET", ana, "ana", 200}, {"GET", ana, "bob", 403}, {"GET", boss, "bob", 200}, {"GET", "", "ana", 401}, {"POST", ana, "", 403}, {"POST", boss, "", 200}} {
		body := ""
		if c.method == "POST" {
			body = "id,verdict_a,verdict_b\n"
		}
		if code, b := ask(t, c.method, url+"/api/v1/review/audit?reviewer="+c.reviewer, body, "X-API-Key", c.key, "Content-Type", "text/csv"); code != c.want {
			t.Errorf("%+v: %d %s", c, code, b)
		}
	}
}
