package synth

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/llm"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// PlanOptions say which concepts get sentences, and how they are asked for.
type PlanOptions struct {
	Prompts  []*Prompt
	Sampling Sampling
	Seed     uint64
	Examples int // of style, drawn for every concept; default 5, the published number
	Style    *Style

	Groups    []string             // only concepts of these semantic groups
	Only      func(id string) bool // only these concepts, e.g. those that a new release added
	Defined   bool                 // only concepts with a definition, as the paper
	Foreign   bool                 // also concepts without a name in the prompt's language
	Limit     int                  // so many concepts at most, drawn by chance
	Program   string               // version, for the plan's head
	Progress  func(done, total int64)
	PerSecond float64 // requests, for the estimate; default 7
	Price     llm.Price
}

// planRate is what one H200 makes of a 70B model by TensorRT-LLM's published figures for thousand-token prompts.
const planRate = 7

const defaultExamples = 5

// PlanFormat is the version of plan files.
//
//	1  2026-11: head, a row for every request, totals
const PlanFormat = 1

// A Head is the first line of a plan: all that its requests share.
type Head struct {
	Format   int       `json:"plan"`
	Program  string    `json:"program,omitempty"`
	Seed     uint64    `json:"seed"`
	Sampling Sampling  `json:"sampling"`
	Prompts  []*Prompt `json:"prompts"`
	Examples int       `json:"examples"`        // of style in a prompt
	Style    int       `json:"style_documents"` // training documents they were drawn from
}

// A Row is one request of a plan.
type Row struct {
	Concept string `json:"concept"`
	Prompt  int    `json:"prompt"` // in Head.Prompts
	User    string `json:"user"`
	Seed    int64  `json:"seed"`
}

// Totals are the last line of a plan, which shows that it is complete: what it holds and what it will take.
type Totals struct {
	Requests  int64            `json:"requests"`
	Concepts  int64            `json:"concepts"`
	Sentences int64            `json:"sentences"`
	Defined   int64            `json:"with_definition"` // concepts
	ByPrompt  map[string]int64 `json:"by_prompt"`
	Skipped   map[string]int64 `json:"skipped,omitempty"` // concepts, or concept and prompt, by reason
	TokensIn  int64            `json:"tokens_in"`         // estimated
	TokensOut int64            `json:"tokens_out"`
	Cost      float64          `json:"cost,omitempty"` // at the price given
	Hours     float64          `json:"hours"`          // at the rate given
}

// Reasons why a plan skips a concept.
const (
	SkipGroup      = "other semantic group"
	SkipUnselected = "not selected"
	SkipUndefined  = "no definition"
	SkipLanguage   = "no name in the prompt's language"
	SkipLimit      = "beyond the limit"
)

// WritePlan writes a plan to path, atomically: prompt by prompt, concepts in the order of the knowledge base.
func WritePlan(path string, kb *terminology.KB, opt PlanOptions) (*Totals, error) {
	if len(opt.Prompts) == 0 {
		return nil, errors.New("planning: no prompt is named")
	}
	if opt.Sampling.Model == "" {
		return nil, errors.New("planning: no model is named: the plan is for one model")
	}
	opt.Examples = cmp.Or(opt.Examples, defaultExamples)
	p := &planner{kb: kb, opt: opt, totals: &Totals{ByPrompt: map[string]int64{}, Skipped: map[string]int64{}}}
	chosen := p.choose()
	p.total = int64(len(chosen) * len(opt.Prompts))
	err := artifact.WriteWith(path, func(w io.Writer) error {
		p.out = bufio.NewWriterSize(w, 1<<20)
		p.enc = json.NewEncoder(p.out)
		p.enc.SetEscapeHTML(false)
		head := Head{Format: PlanFormat, Program: opt.Program, Seed: opt.Seed, Sampling: opt.Sampling, Prompts: opt.Prompts, Examples: opt.Examples}
		if opt.Style != nil {
			head.Style = opt.Style.Documents
		}
		if err := p.enc.Encode(head); err != nil {
			return err
		}
		for i := range opt.Prompts {
			if err := p.prompt(i, chosen); err != nil {
				return err
			}
		}
		p.estimate()
		if err := p.enc.Encode(p.totals); err != nil {
			return err
		}
		return p.out.Flush()
	})
	return p.totals, err
}

type planner struct {
	kb     *terminology.KB
	opt    PlanOptions
	totals *Totals
	out    *bufio.Writer
	enc    *json.Encoder
	done   int64
	total  int64
}

// choose returns the concepts that the options let in.
func (p *planner) choose() []int {
	var out []int
	for i := range p.kb.Len() {
		c := p.kb.Concept(i)
		switch {
		case p.opt.Only != nil && !p.opt.Only(c.ID):
			p.totals.Skipped[SkipUnselected]++
		case len(p.opt.Groups) > 0 && !slices.ContainsFunc(c.Groups(), func(g string) bool { return slices.Contains(p.opt.Groups, g) }):
			p.totals.Skipped[SkipGroup]++
		case p.opt.Defined && len(c.Definitions) == 0:
			p.totals.Skipped[SkipUndefined]++
		default:
			out = append(out, i)
		}
	}
	if p.opt.Limit > 0 && len(out) > p.opt.Limit {
		p.totals.Skipped[SkipLimit] = int64(len(out) - p.opt.Limit)
		rand.New(rand.NewPCG(p.opt.Seed, 0x9a5)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		out = out[:p.opt.Limit]
		slices.Sort(out)
	}
	p.totals.Concepts = int64(len(out))
	return out
}

// prompt writes the rows of one prompt.
func (p *planner) prompt(n int, chosen []int) error {
	pr := p.opt.Prompts[n]
	fixed := len(pr.System) + len(pr.IfSchema)
	for _, i := range chosen {
		c := p.kb.Concept(i)
		p.progress()
		if n == 0 && len(c.Definitions) > 0 {
			p.totals.Defined++
		}
		if !p.opt.Foreign && !slices.ContainsFunc(c.Names, func(x terminology.Name) bool { return x.Language == "" || x.Language == pr.Language }) {
			p.totals.Skipped[SkipLanguage]++
			continue
		}
		row, err := p.opt.row(n, c)
		if err != nil {
			return err
		}
		if err := p.enc.Encode(row); err != nil {
			return err
		}
		p.totals.Requests++
		p.totals.Sentences += int64(pr.N)
		p.totals.ByPrompt[pr.Name]++
		p.totals.TokensIn += tokens(fixed+len(row.User), pr.Language)
		p.totals.TokensOut += int64(pr.N) * outTokens
	}
	return nil
}

// row asks for one concept by one of the prompts.
func (o *PlanOptions) row(n int, c *terminology.Concept) (Row, error) {
	pr := o.Prompts[n]
	seed := seedOf(o.Seed, c.ID, pr.Name)
	user, err := pr.User(c, o.Style.Draw(pr.Language, c.ID, c.Groups(), cmp.Or(o.Examples, defaultExamples), seed))
	if err != nil {
		return Row{}, fmt.Errorf("planning %s: %w", c.ID, err)
	}
	return Row{Concept: c.ID, Prompt: n, User: user, Seed: int64(seed>>34) + 1}, nil
}

// Preview returns the requests that a plan would hold for one concept.
func Preview(c *terminology.Concept, opt PlanOptions) ([]*llm.Request, error) {
	var out []*llm.Request
	for n, p := range opt.Prompts {
		row, err := opt.row(n, c)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Request(row.User, opt.Sampling, row.Seed))
	}
	return out, nil
}

// outTokens is what a sentence of twenty words in JSON takes.
const outTokens = 40

// tokens estimates how many tokens n bytes are: four bytes each in English, fewer in languages that tokenizers know less well.
func tokens(n int, language string) int64 {
	if language == "en" {
		return int64(n) / 4
	}
	return int64(n) * 2 / 7
}

func (p *planner) estimate() {
	t := p.totals
	t.Cost = p.opt.Price.Of(llm.Usage{In: t.TokensIn, Out: t.TokensOut})
	t.Hours = float64(t.Requests) / cmp.Or(p.opt.PerSecond, planRate) / 3600
}

func (p *planner) progress() {
	if p.done++; p.opt.Progress != nil && p.done%1000 == 0 {
		p.opt.Progress(p.done, p.total)
	}
}

// seedOf is the seed of a concept under a prompt: the same in every plan, whatever else is in it.
func seedOf(seed uint64, concept, prompt string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, concept+"\x00"+prompt)
	return mix(h.Sum64() ^ seed)
}

// A Plan is a plan file that is being read.
type Plan struct {
	Head
	Totals Totals
	path   string
}

// maxTail is more than the totals take.
const maxTail = 64 << 10

// OpenPlan reads the head and the totals of a plan.
func OpenPlan(path string) (*Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening plan: %w", err)
	}
	defer f.Close()
	p := &Plan{path: path}
	line, err := readLine(bufio.NewReader(f))
	if err != nil || json.Unmarshal(line, &p.Head) != nil || p.Format == 0 {
		return nil, &text.SyntaxError{File: path, Line: 1, Msg: "no plan: make one with synth plan"}
	}
	if p.Format > PlanFormat {
		return nil, &text.SyntaxError{File: path, Line: 1, Msg: fmt.Sprintf("plan format %d is newer than this program's %d: update syncabel", p.Format, PlanFormat)}
	}
	tail := make([]byte, maxTail)
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("opening plan: %w", err)
	}
	n, err := f.ReadAt(tail, max(0, end-maxTail))
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("opening plan: %w", err)
	}
	tail = bytes.TrimSuffix(tail[:n], []byte("\n"))
	if json.Unmarshal(tail[bytes.LastIndexByte(tail, '\n')+1:], &p.Totals) != nil || p.Totals.ByPrompt == nil {
		return nil, &text.SyntaxError{File: path, Msg: "the plan has no totals at its end and is not complete: make it again with synth plan"}
	}
	return p, nil
}

// Rows reads the rows.
func (p *Plan) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f, err := os.Open(p.path)
		if err != nil {
			yield(Row{}, fmt.Errorf("reading plan: %w", err))
			return
		}
		defer f.Close()
		in := bufio.NewReaderSize(f, 1<<18)
		for line := 1; ; line++ {
			b, err := readLine(in)
			if err == io.EOF {
				return
			}
			var r Row
			if err == nil {
				r, err = p.row(b, line)
			}
			if err != nil {
				yield(r, &text.SyntaxError{File: p.path, Line: line, Msg: err.Error()})
				return
			}
			if r.Concept != "" && !yield(r, nil) {
				return
			}
		}
	}
}

// row reads a line of the file; head and totals name no concept.
func (p *Plan) row(b []byte, line int) (r Row, err error) {
	if line == 1 {
		return r, nil
	}
	err = json.Unmarshal(b, &r)
	if err == nil && r.Concept != "" && (r.Prompt < 0 || r.Prompt >= len(p.Prompts)) {
		err = errors.New("no such prompt")
	}
	return r, err
}

// RequestOf reads one line of the plan's file, counted from 1: its request, or nil for head and totals.
func (p *Plan) RequestOf(b []byte, line int) (*llm.Request, error) {
	r, err := p.row(b, line)
	if err != nil || r.Concept == "" {
		return nil, err
	}
	return p.Request(r), nil
}

// Request is what is sent for a row.
func (p *Plan) Request(r Row) *llm.Request {
	return p.Prompts[r.Prompt].Request(r.User, p.Sampling, r.Seed)
}

// Requests reads the requests of the plan.
func (p *Plan) Requests() llm.Requests {
	return func(yield func(*llm.Request, error) bool) {
		for r, err := range p.Rows() {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(p.Request(r), nil) {
				return
			}
		}
	}
}

// Accept says whether an answer is worth keeping: at least half of the sentences that a plan asks for, and at least one, must have
// their mention marked. The gates look at the rest.
func Accept(r *llm.Request, a *llm.Response) error {
	n := 0
	lines := Lines(a.Text)
	for _, l := range lines {
		if _, _, ok := Parse(l); ok {
			n++
		}
	}
	if want := max(1, (wanted(r)+1)/2); n < want {
		return fmt.Errorf("%d of %d lines have one marked mention, at least %d are wanted", n, len(lines), want)
	}
	return nil
}

// wanted reads the number of sentences back from a request's schema; 1 when it has none.
func wanted(r *llm.Request) int {
	var s struct {
		Properties struct {
			Sentences struct {
				MinItems int `json:"minItems"`
			} `json:"sentences"`
		} `json:"properties"`
	}
	if r.Schema == nil || json.Unmarshal(r.Schema, &s) != nil {
		return 1
	}
	return s.Properties.Sentences.MinItems
}
