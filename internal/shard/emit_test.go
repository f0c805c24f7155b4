package shard

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

var emits = map[string]Emit{
	"plain": {Shards: 64, Worker: []string{"link", "--run", "/data/run", "--plan", "/data/plan.json", "--out", "/data/parts"},
		Merge: []string{"shard", "merge", "--plan", "/data/plan.json", "--parts", "/data/parts", "/data/linked.jsonl"}},
	"engine": {Shards: 512, Parallel: 8, CPUs: 8, Memory: 64, GPUs: 1, Hours: 12, Name: "big", Image: "registry.example/syncabel:1",
		EngImage: "lmsysorg/sglang:latest", Volume: "corpus", Engine: "python3 -m sglang.launch_server --model-path /data/8b --host 127.0.0.1 --port $PORT",
		Worker: []string{"link", "--run", "/data/it's $HOME", "--plan", "/data/plan.json", "--out", "/data/parts"},
		Merge:  []string{"shard", "merge", "--plan", "/data/plan.json", "--parts", "/data/parts", "/data/linked.jsonl"}},
	"synth": {Verb: "synth", Shards: 16, GPUs: 1, Engine: "vllm serve /data/70b --host 127.0.0.1 --port $PORT",
		Worker: []string{"synth", "run", "--in-flight", "256", "--plan", "/data/shards.json", "--out", "/data/parts"},
		Merge:  []string{"shard", "merge", "--plan", "/data/shards.json", "--parts", "/data/parts", "/data/synth/journal.jsonl"}},
	"judge": {Verb: "judge", Shards: 8, Parallel: 2,
		Worker: []string{"judge", "run", "--kb", "/data/kb", "--model", "m", "--blind", "--endpoint", "http://llm:8000/v1", "--plan", "/data/shards.json", "--out", "/data/parts"},
		Merge:  []string{"shard", "merge", "--plan", "/data/shards.json", "--parts", "/data/parts", "/data/judged/journal.jsonl"}},
}

func TestEmit(t *testing.T) {
	for name, e := range emits {
		for _, system := range Systems() {
			files, err := e.Files(system)
			if err != nil {
				t.Fatal(err)
			}
			for file, got := range files {
				golden := filepath.Join("testdata", name+"-"+file)
				if *update {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s differs from what is emitted (%v); -update writes it", golden, err)
				}
				lint(t, golden)
			}
		}
	}
	if _, err := (Emit{Shards: 1, Name: "a\nb"}).Files("slurm"); err == nil {
		t.Error("a line end in a name passed")
	}
}

// lint has the shell, and shellcheck, read scripts where they are there.
func lint(t *testing.T, path string) {
	if !strings.HasSuffix(path, ".sbatch") {
		return
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here: ", err)
	}
	if out, err := exec.Command(bash, "-n", path).CombinedOutput(); err != nil {
		t.Errorf("%s: %s", path, out)
	}
	if check, err := exec.LookPath("shellcheck"); err == nil {
		if out, err := exec.Command(check, "--severity=warning", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", path, out)
		}
	}
}

// TestSlurmScriptRuns: the script, as a task of an array, runs the worker with its shard, and asks to be queued again after 75.
func TestSlurmScriptRuns(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here: ", err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("scontrol", "#!/bin/sh\necho \"$@\" >> "+dir+"/requeued\n")
	write("worker", "#!/bin/sh\necho \"$@\" >> "+dir+"/called\nexit 75\n")
	e := emits["plain"]
	e.Binary = filepath.Join(dir, "worker")
	files, err := e.Files("slurm")
	if err != nil {
		t.Fatal(err)
	}
	write("link.sbatch", string(files["link.sbatch"]))
	c := exec.Command(bash, filepath.Join(dir, "link.sbatch"))
	c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SLURM_ARRAY_TASK_ID=17", "SLURM_ARRAY_JOB_ID=9", "SLURM_CPUS_PER_TASK=2")
	if err := c.Run(); c.ProcessState.ExitCode() != 75 {
		t.Errorf("%v", err)
	}
	called, _ := os.ReadFile(filepath.Join(dir, "called"))
	requeued, _ := os.ReadFile(filepath.Join(dir, "requeued"))
	if !strings.HasSuffix(string(called), "--threads 2 --shard 17/64\n") || string(requeued) != "requeue 9_17\n" {
		t.Errorf("called %q, queued again %q", called, requeued)
	}
}
