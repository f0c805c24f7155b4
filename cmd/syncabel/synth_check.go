package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/llm"
	"syncabel/internal/pipeline"
	"syncabel/internal/synth"
	"syncabel/internal/terminology"
)

// rejectedName is the file of rejected sentences in the folder of checked ones.
const rejectedName = "rejected.jsonl"

type synthCheckCmd struct {
	KB        string   `required:"" name:"kb" help:"Folder of an imported knowledge base, or of a run." type:"path"`
	HeldOut   []string `help:"Folders of corpora or runs: sentences that repeat their development or test documents are rejected." type:"path" sep:"none"`
	Mention   string   `help:"near: the mention must resemble a name of its concept; plausible: it must only not be something else." default:"near" enum:"near,plausible"`
	MinWords  int      `help:"Words of a sentence at least." default:"4"`
	MaxWords  int      `help:"Words of a sentence at most." default:"80"`
	Overlap   int      `help:"Words in a row shared with a held-out sentence that reject." default:"8"`
	RoundTrip int      `help:"Reject mentions whose concept is not among the first K candidates of string comparison; 0: off." placeholder:"K"`
	Judge     string   `help:"Ask this model about mentions that resemble no name (brand names, lay words), by --endpoint." placeholder:"MODEL"`
	endpointFlags
	JSON  bool     `name:"json" help:"Print the counts as JSON."`
	Dir   string   `arg:"" help:"Folder of the plan, with answers.jsonl of synth collect." type:"path"`
	Files []string `arg:"" optional:"" help:"Files of answers instead." type:"path"`
}

// Help shows an example.
func (synthCheckCmd) Help() string {
	return "Example:\n  syncabel synth check --kb kb/hpo --held-out corpus/dev --held-out corpus/test synth\n  syncabel synth check --kb kb/hpo --judge qwen3-32b --endpoint http://127.0.0.1:8000/v1 synth\n\n" +
		"Writes DIR/checked: documents.jsonl, and rejected.jsonl with the reasons. A config needs none of it: it takes answers.jsonl as synth.journals and lets it through the same gates."
}

// Run lets answers through the gates.
func (c *synthCheckCmd) Run(a *app) error {
	kb, err := openKB(c.KB)
	if err != nil {
		return err
	}
	defer kb.Close()
	files := c.Files
	if len(files) == 0 {
		files = []string{filepath.Join(c.Dir, answersName)}
	}
	records, err := a.readAnswers(files)
	if err != nil {
		return err
	}
	held, err := heldOut(c.HeldOut)
	if err != nil {
		return err
	}
	opt := synth.Options{MinWords: c.MinWords, MaxWords: c.MaxWords, Overlap: c.Overlap, Mention: c.Mention, RoundTrip: c.RoundTrip}
	if c.RoundTrip > 0 {
		opt.Ranker = synth.NewLexicalRanker(kb)
	}
	if c.Judge != "" {
		verdicts, index, err := c.judge(a, kb, records, held, opt)
		if err != nil {
			return err
		}
		defer index.Close()
		opt.Confirmer = verdicts
	}
	checked := synth.Check(kb, records, held, opt)
	if err := c.save(checked, files); err != nil {
		return err
	}
	return printChecked(a, checked.Counts, c.JSON)
}

func (a *app) readAnswers(files []string) ([]synth.Record, error) {
	var out []synth.Record
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("reading answers: %w: synth collect writes them", err)
		}
		records, warnings, err := synth.ReadJournal(f, name)
		f.Close()
		if err != nil {
			return nil, err
		}
		a.report(warnings)
		out = append(out, records...)
	}
	return out, nil
}

// heldOut reads the development and test documents of corpora.
func heldOut(paths []string) ([]corpus.Document, error) {
	docs, err := openCorpora(paths)
	return slices.DeleteFunc(docs, func(d corpus.Document) bool { return d.Split == "train" }), err
}

// judge asks a model what the gates want to know. Its answers stay in a journal of their own, and are asked for once.
func (c *synthCheckCmd) judge(a *app, kb *terminology.KB, records []synth.Record, held []corpus.Document, opt synth.Options) (*synth.Verdicts, *llm.Index, error) {
	q := &synth.Questions{}
	opt.Confirmer = q
	synth.Check(kb, records, held, opt)
	client, err := c.client()
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	path := filepath.Join(c.Dir, "judge-journal.jsonl")
	j, err := llm.OpenJournal(path)
	if err != nil {
		return nil, nil, err
	}
	sampling := synth.Sampling{Model: c.Judge, Plain: c.Structured == llm.StructuredOff}
	st, err := synth.Judge(a.ctx, kb, q.List, sampling, llm.Run{Client: client, Journal: j, Progress: a.spending("judging")})
	if err := errors.Join(err, j.Close()); err != nil {
		return nil, nil, err
	}
	a.meter.log("judge: %d mentions asked about now, %d before, %d without a verdict", st.Done, st.Before, st.Failed)
	x := llm.NewIndex()
	if _, _, err := x.Add(path); err != nil {
		return nil, nil, err
	}
	return synth.NewVerdicts(kb, sampling, x), x, nil
}

// save writes the folder of checked sentences.
func (c *synthCheckCmd) save(checked *synth.Checked, files []string) error {
	inputs := map[string]string{}
	for _, name := range files {
		h, err := artifact.HashPath(name)
		if err != nil {
			return err
		}
		inputs[filepath.Base(name)] = h.SHA256
	}
	options, err := json.Marshal(map[string]any{"min_words": c.MinWords, "max_words": c.MaxWords, "overlap": c.Overlap, "mention": c.Mention, "round_trip": c.RoundTrip, "judge": c.Judge})
	if err != nil {
		return err
	}
	key, err := artifact.Key("synth", 0, json.RawMessage(options), inputs)
	if err != nil {
		return err
	}
	f, err := artifact.Create(filepath.Join(c.Dir, checkedName), artifact.Manifest{Kind: "synth", Program: version(), Key: key, Options: options, Inputs: inputs})
	if err != nil {
		return err
	}
	if err := pipeline.SaveChecked(f, checked, nil); err != nil {
		return err
	}
	return f.Commit()
}

func printChecked(a *app, n synth.Counts, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"sentences": n.Sentences, "passed": n.Passed, "unconfirmed": n.Unconfirmed, "rejected": n.Rejected})
	}
	fmt.Fprintf(a.out, "%d sentences, %d passed\n", n.Sentences, n.Passed)
	for _, why := range sortedKeys(n.Rejected) {
		fmt.Fprintf(a.out, "  rejected: %s: %d\n", why, n.Rejected[why])
	}
	if n.Unconfirmed > 0 {
		fmt.Fprintf(a.out, "  passed with a mention that resembles no name: %d\n", n.Unconfirmed)
	}
	return nil
}

type synthSampleCmd struct {
	N        int    `short:"n" help:"Sentences." default:"20"`
	Rejected bool   `help:"Rejected ones, with the reason."`
	Reason   string `help:"Only rejected for a reason that holds these words."`
	Seed     uint64 `help:"Of the choice." default:"1"`
	Dir      string `arg:"" help:"Folder of the plan, after synth check." type:"path"`
}

// Help shows an example.
func (synthSampleCmd) Help() string {
	return "Example:\n  syncabel synth sample -n 50 synth\n  syncabel synth sample --rejected --reason 'no name' synth"
}

// Run prints a sample.
func (c *synthSampleCmd) Run(a *app) error {
	lines, err := c.lines()
	if err != nil {
		return err
	}
	order := rand.New(rand.NewPCG(c.Seed, 0x5a)).Perm(len(lines))
	order = order[:min(c.N, len(order))]
	slices.Sort(order)
	for _, i := range order {
		fmt.Fprintln(a.out, lines[i])
	}
	return nil
}

// lines returns every sentence that may be printed.
func (c *synthSampleCmd) lines() ([]string, error) {
	var out []string
	if !c.Rejected && c.Reason == "" {
		docs, err := corpus.ReadFile(filepath.Join(c.Dir, checkedName, corpus.FileName))
		for _, d := range docs {
			m := d.Mentions[0]
			s := m.Span()
			out = append(out, fmt.Sprintf("%s\t%s\t%s[%s]%s", m.Gold[0][0], d.Language, d.Text[:s.Start], m.Text, d.Text[s.End:]))
		}
		return out, err
	}
	f, err := os.Open(filepath.Join(c.Dir, checkedName, rejectedName))
	if err != nil {
		return nil, fmt.Errorf("reading rejected sentences: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		var r synth.Rejected
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("reading rejected sentences: %w", err)
		}
		if strings.Contains(r.Reason, c.Reason) {
			out = append(out, fmt.Sprintf("%s\t%s\t%s\t%s", r.Concept, r.Language, r.Reason, r.Sentence))
		}
	}
	return out, sc.Err()
}
