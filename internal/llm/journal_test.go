package llm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/llm/fake"

	"pgregory.net/rapid"
)

// TestJournalRepair: wherever a file is cut, the whole lines before are kept and the next entry follows them.
func TestJournalRepair(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j")
	j := journal(t, path)
	for i := range 3 {
		if err := j.Append(Entry{Key: request(i).Key(), Answer: "é <a> [b]"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenJournal(path); !errors.Is(err, ErrLocked) {
		t.Error("a second process was let in:", err)
	}
	j.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		os.WriteFile(path, whole[:n], 0o644)
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatal(n, err)
		}
		lines := strings.Count(string(whole[:n]), "\n")
		if err := j.Append(Entry{Key: request(9).Key(), Answer: "x"}); err != nil {
			t.Fatal(err)
		}
		j.Close()
		got, _ := os.ReadFile(path)
		if strings.Count(string(got), "\n") != lines+1 || !strings.HasPrefix(string(got), string(whole[:strings.LastIndexByte(string(whole[:n]), '\n')+1])) {
			t.Fatalf("cut at %d: %q", n, got)
		}
		x := NewIndex()
		if k, _, err := x.Add(path); k != lines+1 || err != nil {
			t.Fatal(n, k, err)
		}
		x.Close()
	}
	os.WriteFile(path, []byte("{}\n"+string(whole)), 0o644)
	if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), path+":1:") {
		t.Error("a broken line in the middle:", err)
	}
}

// TestIndexOrder: the order of files does not matter.
func TestIndexOrder(t *testing.T) {
	dir := t.TempDir()
	k := request(1).Key()
	var paths []string
	for i, e := range []Entry{{Key: k, Error: KindServer}, {Key: k, Answer: "a"}, {Key: k, Answer: "b"}, {Key: k, Error: KindRejected, Final: true}} {
		paths = append(paths, filepath.Join(dir, string(rune('a'+i))))
		j := journal(t, paths[i])
		j.Append(e)
		j.Close()
	}
	want := ""
	rapid.Check(t, func(r *rapid.T) {
		x := NewIndex()
		defer x.Close()
		for _, p := range rapid.Permutation(paths).Draw(r, "order") {
			if _, _, err := x.Add(p); err != nil {
				r.Fatal(err)
			}
		}
		e, ok, err := x.Get(k)
		if want == "" {
			want = e.Answer
		}
		if !ok || err != nil || e.Answer != want || want == "" {
			r.Fatalf("%+v %v %v", e, ok, err)
		}
	})
}

// TestBatches: files of every provider go out, come back in another order, and give the answers of a live run.
func TestBatches(t *testing.T) {
	const n = 50
	s, url := serve(t, fake.Options{Polls: 2, Faults: map[string]float64{fake.Internal: .1}})
	for api, base := range map[string]string{OpenAI: url + "/v1", Anthropic: url, Gemini: url} {
		dir := t.TempDir()
		cfg := Endpoint{URL: base, API: api, Model: "m"}
		b, err := WriteBatch(dir, cfg, requests(n), 20, 0)
		if err != nil || len(b.Shards) != 3 || b.Shards[2].Requests != 10 {
			t.Fatal(api, b, err)
		}
		c := client(t, quick, cfg)
		if err := c.Submit(t.Context(), b, false); err != nil {
			t.Fatal(api, err)
		}
		answered := s.Counts()["answered"]
		if b, err = OpenBatch(dir); err != nil {
			t.Fatal(err)
		}
		if err := c.Submit(t.Context(), b, false); err != nil || s.Counts()["answered"] != answered {
			t.Error(api, "a submitted batch was submitted again:", err)
		}
		var files []string
		for i := 0; len(files) < 3; i++ {
			if err := c.Poll(t.Context(), b); err != nil || i > 5 {
				t.Fatal(api, err, b)
			}
			if files, err = c.Fetch(t.Context(), b); err != nil {
				t.Fatal(api, err)
			}
		}
		x := NewIndex()
		for _, f := range files {
			if _, _, err := x.Add(f); err != nil {
				t.Fatal(api, err)
			}
		}
		live := client(t, quick, cfg)
		missing := 0
		for i := range n {
			e, ok, err := x.Get(request(i).Key())
			if !ok || err != nil {
				t.Fatal(api, i, ok, err)
			}
			if e.Error != "" {
				missing++
				continue
			}
			if r, err := live.Do(t.Context(), request(i)); err != nil || r.Text != e.Answer || e.Usage.Out == 0 {
				t.Errorf("%s: batch %q, live %v %v", api, e.Answer, r, err)
			}
		}
		if missing == 0 || missing > n/2 {
			t.Errorf("%s: %d missing", api, missing)
		}
		x.Close()
	}
}

// TestInterruptedSubmission: a shard that may have been submitted is not submitted again unasked.
func TestInterruptedSubmission(t *testing.T) {
	_, url := serve(t, fake.Options{})
	cfg := Endpoint{URL: url + "/v1"}
	b, err := WriteBatch(t.TempDir(), cfg, requests(3), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Shards[0].Started = true // as a killed program leaves it
	c := client(t, quick, cfg)
	if err := c.Submit(t.Context(), b, false); err == nil || !strings.Contains(err.Error(), "--again") {
		t.Error(err)
	}
	if err := c.Submit(t.Context(), b, true); err != nil || b.Shards[0].ID == "" {
		t.Error(err)
	}
}

func FuzzResults(f *testing.F) {
	k := request(1).Key().String()
	for _, s := range []string{`{"key":"` + k + `","answer":"a","usage":{"in":1,"out":2}}`,
		`{"id":"b","custom_id":"` + k + `","response":{"status_code":200,"body":{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}},"error":null}`,
		`{"custom_id":"` + k + `","result":{"type":"succeeded","message":{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn"}}}`,
		`{"key":"` + k + `","response":{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}}`, `{"key":"` + k + `","error":{"code":3}}`} {
		if e, err := parseResult([]byte(s)); err != nil || e.Key.String() != k {
			f.Fatal(s, e, err)
		}
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if e, err := parseResult([]byte(s)); err == nil && e.Key == (Key{}) {
			t.Error("an entry without key")
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add("openai", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\ndata: [DONE]\n\n")
	f.Add("anthropic", "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	f.Add("gemini", "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\n\n")
	f.Fuzz(func(t *testing.T, api, s string) {
		if r, err := readStream(api, strings.NewReader(s), func() {}); err == nil && r == nil {
			t.Error("neither answer nor error")
		}
	})
}
