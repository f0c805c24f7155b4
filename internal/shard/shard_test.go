package shard

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// The test binary is its own worker: SHARD_PLAN names the plan, SHARD_DIR the folder, SHARD_IDS the shards.
func TestMain(m *testing.M) {
	if os.Getenv("SHARD_PLAN") != "" {
		os.Exit(work())
	}
	os.Exit(m.Run())
}

func work() int {
	p, err := Read(os.Getenv("SHARD_PLAN"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w := Worker{Plan: p, Dir: os.Getenv("SHARD_DIR"), Do: echo}
	for _, s := range strings.Split(os.Getenv("SHARD_IDS"), ",") {
		id, _ := strconv.Atoi(s)
		if _, err := w.Run(context.Background(), id); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// echo answers a line by its number and checksum, one that is a multiple of 1009 by a fault.
func echo(_ context.Context, lines []Line) ([]byte, []Fault, error) {
	var rows []byte
	var faults []Fault
	for _, l := range lines {
		sum := crc32.ChecksumIEEE(l.Text)
		if sum%1009 == 0 {
			faults = append(faults, Fault{filepath.Base(l.File), l.Number, "a multiple of 1009"})
			continue
		}
		rows = fmt.Appendf(rows, "{\"line\":%d,\"sum\":%d}\n", l.Number, sum)
	}
	return rows, faults, nil
}

func writeInput(t testing.TB, lines int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.jsonl")
	var b bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range lines {
		fmt.Fprintf(&b, "{\"id\":\"%d\",\"text\":\"%s\"}\n", i, strings.Repeat("x", rng.IntN(60)))
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// undisturbed is one worker, one shard.
func undisturbed(t *testing.T, inputs ...string) (rows, faults []byte) {
	p, err := Make(inputs, 1, 1000, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	return mergeAll(t, p, t.TempDir())
}

// mergeAll finishes a plan and returns the merged files.
func mergeAll(t *testing.T, p *Plan, dir string) (rows, faults []byte) {
	t.Helper()
	w := Worker{Plan: p, Dir: dir, Do: echo}
	for id := range p.Shards {
		if _, err := w.Run(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Verify(dir); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := p.Merge(dir, out, out+".errors"); err != nil {
		t.Fatal(err)
	}
	rows, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	faults, _ = os.ReadFile(out + ".errors")
	return rows, faults
}

// TestKilledWorkers: workers are killed at random moments, some shards have two at a time; the merged output is that of one worker
// that nobody disturbed. SYNCABEL_SLOW=1 is the full size: a million lines, 64 shards, 200 kills.
func TestKilledWorkers(t *testing.T) {
	lines, shards, kills, chunk := 20_000, 8, 12, 50
	if os.Getenv("SYNCABEL_SLOW") != "" {
		lines, shards, kills, chunk = 1_000_000, 64, 200, 500
	}
	in, dir := writeInput(t, lines), t.TempDir()
	want, wantFaults := undisturbed(t, in)
	p, err := Make([]string{in}, shards, chunk, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	plan := filepath.Join(dir, "plan.json")
	if err := p.Write(plan); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	killed, twins := 0, 0
	for killed < kills {
		id := unfinished(t, p, dir, rng)
		pair := []*exec.Cmd{start(t, plan, dir, id), start(t, plan, dir, id)}
		twins++
		time.Sleep(time.Duration(5+rng.IntN(60)) * time.Millisecond)
		for _, c := range pair {
			c.Process.Kill()
		}
		for _, c := range pair {
			if c.Wait(); c.ProcessState.ExitCode() == -1 { // ended by the signal, not before
				killed++
			}
		}
	}
	last := start(t, plan, dir, 0) // twins to the end
	rows, faults := mergeAll(t, p, dir)
	if err := last.Wait(); err != nil {
		t.Errorf("a twin: %v", err)
	}
	if !bytes.Equal(rows, want) || !bytes.Equal(faults, wantFaults) {
		t.Errorf("%d bytes of rows and %d of faults, undisturbed %d and %d", len(rows), len(faults), len(want), len(wantFaults))
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.chunks"))
	t.Logf("%d lines, %d shards, %d kills, %d pairs of twins: %d rows, %d faults, left over: %v", lines, shards, killed, twins,
		bytes.Count(rows, []byte("\n")), bytes.Count(faults, []byte("\n")), left)
}

// unfinished returns a shard that is not done. When all are, one is undone.
func unfinished(t *testing.T, p *Plan, dir string, rng *rand.Rand) int {
	t.Helper()
	st, err := p.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	if open := append(st.Begun, st.Missing...); len(open) > 0 {
		return open[rng.IntN(len(open))]
	}
	id := rng.IntN(len(p.Shards))
	for _, path := range []string{part(dir, id), marker(dir, id)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func start(t *testing.T, plan, dir string, id int) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "SHARD_PLAN="+plan, "SHARD_DIR="+dir, fmt.Sprint("SHARD_IDS=", id))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPlanCoversInputs: whatever the files and N, ranges are whole lines, nothing twice, nothing missing.
func TestPlanCoversInputs(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var paths []string
		var all []string
		for i := range rapid.IntRange(1, 3).Draw(t, "files") {
			lines := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,9}`), 0, 30).Draw(t, "lines")
			content := strings.Join(lines, "\n")
			if rapid.Bool().Draw(t, "end") && content != "" {
				content += "\n"
			}
			if i == 0 {
				content = "first\n" + content
			}
			all = append(all, strings.SplitAfter(content, "\n")...)
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
		p, err := Make(paths, rapid.IntRange(1, 40).Draw(t, "n"), 2, nil, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.covers(); err != nil {
			t.Fatal(err)
		}
		w := Worker{Plan: p}
		var got []string
		for _, s := range p.Shards {
			for _, r := range s.Ranges {
				if err := w.lines(r, func(l Line) error { got = append(got, string(l.Text)); return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		var want []string
		for _, s := range all {
			if s != "" {
				want = append(want, strings.TrimSuffix(s, "\n"))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

// TestDamageIsFound: a part that changed, an input that changed, another plan, a missing shard.
func TestDamageIsFound(t *testing.T) {
	in, dir := writeInput(t, 300), t.TempDir()
	p, err := Make([]string{in}, 3, 20, map[string]string{"mode": "hybrid"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(map[string]string{"mode": "free"}); !errors.Is(err, ErrMismatch) {
		t.Errorf("other settings: %v", err)
	}
	w := Worker{Plan: p, Dir: dir, Do: echo}
	for _, id := range []int{0, 2} {
		if _, err := w.Run(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := p.Verify(dir); !errors.Is(err, ErrIncomplete) || s.Done != 2 || fmt.Sprint(s.Missing) != "[1]" {
		t.Errorf("%+v, %v", s, err)
	}
	mergeAll(t, p, dir)
	other := *p
	other.Chunk = 30
	if _, err := (&Worker{Plan: &other, Dir: dir, Do: echo}).Run(context.Background(), 0); !errors.Is(err, ErrMismatch) {
		t.Errorf("another plan: %v", err)
	}
	if err := os.WriteFile(part(dir, 1), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Merge(dir, filepath.Join(dir, "out"), ""); !errors.Is(err, ErrMismatch) {
		t.Errorf("a changed part: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("a merged file of damaged parts is there")
	}
	if err := os.WriteFile(in, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(dir); !errors.Is(err, ErrMismatch) {
		t.Errorf("a changed input: %v", err)
	}
}

// TestEndings: faults beyond the limit, an engine that is lost, and a signal, each with what was answered kept.
func TestEndings(t *testing.T) {
	in, dir := writeInput(t, 400), t.TempDir()
	p, err := Make([]string{in}, 1, 50, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	lost, calls := errors.New("engine lost"), 0
	do := func(ctx context.Context, lines []Line) ([]byte, []Fault, error) {
		if calls++; calls == 4 {
			return nil, nil, lost
		}
		return echo(ctx, lines)
	}
	if _, err := (&Worker{Plan: p, Dir: dir, Do: do}).Run(context.Background(), 0); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (&Worker{Plan: p, Dir: dir, Do: do}).Run(ctx, 0); !errors.Is(err, context.Canceled) || calls != 4 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if _, err := (&Worker{Plan: p, Dir: dir, Do: do}).Run(context.Background(), 0); err != nil || calls != 9 {
		t.Errorf("%v after %d calls: three chunks were there", err, calls)
	}
	bad := func(_ context.Context, lines []Line) ([]byte, []Fault, error) {
		return nil, make([]Fault, len(lines)), nil
	}
	if _, err := (&Worker{Plan: p, Dir: t.TempDir(), Do: bad}).Run(context.Background(), 0); !errors.Is(err, ErrFaults) {
		t.Errorf("%v", err)
	}
}

// TestHalfRemovedChunks: a worker is killed while it takes the chunks of its finished shard away, and the shard has to be done again.
func TestHalfRemovedChunks(t *testing.T) {
	in, dir := writeInput(t, 400), t.TempDir()
	p, err := Make([]string{in}, 1, 50, nil, "test")
	if err != nil {
		t.Fatal(err)
	}
	w := Worker{Plan: p, Dir: dir, Do: echo}
	rows, faults := undisturbed(t, in)
	for _, gone := range []string{".errors", ".rows"} {
		if _, err := w.answer(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(chunkName(w.chunks(0), 3) + gone); err != nil {
			t.Fatal(err)
		}
		got, gotFaults := mergeAll(t, p, dir)
		if !bytes.Equal(got, rows) || !bytes.Equal(gotFaults, faults) {
			t.Errorf("%s: %d bytes of rows and %d of faults, undisturbed %d and %d", gone, len(got), len(gotFaults), len(rows), len(faults))
		}
		for _, path := range []string{part(dir, 0), marker(dir, 0)} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	in := filepath.Join(f.TempDir(), "in")
	os.WriteFile(in, []byte("a\nb\nc\n"), 0o644)
	p, err := Make([]string{in}, 2, 1, map[string]string{"k": "5"}, "test")
	if err != nil {
		f.Fatal(err)
	}
	b, _ := json.Marshal(p)
	f.Add(b)
	f.Add([]byte(`{"version":1,"chunk":1,"inputs":[{"size":-1}],"shards":[{"ranges":[{"input":1}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parse(b); err == nil && p.covers() != nil {
			t.Error("a plan with gaps")
		}
	})
}

// TestFilter: rows are those of a worker, in order, whatever the chunks; parts by ID are disjoint and complete; faults are told, and
// too many end it.
func TestFilter(t *testing.T) {
	in := writeInput(t, 5000)
	want, wantFaults := undisturbed(t, in)
	b, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	var rows, faults bytes.Buffer
	lines, n, err := (&Filter{Do: echo, Chunk: 7, Faults: &faults}).Run(context.Background(), iotest.OneByteReader(bytes.NewReader(b)), "in.jsonl", &rows)
	if err != nil || lines != 5000 || n != bytes.Count(wantFaults, []byte("\n")) || !bytes.Equal(rows.Bytes(), want) || !bytes.Equal(faults.Bytes(), wantFaults) {
		t.Errorf("%d lines, %d faults, %d bytes of rows, want %d: %v", lines, n, rows.Len(), len(want), err)
	}
	all := 0
	for part := range 3 {
		f := Filter{Do: echo, Faults: io.Discard, Part: part, Of: 3, ID: func(line []byte) string { return string(line[:12]) }}
		n, _, err := f.Run(context.Background(), bytes.NewReader(b), "in.jsonl", io.Discard)
		if all += n; err != nil || n == 0 || n == 5000 {
			t.Errorf("part %d: %d lines, %v", part, n, err)
		}
	}
	if all != 5000 {
		t.Errorf("%d lines in three parts", all)
	}
	bad := func(_ context.Context, lines []Line) ([]byte, []Fault, error) {
		return nil, make([]Fault, len(lines)), nil
	}
	if _, _, err := (&Filter{Do: bad, Faults: io.Discard}).Run(context.Background(), bytes.NewReader(b), "in.jsonl", io.Discard); !errors.Is(err, ErrFaults) {
		t.Errorf("%v", err)
	}
}

// TestFilterAnswersAtOnce: what sends a line and waits for its answer gets it.
func TestFilterAnswersAtOnce(t *testing.T) {
	in, to := io.Pipe()
	from, out := io.Pipe()
	go func() {
		_, _, err := (&Filter{Do: echo, Faults: io.Discard}).Run(context.Background(), in, "in", out)
		out.CloseWithError(err)
	}()
	answers := bufio.NewReader(from)
	for i := range 3 {
		fmt.Fprintf(to, "line %d\n", i)
		if s, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(s, fmt.Sprintf(`{"line":%d,`, i+1)) {
			t.Fatalf("%q, %v", s, err)
		}
	}
	to.Close()
	if b, err := io.ReadAll(answers); err != nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}
