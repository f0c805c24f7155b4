package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"syncabel/internal/llm"
	"syncabel/internal/llm/fake"
	"syncabel/internal/synth"
)

// TestKilled kills a run with SIGKILL at random moments and resumes it: every request is answered exactly once in the journal, a
// request that the journal had at a kill is never sent again, and the answers are those of an undisturbed run. The full size, 20,000
// requests and 50 kills, runs with SYNCABEL_SLOW=1.
func TestKilled(t *testing.T) {
	requests, kills, inFlight := 600, 4, 16
	if os.Getenv("SYNCABEL_SLOW") != "" {
		requests, kills, inFlight = 20_000, 50, 64
	}
	dir := t.TempDir()
	s := fake.New(fake.Options{Latency: 40 * time.Millisecond})
	s.Watch()
	h := httptest.NewServer(s)
	defer h.Close()
	k := &killed{t: t, dir: dir, server: s, bin: linkBinary(t), url: h.URL + "/v1", inFlight: fmt.Sprint(inFlight)}
	k.plan(requests)

	for i := range kills {
		k.runFor(time.Duration(60+rand.N(400)) * time.Millisecond)
		k.checkPaidOnce(i)
	}
	k.run("synth", "run", "-q", "--endpoint", k.url, "--in-flight", k.inFlight, dir)
	k.checkPaidOnce(kills)
	if n := len(k.times); n != requests {
		t.Errorf("the journal has %d of %d requests", n, requests)
	}
	paid := s.Counts()["answered"]
	if twice := paid - int64(requests); twice > int64(kills*inFlight) {
		t.Errorf("%d answers were paid for and lost, at most %d were in flight at the kills", twice, kills*inFlight)
	}
	t.Logf("%d requests, %d kills: %d answers paid, %d of them lost with a kill", requests, kills, paid, paid-int64(requests))
	k.run("synth", "collect", dir)
	disturbed := k.read("answers.jsonl")
	for _, name := range []string{"journal.jsonl", "answers.jsonl"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	k.run("synth", "run", "-q", "--endpoint", k.url, "--in-flight", "512", dir)
	k.run("synth", "collect", dir)
	if !bytes.Equal(disturbed, k.read("answers.jsonl")) {
		t.Error("the answers differ from those of an undisturbed run")
	}
}

type killed struct {
	t        *testing.T
	dir      string
	server   *fake.Server
	bin      string
	url      string
	inFlight string
	asks     map[llm.Key]ask
	times    map[llm.Key]int64 // how often a request of the journal was answered when it was first seen there
}

type ask struct {
	system, user string
	seed         int64
}

// linkBinary makes the test binary callable as syncabel.
func linkBinary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "syncabel")
	if err := os.Symlink(self, bin); err != nil {
		t.Skip("no links here: ", err)
	}
	return bin
}

func (k *killed) run(args ...string) {
	k.t.Helper()
	if out, err := exec.Command(k.bin, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("syncabel %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// runFor runs until it is killed.
func (k *killed) runFor(d time.Duration) {
	ctx, cancel := context.WithTimeout(k.t.Context(), d)
	defer cancel()
	exec.CommandContext(ctx, k.bin, "synth", "run", "-q", "--endpoint", k.url, "--in-flight", k.inFlight, k.dir).Run() // ends by SIGKILL, or is done
	time.Sleep(100 * time.Millisecond)                                                                                 // the server notices
}

func (k *killed) read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		k.t.Fatal(err)
	}
	return b
}

// plan plans one request for each of n concepts.
func (k *killed) plan(n int) {
	var kb strings.Builder
	kb.WriteString("code\tname\tsemantic_group\tlang\n")
	for i := range n {
		fmt.Fprintf(&kb, "C%06d\tdisorder number %d\tDisorders\ten\n", i, i)
	}
	table := filepath.Join(k.dir, "kb.tsv")
	if err := os.WriteFile(table, []byte(kb.String()), 0o644); err != nil {
		k.t.Fatal(err)
	}
	k.run("import", "kb", "--format", "table", "--out", filepath.Join(k.dir, "kb"), table)
	k.run("synth", "plan", "-q", "--kb", filepath.Join(k.dir, "kb"), "--model", "m", "--out", k.dir)
	p, err := synth.OpenPlan(filepath.Join(k.dir, "plan.jsonl"))
	if err != nil {
		k.t.Fatal(err)
	}
	k.asks, k.times = map[llm.Key]ask{}, map[llm.Key]int64{}
	for r, err := range p.Requests() {
		if err != nil {
			k.t.Fatal(err)
		}
		user := strings.TrimRight(r.Messages[1].Content, "\n") + "\n\n" + r.IfSchema
		k.asks[r.Key()] = ask{r.Messages[0].Content, user, r.Seed}
	}
}

// checkPaidOnce reads the journal as it is and holds the server's count of answers against that of the kills before.
func (k *killed) checkPaidOnce(kill int) {
	seen := map[llm.Key]bool{}
	for _, line := range bytes.SplitAfter(k.journal(), []byte("\n")) {
		var e llm.Entry
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &e) != nil {
			continue // torn, or the end
		}
		if seen[e.Key] || e.Error != "" {
			k.t.Fatalf("kill %d: %s is in the journal twice or failed: %s", kill, e.Key, e.Error)
		}
		seen[e.Key] = true
		a := k.asks[e.Key]
		times := k.server.Times(a.system, a.user, a.seed)
		if before, ok := k.times[e.Key]; ok && before != times || times == 0 {
			k.t.Fatalf("kill %d: a request of the journal was answered %d times, %d before", kill, times, before)
		}
		k.times[e.Key] = times
	}
}

// journal reads the journal, which a very early kill leaves out.
func (k *killed) journal() []byte {
	b, err := os.ReadFile(filepath.Join(k.dir, "journal.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		k.t.Fatal(err)
	}
	return b
}
