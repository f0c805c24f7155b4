package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/llm"
	"syncabel/internal/synth"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Files of the stage generate.
const (
	planFile    = "plan.jsonl"
	journalFile = "journal.jsonl"
	answersFile = "answers.jsonl"
	missingFile = "missing.jsonl"
)

// rejectedFile holds the sentences that did not pass the gates.
const rejectedFile = "rejected.jsonl"

// LoadEndpoints reads a TOML file of [[endpoint]] sections.
func LoadEndpoints(path string) ([]llm.Endpoint, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading endpoints: %w", err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("reading endpoints %s: larger than %d bytes", path, maxConfig)
	}
	var file struct {
		Endpoints []llm.Endpoint `toml:"endpoint"`
	}
	if err := strict(b, path, &file); err != nil {
		return nil, err
	}
	if len(file.Endpoints) == 0 {
		return nil, fmt.Errorf("%s: there is no [[endpoint]]", path)
	}
	return file.Endpoints, nil
}

// generated is how the stage generate is named: everything that decides what is asked, and neither where nor how fast.
type generated struct {
	Sampling  synth.Sampling
	Prompts   []*synth.Prompt
	Examples  int
	Groups    []string
	Defined   bool
	Foreign   bool
	Limit     int
	Languages []string
}

// generate is the stage that asks servers for sentences, where the config names an endpoint. It returns nil elsewhere. Requests
// that stay without an answer are listed in the stage's folder and counted as warnings; a run that could not finish, because no
// server answered, is an error, and goes on where it stopped.
func (r *runner) generate(kb *stage, k *terminology.KB, c *stage, docs []corpus.Document) (*stage, error) {
	cfg := r.cfg.Synth
	if len(cfg.Endpoints) == 0 {
		return nil, nil
	}
	opt := generated{Sampling: synth.Sampling{Model: cfg.Model, Temperature: cfg.Temperature, TopP: cfg.TopP, MaxTokens: cmp.Or(cfg.MaxTokens, 512)},
		Examples: cfg.Examples, Groups: cfg.Groups, Defined: cfg.Defined, Foreign: cfg.Foreign, Limit: cfg.Limit}
	if cfg.Model == "" {
		return nil, errors.New("[[synth.endpoint]] is set and synth.model is not: name the model that writes")
	}
	var err error
	if opt.Prompts, err = r.prompts(); err != nil {
		return nil, err
	}
	return r.do("generate", r.cfg.Name, r.cfg.Seeds[0], opt, map[string]string{"kb": kb.hash, "corpus": c.hash}, func(f *artifact.Folder) error {
		_, err := synth.WritePlan(f.Path(planFile), k, synth.PlanOptions{Prompts: opt.Prompts, Sampling: opt.Sampling, Seed: r.cfg.Seeds[0], Examples: opt.Examples,
			Style: synth.NewStyle(docs), Groups: opt.Groups, Defined: opt.Defined, Foreign: opt.Foreign, Limit: opt.Limit, Program: r.opt.Program})
		if err != nil {
			return err
		}
		return r.ask(f)
	})
}

// prompts loads the prompts of the config.
func (r *runner) prompts() ([]*synth.Prompt, error) {
	names := r.cfg.Synth.Prompts
	if len(names) == 0 {
		for _, c := range r.cfg.Corpus {
			if name := "general." + cmp.Or(c.Language, "en"); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	var out []*synth.Prompt
	for _, name := range names {
		p, err := synth.LoadPrompt(name, cmp.Or(r.cfg.Synth.Sentences, 3))
		if err != nil {
			return nil, fmt.Errorf("synth.prompts: %w", err)
		}
		out = append(out, p)
	}
	return out, nil
}

// ask runs the plan of a folder and collects its answers.
func (r *runner) ask(f *artifact.Folder) (err error) {
	plan, err := synth.OpenPlan(f.Path(planFile))
	if err != nil {
		return err
	}
	client, err := llm.NewClient(r.cfg.Synth.Endpoints, llm.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	j, err := llm.OpenJournal(f.Path(journalFile))
	if err != nil {
		return err
	}
	progress := r.progress("asking for sentences")
	_, err = (&llm.Run{Client: client, Journal: j, Total: int(plan.Totals.Requests), Accept: synth.Accept, Budget: r.cfg.Synth.Budget,
		Progress: func(s llm.Status) { progress(s.Before+s.Done+s.Failed, s.Total) }}).Do(r.ctx, plan.Requests())
	if err := errors.Join(err, j.Close()); err != nil {
		return err
	}
	x := llm.NewIndex()
	defer x.Close()
	if _, _, err := x.Add(f.Path(journalFile)); err != nil {
		return err
	}
	got, err := synth.Collect(plan, x, f.Path(answersFile), f.Path(missingFile))
	if err != nil {
		return err
	}
	f.Manifest.Counts = map[string]int64{"requests": got.Requests, "answered": got.Answered, "tokens in": got.Usage.In, "tokens out": got.Usage.Out}
	for why, n := range got.Missing {
		f.Manifest.Counts["missing: "+why] = n
		f.Manifest.Warnings = append(f.Manifest.Warnings, artifact.Warning{Kind: "missing: " + why, Count: n, Examples: []string{missingFile + " lists them"}})
	}
	return os.Remove(f.Path(journalFile + ".lock"))
}

// checkSynth is the stage synth: answers of journals and of the stage generate through the gates. It returns nothing when there
// are none.
func (r *runner) checkSynth(kb *stage, k *terminology.KB, c *stage, docs []corpus.Document) (*stage, []corpus.Document, error) {
	gen, err := r.generate(kb, k, c, docs)
	if err != nil {
		return nil, nil, err
	}
	if gen == nil && len(r.cfg.Synth.Journals) == 0 {
		return nil, nil, nil
	}
	inputs, err := r.cfg.hashInputs(r.cfg.Synth.Journals...)
	if err != nil {
		return nil, nil, err
	}
	inputs["kb"], inputs["corpus"] = kb.hash, c.hash
	if gen != nil {
		inputs["generate"] = gen.man.Files[answersFile].SHA256 // the journal beside it differs with every run
	}
	opt := synth.Options{Mention: r.cfg.Synth.Mention, RoundTrip: r.cfg.Synth.RoundTrip}
	s, err := r.do("synth", r.cfg.Name, 0, map[string]any{"mention": opt.Mention, "round_trip": opt.RoundTrip}, inputs, func(f *artifact.Folder) error {
		records, warnings, err := r.answers(gen)
		if err != nil {
			return err
		}
		if opt.RoundTrip > 0 {
			opt.Ranker = synth.NewLexicalRanker(k)
		}
		held := append(corpus.Split(docs, "dev"), corpus.Split(docs, "test")...)
		return SaveChecked(f, synth.Check(k, records, held, opt), warnings)
	})
	if err != nil {
		return nil, nil, err
	}
	out, err := corpus.ReadFile(filepath.Join(s.path, corpus.FileName))
	return s, out, err
}

// answers reads the journals of the config and what the stage generate collected.
func (r *runner) answers(gen *stage) (records []synth.Record, warnings []text.Warning, err error) {
	var paths []string
	for _, p := range r.cfg.Synth.Journals {
		paths = append(paths, r.cfg.path(p))
	}
	if gen != nil {
		paths = append(paths, filepath.Join(gen.path, answersFile))
	}
	for _, p := range paths {
		err := open(p, func(file *os.File) error {
			list, w, err := synth.ReadJournal(file, filepath.Base(p))
			records, warnings = append(records, list...), append(warnings, w...)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return records, warnings, nil
}

// SaveChecked writes what passed the gates as a corpus into a folder, and beside it what did not.
func SaveChecked(f *artifact.Folder, checked *synth.Checked, warnings []text.Warning) error {
	if err := SaveCorpus(f, checked.Documents, warnings); err != nil {
		return err
	}
	f.Manifest.Counts["sentences"] = int64(checked.Sentences)
	f.Manifest.Counts["passed"] = int64(checked.Passed)
	f.Manifest.Counts["unconfirmed"] = int64(checked.Unconfirmed)
	for why, n := range checked.Rejected {
		f.Manifest.Counts["rejected: "+why] = int64(n)
	}
	return artifact.WriteLines(f.Path(rejectedFile), checked.Kept)
}
