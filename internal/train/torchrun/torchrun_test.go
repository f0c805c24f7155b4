package torchrun

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/train"
)

var update = flag.Bool("update", false, "write the golden files")

// TestData: the arrays hold the batches of the native engine, each packed into sequences of at most micro_tokens, nothing lost.
func TestData(t *testing.T) {
	_, c, tok := base(t)
	j := &Job{Settings: Settings{MicroTokens: 80}, Dir: t.TempDir(), Model: c, Train: options(), Tokenizer: tok, Source: &source{}}
	d, err := j.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(j.Dir, dataName)
	tokens, targets, lengths := array32(t, dir, "tokens"), array32(t, dir, "targets"), array32(t, dir, "lengths")
	sequences, perStep := array32(t, dir, "sequences"), array32(t, dir, "steps")
	if d.Steps != steps || len(perStep) != steps || len(sequences) != d.Sequences || len(lengths) != d.Examples || int64(len(tokens)) != d.Tokens || len(targets) != len(tokens) {
		t.Fatalf("%+v: arrays of %d %d %d %d %d", d, len(perStep), len(sequences), len(lengths), len(tokens), len(targets))
	}
	want := train.NewBatches(c, tok, &source{}, j.Train)
	var b model.Batch
	for _, n := range perStep {
		if err := want.Next(&b); err != nil {
			t.Fatal(err)
		}
		var got []string // examples of the step; their order is the packing's
		for _, k := range sequences[:n] {
			long := int32(0)
			for _, l := range lengths[:k] {
				got = append(got, example(tokens[:l], targets[:l]))
				tokens, targets, long = tokens[l:], targets[l:], long+l
			}
			if lengths = lengths[k:]; long > 80 {
				t.Errorf("a sequence of %d tokens", long)
			}
		}
		sequences = sequences[n:]
		var all []string
		for i, s := range b.Starts {
			end := len(b.Tokens)
			if i+1 < len(b.Starts) {
				end = int(b.Starts[i+1])
			}
			all = append(all, example(b.Tokens[s:end], b.Targets[s:end]))
		}
		slices.Sort(got)
		if slices.Sort(all); !slices.Equal(got, all) {
			t.Fatalf("examples %v instead of %v", got, all)
		}
	}
	rates, err := os.ReadFile(filepath.Join(dir, "rates.f64"))
	if err != nil || len(rates) != 8*steps {
		t.Errorf("%d bytes of rates: %v", len(rates), err)
	}
	j.Source = nil // found complete, not made again
	if again, err := j.prepare(t.Context()); err != nil || again.Tokens != d.Tokens {
		t.Errorf("%+v: %v", again, err)
	}
}

func example(tokens, targets []int32) string {
	b, _ := json.Marshal([][]int32{tokens, targets})
	return string(b)
}

func array32(t *testing.T, dir, name string) []int32 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name+".i32"))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int32, len(b)/4)
	if _, err := binary.Decode(b, binary.LittleEndian, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCause(t *testing.T) {
	for log, want := range map[string]string{
		"":        "",
		"nothing": "nothing",
		"/usr/bin/python3: No module named torch.distributed\n":                                                    "/usr/bin/python3: No module named torch.distributed",
		"Traceback\n  File x\nModuleNotFoundError: No module named 'peft'\nE1125 ChildFailedError: \n":             "ModuleNotFoundError: No module named 'peft'",
		"[rank1]: RuntimeError: gloo\ntorch.distributed.elastic.multiprocessing.errors.ChildFailedError: x\n":      "RuntimeError: gloo",
		"Failure: there are 2 GPUs for 4 processes: set train.torchrun.processes\nRuntimeError: Broken pipe\n":     "there are 2 GPUs for 4 processes: set train.torchrun.processes",
		"======\n  exitcode  : -9 (pid: 7)\n  traceback : Signal 9 (SIGKILL) received by PID 7\n=====\n":           "Signal 9 (SIGKILL) received by PID 7: out of memory?",
		"x torch.distributed.DistNetworkError: The server socket has failed\nDistStoreError: Timed out after 901s": "DistStoreError: Timed out after 901s",
	} {
		if got := cause([]byte(log)); got != want {
			t.Errorf("%q: %q instead of %q", log, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	slurm := map[string]string{"SLURM_JOB_ID": "7"}
	for _, c := range []struct {
		s    Settings
		env  map[string]string
		want string
	}{
		{Settings{Processes: 8}, slurm, "python3 -m torch.distributed.run --nnodes=1 --nproc-per-node=8 --max-restarts=0 --standalone"},
		{Settings{Processes: 8, Nodes: 2, Restarts: 3}, slurm, "srun --nodes=2 --ntasks-per-node=1 python3 -m torch.distributed.run --nnodes=2 --nproc-per-node=8 --max-restarts=3 --rdzv-backend=c10d --rdzv-endpoint=here:29400 --rdzv-id=7"},
		{Settings{Nodes: 2, Rendezvous: "n1:1", Command: []string{"pdsh", "torchrun"}}, nil, "pdsh torchrun --nnodes=2 --nproc-per-node=1 --max-restarts=0 --rdzv-backend=c10d --rdzv-endpoint=n1:1 --rdzv-id=syncabel"},
	} {
		j := &Job{Settings: c.s, Dir: "/d"}
		if err := j.defaults(); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(j.arguments(func(k string) string { return c.env[k] }, "here"), " ")
		if got != c.want+" /d/trainer.py /d/settings.json" {
			t.Errorf("%s instead of %s", got, c.want)
		}
	}
}

// TestResult: steps that were made again after a kill count once, torn lines not at all.
func TestResult(t *testing.T) {
	j := &Job{Dir: t.TempDir()}
	lines := `{"event":"start","step":0}
{"event":"step","step":1,"loss":9,"tokens":10,"seconds":1,"lr":0.1}
{"event":"step","step":2,"loss":8,"tokens":10,"seconds":1,"lr":0.1}
{"event":"step","st
{"event":"start","step":1,"processes":2}
{"event":"step","step":2,"loss":4,"tokens":10,"seconds":3,"lr":0.2}
{"event":"step","step":3,"loss":2,"tokens":10,"seconds":1,"lr":0.3}
{"event":"done","step":3}
`
	if err := os.WriteFile(filepath.Join(j.Dir, metricsName), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := j.result(&data{Steps: 3, Tokens: 30})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Losses, []float64{9, 4, 2}) || r.Resumed != 1 || r.TokensPerSecond != 6 || r.Log[0] != (train.Record{Step: 3, Tokens: 30, Loss: 5, LR: 0.3}) {
		t.Errorf("%+v", r)
	}
}

func TestSlurm(t *testing.T) {
	for name, s := range map[string]Slurm{
		"one.sbatch": {Name: "train", Command: []string{"syncabel", "train", "--set", `link.modes=["free"]`, "a b.toml"}, Nodes: 1, GPUs: 1, CPUs: 8, Memory: 64, Hours: 3},
		"two.sbatch": {Name: "train", Command: []string{"syncabel", "train", "c.toml"}, Nodes: 2, GPUs: 8, CPUs: 16, Hours: 24},
	} {
		got, err := s.Script()
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	if _, err := (Slurm{Name: "a\nb"}).Script(); err == nil {
		t.Error("a line end in a name")
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for want, s := range map[string]Settings{"dtype": {DType: "fp8"}, "attention": {Attention: "eager"}, "negative": {Nodes: -1}} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
