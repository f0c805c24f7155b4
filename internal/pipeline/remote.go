package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"syncabel/internal/artifact"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
)

// An Oracle names the servers that hold a model and compute its log-probabilities in place of this process: by their addresses, or by
// the command that starts one on this machine for as long as a model is asked.
type Oracle struct {
	URLs     []string `toml:"urls"`      // replicas of one engine with one model, e.g. http://127.0.0.1:30000
	Command  []string `toml:"command"`   // program and arguments; {model} stands for the model's folder, {port} for the port on 127.0.0.1; it ends with this program, but for SIGKILL elsewhere than on Linux
	Engine   string   `toml:"engine"`    // sglang, vllm, llamacpp; default: as the server says
	Model    string   `toml:"model"`     // what it calls the model; default: the first it lists
	KeyEnv   string   `toml:"key_env"`   // environment variable that holds the API key
	KeyFile  string   `toml:"key_file"`  // or the file that does
	InFlight int      `toml:"in_flight"` // requests at a time and server; default 32
	Timeout  int      `toml:"timeout"`   // seconds of one request; default 120
	Start    int      `toml:"start"`     // seconds that command may take until it answers; default 1800: 16 GB from a slow disk
}

func (o *Oracle) set() bool { return len(o.URLs)+len(o.Command) > 0 }

// identity leaves what makes a difference to answers: that an engine gave them, and which, not where it ran.
func (o *Oracle) identity() Oracle {
	if !o.set() {
		return Oracle{}
	}
	return Oracle{Engine: cmp.Or(o.Engine, autoEngine)}
}

const autoEngine = "auto"

func (o *Oracle) check() error {
	has := func(mark string) bool {
		return slices.ContainsFunc(o.Command, func(a string) bool { return strings.Contains(a, mark) })
	}
	switch {
	case len(o.URLs) > 0 && len(o.Command) > 0:
		return errors.New("link.oracle has urls and a command: servers that run, or one to start")
	case len(o.Command) > 0 && !(has("{model}") && has("{port}")):
		return errors.New("link.oracle.command must say where {model} and {port} go")
	case o.Engine != "" && !slices.Contains([]string{autoEngine, sglang.Name, vllm.Name, llamacpp.Name}, o.Engine):
		return fmt.Errorf("link.oracle.engine is %q: have %s, %s, %s", o.Engine, sglang.Name, vllm.Name, llamacpp.Name)
	}
	return nil
}

// A server is an engine that answers for the model of one folder.
type server struct {
	remote.Engine
	probe *remote.Probe
	dir   string
	stop  func() // ends the engine where it was started here
}

func (s *server) close() {
	if s != nil {
		s.Pool().Close()
		s.stop()
	}
}

// errMembers: a server has one model.
var errMembers = errors.New("a server answers for one model, and this one is the mean of several (train.members): link without servers, or train with members = 1")

// reach finds, or starts, the engine of an opened model, which must pass the probe. The log of one that is started is a file beside the
// model's folder.
func (o *opened) reach(ctx context.Context, cfg Oracle) (*server, error) {
	if len(o.also) > 0 {
		return nil, errMembers
	}
	s := &server{dir: o.dir, stop: func() {}}
	urls := cfg.URLs
	var alive context.Context
	if len(cfg.Command) > 0 {
		url, running, err := s.start(ctx, cfg.Command, engineLog(o.dir))
		if err != nil {
			return nil, err
		}
		urls, alive = []string{url}, running
	}
	pool, err := remote.New(remote.Options{URLs: urls, Model: cfg.Model, KeyEnv: cfg.KeyEnv, KeyFile: cfg.KeyFile, InFlight: cfg.InFlight,
		Timeout: time.Duration(cfg.Timeout) * time.Second, Vocab: o.config.Vocab})
	if err != nil {
		s.stop()
		return nil, err
	}
	err = s.connect(ctx, pool, alive, cfg, o)
	if err != nil {
		pool.Close()
		s.stop()
		if alive != nil {
			err = fmt.Errorf("%w: see %s", err, engineLog(o.dir))
		}
		return nil, fmt.Errorf("connecting to the oracle: %w", err)
	}
	return s, nil
}

// engineLog stands beside a model's folder, which is complete and stays as it is.
func engineLog(dir string) string { return dir + ".engine.log" }

// start runs the command of an engine. The context that it returns ends with the engine.
func (s *server) start(ctx context.Context, command []string, log string) (url string, running context.Context, err error) {
	port, err := freePort()
	if err != nil {
		return "", nil, fmt.Errorf("starting the engine: %w", err)
	}
	model, err := filepath.Abs(s.dir)
	if err != nil {
		return "", nil, fmt.Errorf("starting the engine: %w", err)
	}
	args := make([]string, len(command))
	for i, a := range command {
		args[i] = strings.NewReplacer("{model}", model, "{port}", port).Replace(a)
	}
	out, err := os.Create(log)
	if err != nil {
		return "", nil, fmt.Errorf("starting the engine: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // engines end their own workers then
	cmd.WaitDelay = engineGrace
	endWithUs(cmd)
	running, err = watch(cmd, out)
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("starting the engine: %w", err)
	}
	s.stop = func() { cancel(); <-running.Done() }
	return "http://127.0.0.1:" + port, running, nil
}

// watch runs a command on a thread of its own, which lives as long as the command, since the command ends with the thread. The context that
// it returns ends then too.
func watch(cmd *exec.Cmd, log io.Closer) (context.Context, error) {
	running, ended := context.WithCancelCause(context.Background())
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			err = cmd.Wait()
		}
		ended(fmt.Errorf("%w: it ended: %v", remote.ErrUnavailable, err))
	}()
	return running, <-started
}

// engineGrace is how long an engine may take to end before it is killed.
const engineGrace = 30 * time.Second

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// connect asks a server what it is, for longer than others where it was started here (alive is not nil) and loads, and probes it.
func (s *server) connect(ctx context.Context, pool *remote.Pool, alive context.Context, cfg Oracle, o *opened) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	if alive != nil {
		defer context.AfterFunc(alive, cancel)() // an engine that ended answers no more
	}
	says, err := pool.Ask(asking)
	for until := time.Now().Add(time.Duration(cmp.Or(cfg.Start, 1800)) * time.Second); alive != nil && errors.Is(err, remote.ErrUnavailable) && time.Now().Before(until); {
		says, err = pool.Ask(asking)
	}
	if alive != nil && alive.Err() != nil {
		return context.Cause(alive)
	}
	if err != nil {
		return err
	}
	pool.Model = says.Model
	pool.Context = cmp.Or(min(o.config.Context, says.Context), o.config.Context)
	name := cfg.Engine
	if name == "" || name == autoEngine {
		name = says.Engine
	}
	if s.Engine, err = engine(name, pool); err != nil {
		return err
	}
	s.probe, err = remote.Check(ctx, s.Engine, o.tok)
	return err
}

func engine(name string, p *remote.Pool) (remote.Engine, error) {
	switch name {
	case sglang.Name:
		return sglang.New(p), nil
	case vllm.Name:
		return vllm.New(p), nil
	case llamacpp.Name:
		return llamacpp.New(p), nil
	}
	return nil, fmt.Errorf("%w: it calls itself %q: have sglang, vllm and llamacpp (llama-server); Ollama and chat services tell no log-probabilities of tokens", remote.ErrRefused, name)
}

// note returns what writes into a stage's manifest which engine was asked, how exact the probe found it and how often it was asked
// since; without a server it does nothing.
func (s *server) note(m *artifact.Manifest) func() {
	if s == nil {
		return func() {}
	}
	before := s.Pool().Stats()
	return func() {
		now := s.Pool().Stats()
		m.Metrics = map[string]float64{"oracle epsilon": s.probe.Epsilon}
		m.Counts["oracle rounds"], m.Counts["oracle requests of "+s.probe.Engine] = now.Rounds-before.Rounds, now.Requests-before.Requests
	}
}
