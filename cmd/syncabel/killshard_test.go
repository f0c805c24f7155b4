package main

import (
	"bytes"
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
)

// TestKilledShards: workers of synth and of judge, two at a time on one shard, are killed at random moments. The merged journal is the
// one of a single worker that nobody disturbed, byte for byte, and no request that a journal had at a kill was sent again.
// SYNCABEL_SLOW=1 is the full size.
func TestKilledShards(t *testing.T) {
	requests, shards, kills := 160, 2, 3
	if os.Getenv("SYNCABEL_SLOW") != "" {
		requests, shards, kills = 2000, 16, 40
	}
	for _, verb := range []string{"synth", "judge"} {
		t.Run(verb, func(t *testing.T) {
			s := fake.New(fake.Options{Latency: 50 * time.Millisecond, Answer: map[string]func(fake.Ask) string{"judge": verdicts}[verb]})
			h := httptest.NewServer(s)
			defer h.Close()
			k := &killed{t: t, dir: t.TempDir(), server: s, bin: linkBinary(t), url: h.URL + "/v1"}
			k.plan(requests)
			w := &shardWorkers{killed: k, verb: verb, shards: shards}
			w.plan(requests)
			killedAtWork := 0
			for range kills {
				killedAtWork += w.killTwins(rand.IntN(shards))
			}
			paid := s.Counts()["answered"]
			had := w.journals()
			for id := range shards {
				k.run(w.worker("plan.json", "parts", id, shards)...)
			}
			if again := s.Counts()["answered"] - paid; int(again) != requests-had {
				t.Errorf("%d answers were paid for after the kills, %d were missing", again, requests-had)
			}
			k.run(w.worker("whole.json", "whole", 0, 1)...)
			got, want := w.merged("plan.json", "parts"), w.merged("whole.json", "whole")
			if n := bytes.Count(got, []byte("\n")); !bytes.Equal(got, want) || n != requests {
				t.Errorf("%d rows of %d requests, %d bytes; undisturbed %d bytes", n, requests, len(got), len(want))
			}
			t.Logf("%d requests, %d shards, %d workers killed at work, %d answers kept by then", requests, shards, killedAtWork, had)
		})
	}
}

// shardWorkers are workers of one verb.
type shardWorkers struct {
	*killed
	verb   string
	shards int
}

// plan cuts the requests twice: into shards, and whole.
func (w *shardWorkers) plan(n int) {
	input := []string{w.dir}
	if w.verb == "judge" {
		input = []string{"--kb", filepath.Join(w.dir, "kb"), "--model", "m", w.predictions(n)}
	}
	for name, shards := range map[string]int{"plan.json": w.shards, "whole.json": 1} {
		w.run(append([]string{"shard", "plan", w.verb, "--chunk", "25", "--shards", fmt.Sprint(shards), "--write", filepath.Join(w.dir, name)}, input...)...)
	}
}

// predictions are n wrong ones.
func (w *shardWorkers) predictions(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"document":"%d","mention":"m","text":"it","sentence":"Case %d has [it].","gold":[["C%06d"]],"has_gold":true,"candidates":[{"code":"C%06d"}]}`+"\n", i, i, i, (i+1)%n)
	}
	path := filepath.Join(w.dir, "predictions.jsonl")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// worker is the command of a worker.
func (w *shardWorkers) worker(plan, out string, id, shards int) []string {
	args := []string{w.verb, "run", "-q", "--endpoint", w.url, "--in-flight", "8", "--plan", filepath.Join(w.dir, plan), "--out", filepath.Join(w.dir, out), "--shard", fmt.Sprintf("%d/%d", id, shards)}
	if w.verb == "judge" {
		args = append(args, "--kb", filepath.Join(w.dir, "kb"), "--model", "m")
	}
	return args
}

// killTwins starts two workers on a shard and kills both in the middle. One is sent away with 75 where it comes to it. It returns how many
// the kill ended at work.
func (w *shardWorkers) killTwins(id int) (killed int) {
	args := w.worker("plan.json", "parts", id, w.shards)
	twins := []*exec.Cmd{exec.Command(w.bin, args...), exec.Command(w.bin, args...)}
	for _, c := range twins {
		if err := c.Start(); err != nil {
			w.t.Fatal(err)
		}
	}
	w.untilWriting(id)
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	for _, c := range twins {
		c.Process.Kill()
	}
	for _, c := range twins {
		c.Wait()
		switch code := c.ProcessState.ExitCode(); code {
		case -1:
			killed++
		case exitDone, exitRetry:
		default:
			w.t.Errorf("a twin ended with %d", code)
		}
	}
	time.Sleep(100 * time.Millisecond) // the server notices
	return killed
}

// untilWriting waits until a shard's journal has an entry, or for its marker.
func (w *shardWorkers) untilWriting(id int) {
	dir := filepath.Join(w.dir, "parts")
	for range 12_000 { // a loaded machine takes its time
		if st, err := os.Stat(filepath.Join(dir, fmt.Sprintf("part-%05d.journal.jsonl", id))); err == nil && st.Size() > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Error("no journal after two minutes")
}

// journals counts the answered requests in all journals, each once.
func (w *shardWorkers) journals() int {
	paths, _ := filepath.Glob(filepath.Join(w.dir, "parts", "*.journal.jsonl"))
	seen := map[llm.Key]bool{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, line := range bytes.SplitAfter(b, []byte("\n")) {
			var e llm.Entry
			if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &e) != nil {
				continue // torn, or the end
			}
			if seen[e.Key] || e.Error != "" {
				w.t.Errorf("%s is in the journals twice or failed: %s", e.Key, e.Error)
			}
			seen[e.Key] = true
		}
	}
	return len(seen)
}

func (w *shardWorkers) merged(plan, parts string) []byte {
	out := parts + ".jsonl"
	w.run("shard", "merge", "--plan", filepath.Join(w.dir, plan), "--parts", filepath.Join(w.dir, parts), filepath.Join(w.dir, out))
	return w.read(out)
}
