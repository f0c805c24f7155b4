package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/judge"
	"syncabel/internal/omop"
	"syncabel/internal/pipeline"
	"syncabel/internal/report"
	"syncabel/internal/review"
	"syncabel/internal/serve"
)

type serveCmd struct {
	RunDir   string   `name:"run" required:"" help:"Folder of a finished run." type:"path"`
	Addr     string   `default:"127.0.0.1:8417" help:"Address to listen on; port 0 chooses one."`
	Model    string   `help:"Variant of the run; default: its last."`
	Seed     uint64   `help:"Seed of the variant; default: its first."`
	Mode     string   `enum:"hybrid,ranked,beam-trie,beam-hf,certified-top1,free,lexical" default:"hybrid" help:"hybrid, ranked, beam-trie, beam-hf, certified-top1, free or lexical."`
	NIL      float64  `name:"nil" help:"Abstain where no candidate is right with more than this probability; 0: as the run's config says."`
	Language string   `default:"en" help:"Language of texts that do not say: en, fr, es."`
	Workers  int      `help:"Mentions linked at the same time; default: one a processor for small models, else one; 16 with --oracle."`
	Review   string   `help:"Review store: path of an SQLite file, or postgres://... (or the variable SYNCABEL_REVIEW, which keeps a password out of the process list); default: review.db in the run's folder." env:"SYNCABEL_REVIEW"`
	Audit    []string `help:"Blind audit sheet (CSV, of judge sheet) whose rows clinicians judge on the page; may be repeated." type:"path" sep:"none"`
	Also     []string `help:"Folder of another run to show; may be repeated." type:"path" sep:"none"`

	Keys     string   `help:"File of API keys, a line each: name, role (link, review, admin), key or sha256:HASH." type:"path"`
	Open     bool     `help:"Listen beyond this machine without keys: everyone who reaches the address may read and review."`
	Host     []string `help:"Host name the server answers to beside localhost; may be repeated; * for any." sep:"none"`
	TLSCert  string   `name:"tls-cert" help:"Certificate chain (PEM)." type:"path"`
	TLSKey   string   `name:"tls-key" help:"Private key (PEM)." type:"path"`
	MaxBody  int64    `name:"max-body" default:"2097152" help:"Largest request in bytes."`
	Waiting  int      `default:"512" help:"Mentions that may wait to be linked; above it the answer is 429."`
	Requests int      `default:"512" help:"Requests in progress; above it the answer is 503."`

	Timeout time.Duration `default:"30s" help:"Longest time for one answer."`
	Grace   time.Duration `default:"20s" help:"How long requests in progress may take after a stop."`

	System  string `help:"URI of the knowledge base's code system, for FHIR."`
	Release string `help:"Version of the code system, for FHIR."`
	OMOP    string `name:"omop-map" help:"Table from codes to OMOP concepts, for NOTE_NLP." type:"path"`

	oracleFlags

	LogRequests bool `name:"log-requests" help:"Log a line for every request, without its text."`
}

// Help shows examples.
func (serveCmd) Help() string {
	return `Examples:
  syncabel serve --run syncabel-demo
  syncabel serve --run ncbi --addr 0.0.0.0:8417 --keys keys.txt --host linker.hospital.example --tls-cert c.pem --tls-key k.pem
  syncabel serve --run ncbi --audit sheet.csv
  syncabel serve --run big --oracle http://127.0.0.1:30000
  curl -s localhost:8417/api/v1/link -H 'Content-Type: application/json' -d '{"text":"He had an [MI]{Disorders}."}'

The page is at the address itself, the API's description at /openapi.json, metrics at /metrics. Tools that speak to
MedCATservice (/api/process), INCEpTION (external recommender, /predict) and Label Studio (/labelstudio) can use it as it is.
Ctrl-C lets requests in progress finish. No text is ever logged.`
}

// Run serves until it is interrupted.
func (c *serveCmd) Run(a *app) error {
	keys, err := c.access()
	if err != nil {
		return err
	}
	o, linkers, done, err := c.linkers(a)
	if err != nil {
		return err
	}
	defer done()
	if c.Review == "" {
		c.Review = filepath.Join(c.RunDir, "review.db")
	}
	store, err := review.Open(a.ctx, c.Review)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := c.fill(a, store, &o.Record); err != nil {
		return err
	}
	if err := c.fillAudit(a, store); err != nil {
		return err
	}
	opt, err := c.options(a, o, keys)
	if err != nil {
		return err
	}
	opt.Linkers, opt.Store = linkers, store
	if o.Detect != nil {
		opt.Detector = o.Detect
	}
	srv, err := serve.New(*opt)
	if err != nil {
		return err
	}
	defer srv.Close()
	return c.listen(a, srv)
}

// access reads the keys and refuses to let the world in by accident.
func (c *serveCmd) access() ([]serve.Key, error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, &usageError{"--tls-cert and --tls-key belong together"}
	}
	if c.Keys == "" {
		host, _, err := net.SplitHostPort(c.Addr)
		if err != nil {
			return nil, &usageError{"--addr: " + err.Error()}
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) && !c.Open {
			return nil, &usageError{fmt.Sprintf("--addr %s reaches beyond this machine: give --keys FILE, or --open to let everyone read and review", c.Addr)}
		}
		return nil, nil
	}
	f, err := os.Open(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	defer f.Close()
	return serve.ReadKeys(f, filepath.Base(c.Keys))
}

// smallModel is the number of parameters up to which several workers with a thread each beat one worker with all threads.
const smallModel = 50_000_000

// remoteWorkers keep a server's batches filled.
const remoteWorkers = 16

// linkers opens the run, once a worker, and returns what closes it.
func (c *serveCmd) linkers(a *app) (*pipeline.Opened, []serve.Linker, func(), error) {
	workers, threads := c.Workers, a.cli.Threads
	if workers == 0 {
		if workers = 1; pipeline.ModelSize(c.RunDir, c.Model, c.Seed) <= smallModel {
			workers = runtime.GOMAXPROCS(0)
		}
	}
	if threads == 0 && workers > 1 {
		threads = max(runtime.GOMAXPROCS(0)/workers, 1)
	}
	o, done, err := c.open(a, c.RunDir, pipeline.OpenOptions{Model: c.Model, Seed: c.Seed, Mode: c.Mode, Keep: 50, NIL: c.NIL, Threads: threads})
	if err != nil {
		return nil, nil, nil, err
	}
	if p, _ := o.Remote(); p != nil && c.Workers == 0 {
		workers = remoteWorkers
	}
	linkers := []serve.Linker{o.Linker}
	for range workers - 1 {
		l, err := o.Fork(threads)
		if err != nil {
			done()
			return nil, nil, nil, err
		}
		linkers = append(linkers, l)
	}
	return o, linkers, done, nil
}

// fill puts the run's synthetic sentences into the review store; those that are there stay as they are.
func (c *serveCmd) fill(a *app, store *review.Store, rec *pipeline.Record) error {
	if rec.Synth == "" {
		return nil
	}
	docs, err := corpus.ReadFile(filepath.Join(c.RunDir, rec.Synth, corpus.FileName))
	if err != nil {
		return err
	}
	items := review.SyntheticItems(docs, rec.Name)
	n, err := store.Add(a.ctx, items)
	if err == nil && n > 0 {
		a.meter.log("%d synthetic sentences are new in the review store", n)
	}
	return err
}

// fillAudit puts the rows of audit sheets into the review store; those that are there stay as they are.
func (c *serveCmd) fillAudit(a *app, store *review.Store) error {
	for _, path := range c.Audit {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("reading sheet: %w", err)
		}
		rows, err := judge.ReadRows(f, path)
		f.Close()
		if err != nil {
			return err
		}
		items, err := serve.AuditItems(rows)
		if err != nil {
			return fmt.Errorf("reading sheet %s: %w", path, err)
		}
		n, err := store.Add(a.ctx, items)
		if err != nil {
			return err
		}
		a.meter.log("%d of %d rows of %s are new in the review store", n, len(items), path)
	}
	return nil
}

func (c *serveCmd) options(a *app, o *pipeline.Opened, keys []serve.Key) (*serve.Options, error) {
	opt := &serve.Options{KB: o.KB, Program: "syncabel " + version(), Model: c.modelName(&o.Record), Language: c.Language, GroupOf: o.GroupOf, System: c.System, SystemVersion: c.Release,
		Keys: keys, Hosts: c.Host, MaxBody: c.MaxBody, MaxWaiting: c.Waiting, MaxRequests: c.Requests, Timeout: c.Timeout}
	if c.LogRequests {
		opt.Log = slog.New(slog.NewTextHandler(a.err, nil))
	}
	for _, dir := range slices.Concat([]string{c.RunDir}, c.Also) {
		r, err := servedRun(dir)
		if err != nil {
			return nil, err
		}
		opt.Runs = append(opt.Runs, *r)
	}
	if c.OMOP == "" {
		return opt, nil
	}
	f, err := os.Open(c.OMOP)
	if err != nil {
		return nil, fmt.Errorf("reading concept map: %w", err)
	}
	defer f.Close()
	opt.Map, err = omop.ReadMap(f, filepath.Base(c.OMOP))
	return opt, err
}

func (c *serveCmd) modelName(rec *pipeline.Record) string {
	name := c.Model
	if name == "" && len(rec.Models) > 0 {
		name = rec.Models[len(rec.Models)-1].Name
	}
	return fmt.Sprintf("%s: %s, %s", rec.Name, name, c.Mode)
}

// servedRun reads what a run's folder says about itself.
func servedRun(dir string) (*serve.Run, error) {
	rec, err := pipeline.ReadRun(dir)
	if err != nil {
		return nil, err
	}
	r := &serve.Run{Name: rec.Name, Program: rec.Program, Counts: rec.Counts, Rows: []serve.RunRow{}}
	for _, m := range rec.Models {
		r.Models = append(r.Models, fmt.Sprintf("%s (seed %d)", m.Name, m.Seed))
	}
	folder := os.DirFS(filepath.Join(dir, "report"))
	b, err := fs.ReadFile(folder, "report.json")
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	var rep report.Report
	if err == nil {
		err = json.Unmarshal(b, &rep)
	}
	if err != nil {
		return nil, fmt.Errorf("reading report of %s: %w", dir, err)
	}
	r.Report = folder
	for _, row := range rep.Rows {
		o := row.Overall
		r.Rows = append(r.Rows, serve.RunRow{System: row.System, Mode: row.Mode, Seeds: row.Seeds, N: o.N, Recall1: o.Recall1.Value, Low: o.Recall1.Low, High: o.Recall1.High, Recall5: o.Recall5.Value, MRR: o.MRR.Value})
	}
	return r, nil
}

func (c *serveCmd) listen(a *app, srv *serve.Server) error {
	var config *tls.Config
	scheme := "http"
	if c.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return fmt.Errorf("reading certificate: %w", err)
		}
		config, scheme = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, "https"
	}
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	a.meter.end()
	fmt.Fprintf(a.out, "%s://%s\n", scheme, l.Addr())
	return srv.Serve(a.ctx, l, config, c.Grace)
}
