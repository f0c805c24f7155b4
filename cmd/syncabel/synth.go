package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"syncabel/internal/corpus"
	"syncabel/internal/llm"
	"syncabel/internal/pipeline"
	"syncabel/internal/synth"
	"syncabel/internal/terminology"
)

// Files of a folder of synthesis.
const (
	planName    = "plan.jsonl"
	journalName = "journal.jsonl"
	answersName = "answers.jsonl"
	missingName = "missing.jsonl"
	checkedName = "checked" // folder
)

type synthCmd struct {
	Prompt  synthPromptCmd  `cmd:"" help:"Print exactly what would be sent for a concept."`
	Plan    synthPlanCmd    `cmd:"" help:"Plan which concepts get sentences, with an estimate of tokens, time and money. Sends nothing."`
	Run     synthRunCmd     `cmd:"" help:"Send the requests of a plan to one or several servers; goes on where an earlier run stopped."`
	Batch   synthBatchCmd   `cmd:"" help:"The same by files: a provider's batch API, or vllm run-batch."`
	Collect synthCollectCmd `cmd:"" help:"Join a plan with its results, in any number of files and any order, and list what is missing and why."`
	Check   synthCheckCmd   `cmd:"" help:"Let the sentences through the gates."`
	Sample  synthSampleCmd  `cmd:"" help:"Print some sentences for reading."`
	Release synthReleaseCmd `cmd:"" help:"Write checked sentences for others, with a dataset card."`
}

// Help shows the order of the verbs.
func (synthCmd) Help() string {
	return `Example:
  syncabel synth plan --kb kb/hpo --corpus corpus/train --model llama-3.3-70b --prompt pubmed.en --out synth
  syncabel synth run --endpoint http://127.0.0.1:8000/v1 --in-flight 256 synth
  syncabel synth collect synth
  syncabel synth check --kb kb/hpo --held-out corpus/test synth
  syncabel synth sample synth
  syncabel synth release --kb kb/hpo --out release synth

API keys come from the environment (--key-env) or a file (--key-file), never from the command line.`
}

// openCorpora reads the documents of imports or runs.
func openCorpora(paths []string) ([]corpus.Document, error) {
	var out []corpus.Document
	for _, path := range paths {
		if rec, err := pipeline.ReadRun(path); err == nil {
			path = filepath.Join(path, filepath.FromSlash(rec.Corpus))
		}
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			path = filepath.Join(path, corpus.FileName)
		}
		docs, err := corpus.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

// promptFlags choose the prompts and how the model is asked.
type promptFlags struct {
	KB          string   `required:"" name:"kb" help:"Folder of an imported knowledge base, or of a run." type:"path"`
	Corpus      []string `help:"Folders of imported corpora or runs; style examples are drawn from their training documents only." type:"path" sep:"none"`
	Prompt      []string `help:"Prompts: ${prompts}, or files whose names end in .LANGUAGE.txt." default:"general.en"`
	Sentences   int      `short:"n" help:"Sentences a concept and prompt." default:"3"`
	Examples    int      `help:"Style examples in a prompt." default:"5"`
	Model       string   `help:"Model that the plan is for." default:"model"`
	Temperature *float64 `help:"Sampling temperature; default: the server's." placeholder:"T"`
	TopP        *float64 `name:"top-p" help:"Nucleus sampling; default: the server's." placeholder:"P"`
	MaxTokens   int      `help:"Tokens of an answer at most." default:"512"`
	Plain       bool     `help:"Ask for lines, never for a JSON schema."`
	Seed        uint64   `help:"Seed of style examples, choice and sampling." default:"1"`
}

func (f *promptFlags) prompts() ([]*synth.Prompt, error) {
	var out []*synth.Prompt
	for _, name := range f.Prompt {
		if !strings.HasSuffix(name, ".txt") {
			p, err := synth.LoadPrompt(name, f.Sentences)
			if err != nil {
				return nil, &usageError{err.Error()}
			}
			out = append(out, p)
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading prompt: %w", err)
		}
		p, err := synth.ParsePrompt(strings.TrimSuffix(filepath.Base(name), ".txt"), string(b), f.Sentences)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (f *promptFlags) sampling() synth.Sampling {
	return synth.Sampling{Model: f.Model, Temperature: f.Temperature, TopP: f.TopP, MaxTokens: f.MaxTokens, Plain: f.Plain}
}

func (f *promptFlags) style() (*synth.Style, error) {
	if len(f.Corpus) == 0 {
		return nil, nil
	}
	docs, err := openCorpora(f.Corpus)
	if err != nil {
		return nil, err
	}
	return synth.NewStyle(docs), nil
}

type synthPromptCmd struct {
	promptFlags
	JSON bool   `name:"json" help:"Print the request as JSON."`
	Code string `arg:"" help:"Concept ID."`
}

// Help shows an example.
func (synthPromptCmd) Help() string {
	return "Example:\n  syncabel synth prompt --kb kb/hpo --prompt pubmed.en HP:0001250"
}

// Run prints the request for one concept.
func (c *synthPromptCmd) Run(a *app) error {
	kb, err := openKB(c.KB)
	if err != nil {
		return err
	}
	defer kb.Close()
	if !kb.Has(c.Code) {
		return fmt.Errorf("there is no concept %q in %s", c.Code, c.KB)
	}
	prompts, err := c.prompts()
	if err != nil {
		return err
	}
	style, err := c.style()
	if err != nil {
		return err
	}
	i, _ := kb.Index(c.Code)
	requests, err := synth.Preview(kb.Concept(i), synth.PlanOptions{Prompts: prompts, Sampling: c.sampling(), Seed: c.Seed, Examples: c.Examples, Style: style})
	if err != nil {
		return err
	}
	for _, r := range requests {
		if err := printRequest(a, r, c.JSON); err != nil {
			return err
		}
	}
	return nil
}

func printRequest(a *app, r *llm.Request, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(struct {
			Key llm.Key `json:"key"`
			*llm.Request
		}{r.Key(), r})
	}
	for _, m := range r.Messages {
		fmt.Fprintf(a.out, "=== %s\n%s\n", m.Role, m.Content)
	}
	_, err := fmt.Fprintf(a.out, "\n=== added where the server takes a JSON schema\n%s\n%s\n=== added elsewhere\n%s\n", r.IfSchema, r.Schema, r.IfLines)
	return err
}

type synthPlanCmd struct {
	promptFlags
	Out      string   `required:"" help:"Folder to write." type:"path"`
	Groups   []string `help:"Only concepts of these semantic groups." sep:";"`
	Only     string   `help:"File of concept IDs, one a line: only these." type:"existingfile" xor:"only"`
	OnlyNew  string   `help:"changes.jsonl of 'import kb --against': only the concepts that the release added." type:"existingfile" xor:"only"`
	Defined  bool     `help:"Only concepts with a definition."`
	Foreign  bool     `help:"Also concepts without a name in the prompt's language."`
	Limit    int      `help:"So many concepts at most, drawn by chance."`
	Rate     float64  `help:"Requests a second that the servers will make, for the estimate." default:"7"`
	PriceIn  float64  `help:"Price of a million tokens read, for the estimate."`
	PriceOut float64  `help:"Price of a million tokens written."`
	JSON     bool     `name:"json" help:"Print the totals as JSON."`
}

// Help shows an example.
func (synthPlanCmd) Help() string {
	return "Example:\n  syncabel synth plan --kb kb/hpo --corpus corpus/train --model llama-3.3-70b --prompt pubmed.en --out synth\n\n" +
		"The plan is one file; nothing is sent. An answer belongs to the content of its request: a plan that is changed and made again keeps the answers of every request that stays the same."
}

// Run writes a plan.
func (c *synthPlanCmd) Run(a *app) error {
	kb, err := openKB(c.KB)
	if err != nil {
		return err
	}
	defer kb.Close()
	opt := synth.PlanOptions{Sampling: c.sampling(), Seed: c.Seed, Examples: c.Examples, Groups: c.Groups, Defined: c.Defined, Foreign: c.Foreign, Limit: c.Limit,
		Program: version(), PerSecond: c.Rate, Price: llm.Price{In: c.PriceIn, Out: c.PriceOut},
		Progress: func(done, total int64) { a.meter.progress("planning", done, total) }}
	if opt.Prompts, err = c.prompts(); err != nil {
		return err
	}
	if opt.Style, err = c.style(); err != nil {
		return err
	}
	if c.Only != "" {
		if opt.Only, err = idSet(c.Only); err != nil {
			return err
		}
	}
	if c.OnlyNew != "" {
		if opt.Only, err = addedSet(c.OnlyNew); err != nil {
			return err
		}
	}
	totals, err := synth.WritePlan(filepath.Join(c.Out, planName), kb, opt)
	if err != nil {
		return err
	}
	a.meter.end()
	if c.JSON {
		return json.NewEncoder(a.out).Encode(totals)
	}
	return printTotals(a, totals, c.Rate)
}

func idSet(path string) (func(string) bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading list of concepts: %w", err)
	}
	defer f.Close()
	set := map[string]bool{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		set[strings.TrimSpace(sc.Text())] = true
	}
	return func(id string) bool { return set[id] }, sc.Err()
}

// addedSet holds the concepts that a release added.
func addedSet(path string) (func(string) bool, error) {
	changes, err := terminology.ReadChanges(path)
	if err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for _, c := range changes {
		set[c.ID] = set[c.ID] || c.Kind == terminology.Added
	}
	return func(id string) bool { return set[id] }, nil
}

func printTotals(a *app, t *synth.Totals, rate float64) error {
	fmt.Fprintf(a.out, "%d requests for %d concepts (%d with a definition), %d sentences\n", t.Requests, t.Concepts, t.Defined, t.Sentences)
	for _, p := range sortedKeys(t.ByPrompt) {
		fmt.Fprintf(a.out, "  prompt %-20s %d\n", p, t.ByPrompt[p])
	}
	for _, why := range sortedKeys(t.Skipped) {
		fmt.Fprintf(a.out, "  skipped: %s: %d\n", why, t.Skipped[why])
	}
	_, err := fmt.Fprintf(a.out, "about %.1f million tokens in, %.1f million out; %.1f hours at %g requests a second; cost %.2f at the prices given\n",
		float64(t.TokensIn)/1e6, float64(t.TokensOut)/1e6, t.Hours, rate, t.Cost)
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// promptVars puts the names of the prompts into help texts.
func promptVars() kong.Vars { return kong.Vars{"prompts": strings.Join(synth.PromptNames(), ", ")} }
