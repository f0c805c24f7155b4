// Command syncabel links mentions in biomedical text to the concepts of a knowledge base. One file a verb; the work is in
// internal, this package talks to the terminal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"syncabel/internal/artifact"
	"syncabel/internal/hub"
	"syncabel/internal/llm"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/shard"
	"syncabel/internal/train/torchrun"
)

// Exit codes, a contract with scripts.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitWarnings    = 3
	exitPermanent   = 42
	exitRetry       = 75
	exitInterrupted = 130
)

const about = `Links mentions in biomedical text to concepts of a knowledge base, with a language model that can only write names that exist.

Try:  syncabel demo

Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 error, 2 wrong usage, 3 warnings treated as failure, 42 permanent, 75 try again, 130 interrupted.`

// cli is the command line.
type cli struct {
	Threads    int  `help:"Processor threads to use; changes speed, never a result." default:"0"`
	Quiet      bool `short:"q" help:"No progress."`
	FailOnWarn bool `name:"fail-on-warnings" help:"End with exit code 3 when an input had faults."`

	Demo    demoCmd    `cmd:"" help:"Run the whole chain on the built-in example (about two minutes, no network)."`
	Run     runCmd     `cmd:"" help:"Run the stages of a config in order; finished stages are reused."`
	Import  importCmd  `cmd:"" help:"Import a knowledge base, a corpus or a model."`
	Corpus  corpusCmd  `cmd:"" help:"Check, count, convert and divide corpora."`
	Synth   synthCmd   `cmd:"" help:"Have a language model write sentences for concepts, and check them."`
	Train   trainCmd   `cmd:"" help:"Train the models of a config, natively or on GPUs with torchrun; run takes them over."`
	Link    linkCmd    `cmd:"" help:"Link mentions with the model of a finished run."`
	Shard   shardCmd   `cmd:"" help:"Divide linking, sentences and verdicts among many workers: plan, status, verify, merge, scripts for clusters, a filter, a simulation."`
	Eval    evalCmd    `cmd:"" help:"Score prediction files."`
	Study   studyCmd   `cmd:"" help:"How much human annotation is needed: data-efficiency grids, what to annotate next."`
	Compare compareCmd `cmd:"" help:"Compare two prediction files, paired."`
	Report  reportCmd  `cmd:"" help:"One page about prediction files: tables, plots, errors."`
	Judge   judgeCmd   `cmd:"" help:"Ask language models, or clinicians, whether wrong answers are as good as the gold ones."`
	Serve   serveCmd   `cmd:"" help:"Answer over HTTP: API, page, review."`
	Inspect inspectCmd `cmd:"" help:"Say what an artefact holds."`
	Export  exportCmd  `cmd:"" help:"Write an artefact for other programs."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// app is what verbs work with.
type app struct {
	ctx      context.Context
	cli      *cli
	in       io.Reader
	out      io.Writer
	err      io.Writer
	meter    *meter
	warnings int
}

// errWarnings ends a run that was done but whose input had faults.
var errWarnings = errors.New("the input had faults and --fail-on-warnings is set")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	code := -1
	parser, err := newParser(&c, out, errOut, func(n int) { code = n })
	if err != nil {
		fmt.Fprintln(errOut, err)
		return exitError
	}
	kctx, err := parser.Parse(args)
	if code >= 0 {
		return code
	}
	if err != nil {
		fmt.Fprintf(errOut, "syncabel: %v\nRun syncabel --help for the verbs, syncabel VERB --help for a verb's flags.\n", err)
		return exitUsage
	}
	a := &app{ctx: ctx, cli: &c, in: in, out: out, err: errOut, meter: newMeter(errOut, c.Quiet)}
	err = kctx.Run(a)
	a.meter.end()
	if err == nil && a.warnings > 0 && c.FailOnWarn {
		err = errWarnings
	}
	return a.finish(err)
}

func newParser(c *cli, out, errOut io.Writer, exit func(int)) (*kong.Kong, error) {
	return kong.New(c, kong.Name("syncabel"), kong.Description(about), kong.Writers(out, errOut), kong.Exit(exit), kong.UsageOnError(), formatVars(), promptVars(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
}

// finish prints an error with what the user can do about it and returns the exit code.
func (a *app) finish(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(a.err, "syncabel: interrupted: %v\nThe same command goes on where this one stopped.\n", err)
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(a.err, "syncabel: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(a.err, "syncabel: %v\n", err)
	if h := hint(err); h != "" {
		fmt.Fprintln(a.err, h)
	}
	switch {
	case errors.Is(err, errWarnings):
		return exitWarnings
	case errors.Is(err, hub.ErrDenied):
		return exitPermanent
	case errors.Is(err, hub.ErrUnavailable):
		return exitRetry
	case errors.Is(err, llm.ErrUnavailable):
		return exitRetry
	case errors.Is(err, llm.ErrDenied):
		return exitPermanent
	case errors.Is(err, remote.ErrUnavailable), errors.Is(err, errRetry), errors.Is(err, shard.ErrIncomplete):
		return exitRetry
	case errors.Is(err, shard.ErrMismatch), errors.Is(err, shard.ErrFaults):
		return exitPermanent
	case errors.Is(err, torchrun.ErrStopped):
		return exitRetry
	case errors.Is(err, torchrun.ErrMissing):
		return exitPermanent
	case errors.Is(err, remote.ErrRefused), errors.Is(err, remote.ErrProtocol):
		return exitPermanent
	}
	return exitError
}

// usageError is a fault of the command line that kong cannot see.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "The disk is full. Free some space and run the same command again: finished stages are kept."
	case errors.Is(err, hub.ErrUnavailable):
		return "Run the same command later: it goes on where this one stopped."
	case errors.Is(err, artifact.ErrUnfinished):
		return "That folder was not finished. Run the command that makes it again."
	case errors.Is(err, llm.ErrUnavailable):
		return "What was answered is kept. Run the same command again when the server is back."
	case errors.Is(err, llm.ErrDenied):
		return "Check the address, the model's name (--server-model) and the key (--key-env, --key-file)."
	case errors.Is(err, shard.ErrMismatch):
		return "Plan, flags, run and inputs belong together: use those of the plan, or make another plan and another folder of parts."
	case errors.Is(err, remote.ErrUnavailable):
		return "Look whether the servers run, and run the same command again."
	case errors.Is(err, remote.ErrRefused):
		return "Check the address, the model's name (--oracle-model) and the key (--oracle-key-env, --oracle-key-file)."
	case errors.Is(err, os.ErrPermission):
		return "Check the permissions, or choose another folder with --out."
	case errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "--set"):
		return "Check the path; relative paths start at the current folder, those in a config at the folder `data`."
	}
	return ""
}

type versionCmd struct{}

// Run prints version and origin of the program.
func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintln(a.out, "syncabel "+version())
	return err
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value[:min(12, len(s.Value))]
		}
	}
	if v == "" {
		return "development"
	}
	return v
}
