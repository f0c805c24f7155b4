package torchrun

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// modules lists those of its arguments that a Python lacks.
const modules = "import importlib.util as u, sys; print(*[m for m in sys.argv[1:] if not u.find_spec(m)])"

// requirements looks for Python and its packages before data are prepared. A command of the user's own may run elsewhere, in a
// container say: it must be tried.
func (j *Job) requirements(ctx context.Context) error {
	if len(j.Command) > 0 {
		return nil
	}
	need := []string{"torch", "transformers"}
	if j.LoRA != nil {
		need = append(need, "peft")
	}
	out, err := exec.CommandContext(ctx, j.Python, append([]string{"-c", modules}, need...)...).Output()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: running %s: %v: install Python, torch and transformers, or name a Python that has them in train.torchrun.python", ErrMissing, j.Python, err)
	}
	if lacks := strings.Fields(string(out)); len(lacks) > 0 {
		return fmt.Errorf("%w: %s has no %s: %s -m pip install %s, or name a Python that has them in train.torchrun.python",
			ErrMissing, j.Python, strings.Join(lacks, " and no "), j.Python, strings.Join(need, " "))
	}
	return nil
}

// arguments is the command line of torchrun.
func (j *Job) arguments(getenv func(string) string, host string) []string {
	args := j.Command
	if len(args) == 0 {
		args = []string{j.Python, "-m", "torch.distributed.run"}
		if j.Nodes > 1 && getenv("SLURM_JOB_ID") != "" {
			args = append([]string{"srun", fmt.Sprint("--nodes=", j.Nodes), "--ntasks-per-node=1"}, args...)
		}
	}
	args = append(slices.Clone(args), fmt.Sprint("--nnodes=", j.Nodes), fmt.Sprint("--nproc-per-node=", j.Processes), fmt.Sprint("--max-restarts=", j.Restarts))
	if j.Nodes > 1 {
		args = append(args, "--rdzv-backend=c10d", "--rdzv-endpoint="+cmp.Or(j.Rendezvous, host+":29400"), "--rdzv-id="+cmp.Or(getenv("SLURM_JOB_ID"), "syncabel"))
	} else {
		args = append(args, "--standalone")
	}
	return append(args, filepath.Join(j.Dir, trainerName), filepath.Join(j.Dir, settingsName))
}

// launch runs torchrun to its end and returns the event done. The trainer stops when its standard input ends: that is how it is told,
// on every node and even when this program is killed.
func (j *Job) launch(ctx context.Context, steps int) (*Event, error) {
	log, err := os.OpenFile(filepath.Join(j.Dir, logName), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("starting torchrun: %w", err)
	}
	defer log.Close()
	host, _ := os.Hostname()
	args := j.arguments(os.Getenv, host)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "SYNCABEL_LAUNCHED=1", "HF_HUB_OFFLINE=1", "PYTHONUNBUFFERED=1", "PYTHONHASHSEED=0") // lists that PEFT makes of sets: same bytes twice
	cmd.Stdout, cmd.Stderr = log, log
	apart(cmd)
	w := &watch{job: j, steps: steps}
	w.log.path, w.events.path = log.Name(), filepath.Join(j.Dir, metricsName)
	if err := w.skip(); err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: starting torchrun: %v: install PyTorch (pip install torch transformers peft), or say in train.torchrun.python or train.torchrun.command where it is", ErrMissing, err)
	}
	return w.follow(ctx, cmd, stdin)
}

// watch follows one start.
type watch struct {
	job    *Job
	steps  int
	events tail
	log    tail
	last   Event // but for steps
	made   int   // steps
}

// skip passes over what earlier starts left.
func (w *watch) skip() error {
	for _, t := range []*tail{&w.events, &w.log} {
		st, err := os.Stat(t.path)
		if err == nil {
			t.at = st.Size()
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (w *watch) follow(ctx context.Context, cmd *exec.Cmd, stdin io.Closer) (*Event, error) {
	defer stdin.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	asked, patience := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case <-tick.C:
			if err := w.events.read(w.event); err != nil {
				w.say("reading %s: %v", w.events.path, err)
			}
		case <-asked:
			stdin.Close()
			asked, patience = nil, time.After(grace)
		case <-patience:
			kill(cmd)
		case err := <-ended:
			if err := w.events.all(w.event); err != nil {
				return nil, fmt.Errorf("reading %s: %w", w.events.path, err)
			}
			return w.outcome(ctx, err)
		}
	}
}

func (w *watch) say(format string, args ...any) {
	if w.job.Log != nil {
		w.job.Log(format, args...)
	}
}

func (w *watch) event(e *Event) {
	w.made = e.Step
	if e.Event != stepped {
		w.last = *e
	}
	switch e.Event {
	case started:
		where := fmt.Sprintf("%d processes on %s", e.Processes, e.Device)
		if e.Device == "cpu" {
			where += ": torch sees no GPU"
		}
		if e.Step > 0 {
			where += fmt.Sprintf(", from step %d on", e.Step)
		}
		w.say("%-12s torch %s, transformers %s, %s", "torchrun", e.Torch, e.Transformers, where)
	case stepped:
		if w.job.Note != nil {
			w.job.Note(e.note())
		}
	}
	if w.job.Progress != nil {
		w.job.Progress(int64(e.Step), int64(w.steps))
	}
}

// outcome says how a start ended.
func (w *watch) outcome(ctx context.Context, err error) (*Event, error) {
	switch {
	case w.last.Event == done:
		return &w.last, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("training stopped after %d of %d steps: %w", w.made, w.steps, ctx.Err())
	case w.last.Event == stopped:
		return nil, fmt.Errorf("training after %d of %d steps: %w", w.made, w.steps, ErrStopped)
	}
	b, rerr := os.ReadFile(w.log.path)
	if rerr != nil {
		return nil, fmt.Errorf("training failed: %w", errors.Join(err, rerr))
	}
	why := cmp.Or(cause(b[min(w.log.at, int64(len(b))):]), "the trainer ended without a result")
	if err == nil {
		err = errors.New("exit status 0")
	}
	return nil, fmt.Errorf("training failed after %d of %d steps: %s (torchrun: %w; all it printed is in %s)", w.made, w.steps, why, err, w.log.path)
}

// raised is the line of a Python exception, maybe behind the number of the process.
var raised = regexp.MustCompile(`(?m)^(?:\[rank\d+\]: ?)?((?:\w+\.)*(?:\w*(?:Error|Exception|Killed)|Failure)\b: .*|.*No module named .*)$`)

// cause finds why a trainer failed in what it printed: the first exception of a process, or the signal that ended one.
func cause(log []byte) string {
	for _, m := range raised.FindAllSubmatch(log, -1) {
		if s := string(m[1]); !strings.Contains(s, "ChildFailedError") {
			return strings.TrimPrefix(s, "Failure: ")
		}
	}
	if i := bytes.Index(log, []byte("Signal ")); i >= 0 { // torchrun: "traceback : Signal 9 (SIGKILL) received by PID 1234"
		line, _, _ := bytes.Cut(log[i:], []byte("\n"))
		return string(bytes.TrimSpace(line)) + ": out of memory?"
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
