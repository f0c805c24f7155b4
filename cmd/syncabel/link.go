package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"syncabel/internal/corpus"
	"syncabel/internal/corpus/pubtator"
	"syncabel/internal/detect"
	"syncabel/internal/link"
	"syncabel/internal/markup"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

// linkSettings are the flags that change answers.
type linkSettings struct {
	RunDir   string  `name:"run" required:"" help:"Folder of a finished run." type:"path"`
	Model    string  `help:"Variant of the run; default: its last."`
	Seed     uint64  `help:"Seed of the variant; default: its first."`
	Mode     string  `enum:"hybrid,ranked,beam-trie,beam-hf,certified-top1,free,lexical" default:"hybrid" help:"hybrid, ranked, beam-trie, beam-hf, certified-top1, free or lexical."`
	Language string  `default:"en" help:"Language of texts that do not say: en, fr, es."`
	Group    string  `help:"Semantic group of mentions that do not say."`
	Detect   string  `enum:"auto,always,never" default:"auto" help:"Find the mentions of the text: auto where none is marked, always (brackets are then text), never."`
	K        int     `short:"k" default:"5" help:"Candidates to print."`
	NIL      float64 `name:"nil" help:"Abstain where no candidate is right with more than this probability, in modes hybrid and ranked; 0: as the run's config says."`
	MinConf  float64 `name:"min-confidence" help:"Abstain where the first candidate is right with less than this probability, calibrated in modes hybrid and ranked."`
}

type linkCmd struct {
	linkSettings
	workerFlags
	Out  string `help:"Folder of the parts that shards are answered into." type:"path" placeholder:"DIR"`
	Text string `help:"One sentence with marked mentions."`
	JSON bool   `name:"json" help:"Print JSON, one mention a line."`
	oracleFlags
	File string `arg:"" optional:"" help:"Plain text (.txt), PubTator file, JSONL of documents, or lines of text, with or without marked mentions; - is standard input."`
}

// Help shows examples.
func (linkCmd) Help() string {
	return `Examples:
  syncabel link --run syncabel-demo --text 'He had an [MI]{Disorders} last year.'
  syncabel link --run syncabel-demo note.txt
  syncabel link --run syncabel-demo --json notes.pubtator
  printf '%s\n' '{"id":"1","text":"No [jaundice]{Findings}.","language":"en"}' | syncabel link --run syncabel-demo --json -
  syncabel link --run big --oracle http://127.0.0.1:30000 --oracle http://10.0.0.2:30000 --json notes.jsonl

With --oracle, or [link.oracle] in the run's config, the model is asked on a server that holds it (SGLang, vLLM or llama-server) instead of
computed here; trie and search stay here. The server is probed first; what was asked is told at the end.

A line of JSON is a document of this program ("text", "mentions" with "spans" in bytes and "type") or has marks in its "text". A file
whose name ends in .txt is one document, in which only [mention]{Group} is a mark; of other files each line is one. Where nothing is marked, mentions and their semantic groups
are found by names, by abbreviations that the text explains, and by what training annotated.`
}

// linkGarbage is the share of the heap, in percent, that may be garbage: what is live are mostly keys and values, which cost the
// collector nothing, and a linking process should take little more memory than its weights.
const linkGarbage = 25

// Run links.
func (c *linkCmd) Run(a *app) error {
	sharded, err := c.worker(c.Out, c.Text, c.File)
	if err != nil {
		return err
	}
	if !sharded && (c.Out != "" || (c.Text == "") == (c.File == "")) {
		return &usageError{"link needs either --text or one FILE (- for standard input)"}
	}
	w, done, err := c.linkWriter(a, &c.oracleFlags)
	if err != nil {
		return err
	}
	defer done()
	w.json = c.JSON
	defer w.out.Flush()
	if sharded {
		return c.work(a, w)
	}
	if c.Text != "" {
		d, err := w.marked(c.Text)
		if err != nil {
			return &usageError{"--text: " + err.Error()}
		}
		return w.documents([]corpus.Document{d})
	}
	return w.file(c.File)
}

// linkWriter opens the run and returns what links with it, and what closes both.
func (c *linkSettings) linkWriter(a *app, f *oracleFlags) (*linkWriter, func(), error) {
	o, done, err := f.open(a, c.RunDir, pipeline.OpenOptions{Model: c.Model, Seed: c.Seed, Mode: c.Mode, Keep: c.K, NIL: c.NIL, MinConfidence: c.MinConf, Threads: a.cli.Threads})
	if err != nil {
		return nil, nil, err
	}
	debug.SetGCPercent(linkGarbage)
	w := &linkWriter{cmd: c, app: a, linker: o.Linker, detector: o.Detect, out: bufio.NewWriter(a.out)}
	w.probe, _ = o.Remote()
	return w, done, nil
}

type linkWriter struct {
	cmd      *linkSettings
	app      *app
	linker   *link.Linker
	detector *detect.Detector
	probe    *remote.Probe // of servers; nil: none
	json     bool
	out      *bufio.Writer
}

// marked reads a text with marks, or, where mentions are to be found, without.
func (w *linkWriter) marked(s string) (corpus.Document, error) {
	if w.cmd.Detect == "always" {
		return corpus.Document{Text: s}, nil
	}
	d, err := markup.ParseMarked(s)
	if w.cmd.Detect == "auto" && errors.Is(err, markup.ErrUnmarked) {
		err = nil
	}
	return d, err
}

// find fills in the mentions of a document that has none.
func (w *linkWriter) find(d *corpus.Document) error {
	if w.cmd.Detect == "never" || w.cmd.Detect == "auto" && len(d.Mentions) > 0 {
		return nil
	}
	if w.detector == nil {
		return errors.New("the run cannot find mentions, it was made by an older version: run it again, or mark them as [mention]{Group}")
	}
	d.Mentions = w.detector.Detect(d)
	return nil
}

// file links a file, recognised by its first line.
func (w *linkWriter) file(path string) error {
	in, name := w.app.in, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("reading input: %w", err)
		}
		defer f.Close()
		in, name = f, filepath.Base(path)
	}
	r := newInput(in)
	if strings.HasSuffix(path, ".txt") {
		return w.plain(r, name)
	}
	if _, err := r.Peek(1); err != nil || !looksPubTator(r) { // the first read fills the buffer that looksPubTator sees
		return w.lines(r, name)
	}
	docs, warnings, err := pubtator.Read(r, name, corpus.ReadOptions{Language: w.cmd.Language})
	if err != nil {
		return err
	}
	w.app.report(warnings)
	return w.documents(docs)
}

// plain links a file that is one document.
func (w *linkWriter) plain(r io.Reader, name string) error {
	b, err := io.ReadAll(io.LimitReader(r, maxLine+1))
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if len(b) > maxLine {
		return fmt.Errorf("reading %s: more than %d MB are no document that can be read at once: cut it, or give one document a line", name, maxLine>>20)
	}
	if !utf8.Valid(b) {
		return fmt.Errorf("reading %s: it is not UTF-8 text: convert it first", name)
	}
	d := corpus.Document{Text: string(b)}
	if w.cmd.Detect == "never" || strings.Contains(d.Text, "]{") { // brackets alone are nothing special in a note
		d, err = w.marked(d.Text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w (or give --detect=always, which takes brackets as text)", name, err)
	}
	d.ID = strings.TrimSuffix(name, ".txt")
	return w.documents([]corpus.Document{d})
}

// newInput buffers enough for looksPubTator.
func newInput(in io.Reader) *bufio.Reader { return bufio.NewReaderSize(in, 1<<16) }

// looksPubTator: the first line is id|t|title.
func looksPubTator(r *bufio.Reader) bool {
	head, _ := r.Peek(min(r.Buffered(), 4096))
	line, _, _ := strings.Cut(string(head), "\n")
	return looksPubTatorLine(line)
}

// maxLine bounds one line of a stream.
const maxLine = 16 << 20

// lines links a stream, one document a line, and answers each line before reading the next.
func (w *linkWriter) lines(r io.Reader, name string) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	for line := 1; sc.Scan(); line++ {
		if strings.TrimSpace(sc.Text()) == "" {
			continue
		}
		d, err := w.parse(sc.Bytes(), line)
		if err != nil {
			return &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		if err := w.documents([]corpus.Document{d}); err != nil {
			return err
		}
		if err := w.out.Flush(); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}

func (w *linkWriter) parse(b []byte, line int) (corpus.Document, error) {
	if b[0] != '{' {
		d, err := w.marked(string(b))
		d.ID = fmt.Sprint(line)
		return d, err
	}
	var d corpus.Document
	if err := json.Unmarshal(b, &d); err != nil {
		return d, err
	}
	if len(d.Mentions) == 0 {
		marked, err := w.marked(d.Text)
		if err != nil {
			return d, err
		}
		d.Text, d.Mentions = marked.Text, marked.Mentions
	}
	return d, complete(&d)
}

// complete checks spans and fills in the texts of mentions.
func complete(d *corpus.Document) error {
	for i := range d.Mentions {
		m := &d.Mentions[i]
		if len(m.Spans) == 0 {
			return errors.New("a mention has no spans")
		}
		for _, s := range m.Spans {
			if s.Start < 0 || s.Start >= s.End || s.End > len(d.Text) {
				return fmt.Errorf("span %d-%d lies outside the text of %d bytes", s.Start, s.End, len(d.Text))
			}
		}
		got := corpus.SurfaceOf(d.Text, m.Spans)
		if m.Text != "" && m.Text != got {
			return fmt.Errorf("mention %q expected, but %q stands at its spans", m.Text, got)
		}
		m.Text = got
	}
	return nil
}

// prepare fills in language, mentions and groups where a document does not say.
func (w *linkWriter) prepare(docs []corpus.Document) error {
	for i := range docs {
		if docs[i].Language == "" {
			docs[i].Language = w.cmd.Language
		}
		if err := w.find(&docs[i]); err != nil {
			return err
		}
		for j := range docs[i].Mentions {
			if m := &docs[i].Mentions[j]; m.Type == "" {
				m.Type = w.cmd.Group
			}
		}
	}
	return nil
}

func (w *linkWriter) documents(docs []corpus.Document) error {
	if err := w.prepare(docs); err != nil {
		return err
	}
	preds, err := w.linker.Link(w.app.ctx, docs)
	if err != nil {
		return err
	}
	if w.json {
		return prediction.Write(w.out, preds)
	}
	for _, p := range preds {
		fmt.Fprintf(w.out, "%s\t[%s]{%s}", p.Document, p.Text, p.Group)
		if p.NIL > 0 {
			fmt.Fprintf(w.out, "  none of the candidates: %.1f %%", 100*p.NIL)
		}
		fmt.Fprintln(w.out)
		for _, c := range p.Candidates {
			fmt.Fprintf(w.out, "  %5.1f %%  %-16s %s  (%s)\n", 100*c.Probability, c.Code, c.Name, strings.Join(c.Source, ", "))
		}
	}
	return nil
}
