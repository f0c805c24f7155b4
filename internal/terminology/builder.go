package terminology

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/text"
)

// A Builder collects concepts from one or several sources, in any order, and makes the knowledge base. What does not fit in
// memory goes to unnamed files. It serves one goroutine.
type Builder struct {
	spool    spool
	num      *numbering
	scratch  []byte
	files    []string // of locations
	line     int
	warnings tally
	vocab    []Vocabulary
	progress func(string, int64) error
	err      error
}

// BuildOptions of a Builder.
type BuildOptions struct {
	Dir    string // of temporary files; default the system's
	Memory int    // bytes of concepts to hold before writing to Dir; default 192 MiB, at most 2 GiB

	Progress func(step string, concepts int64) error // called now and then while building; its error ends the build
}

// NewBuilder returns an empty builder.
func NewBuilder() *Builder { return NewBuilderWith(BuildOptions{}) }

// NewBuilderWith returns an empty builder for large sources.
func NewBuilderWith(opt BuildOptions) *Builder {
	if opt.Memory <= 0 {
		opt.Memory = spoolMemory
	}
	return &Builder{spool: spool{dir: opt.Dir, limit: min(opt.Memory, 2<<30)}, num: newNumbering(), progress: opt.Progress, warnings: tally{kept: map[string]int{}, more: map[string]int{}}}
}

// At notes where in the input the following calls come from, for their warnings.
func (b *Builder) At(file string, line int) {
	if n := len(b.files); n == 0 || b.files[n-1] != file {
		b.files = append(b.files, file)
	}
	b.line = line
}

// What a fragment says about its concept.
const (
	stated  = 1 << iota // it is a concept
	retired             // it was one
)

// Add adds a concept, merging it with others of the same ID: names, types, definitions, parents and cross references are united,
// the first preferred name of a language stays the preferred one. A concept that is only ever added as retired is kept in the
// history, with its replacements, and is never a candidate. The strings of c may change after the call.
func (b *Builder) Add(c Concept) {
	flags := stated
	if c.Retired {
		flags = retired
	}
	to := make([]Replacement, len(c.ReplacedBy))
	for i, id := range c.ReplacedBy {
		to[i] = Replacement{id, "replaced"}
	}
	b.fragment(&c, flags, c.Parents, to)
}

// AddParent notes that parent is broader than child. Either may be unknown still; Build reports those that stay so.
func (b *Builder) AddParent(child, parent string) {
	b.fragment(&Concept{ID: child}, 0, []string{parent}, nil)
}

// AddNames gives further names to a concept that was added before, in every group that it has. None becomes preferred, and what it is called
// already, in whatever case, is not added again. Names of what is no concept are reported and left out.
func (b *Builder) AddNames(id string, names ...Name) {
	c := Concept{ID: id}
	for _, n := range names {
		n.Group, n.Preferred = "", false
		c.Names = append(c.Names, n)
	}
	b.fragment(&c, 0, nil, nil)
}

// Retire notes that an ID is no longer in use, the name it had, if known, and the concepts that took its place. An ID that is also added as a
// concept stays one.
func (b *Builder) Retire(id, name string, to ...Replacement) {
	c := Concept{ID: id}
	if name != "" {
		c.Names = []Name{{Text: name}}
	}
	b.fragment(&c, retired, nil, to)
}

// AddVocabulary notes what is known of a source of names.
func (b *Builder) AddVocabulary(v Vocabulary) {
	if !slices.ContainsFunc(b.vocab, func(w Vocabulary) bool { return w.Code == v.Code }) {
		b.vocab = append(b.vocab, Vocabulary{clone(v.Code), clone(v.Name), clone(v.Version), clone(v.Licence)})
	}
}

// AddAll adds everything that another knowledge base holds.
func (b *Builder) AddAll(kb *KB) {
	b.At("", 0)
	for i := range kb.Len() {
		b.Add(*kb.Concept(i))
	}
	for r := range kb.Retirements() {
		b.Retire(r.ID, r.Name, r.To...)
	}
	for _, v := range kb.Vocabularies() {
		b.AddVocabulary(v)
	}
}

// fragment spools what is said of one concept: its record, then flags, place, parents and replacements.
func (b *Builder) fragment(c *Concept, flags int, parents []string, to []Replacement) {
	w := writer{b.num.encode(b.scratch[:0], c)}
	w.num(flags)
	w.num(len(b.files))
	w.num(b.line)
	w.num(len(parents))
	for _, p := range parents {
		w.str(p)
	}
	w.num(len(to))
	for _, r := range to {
		w.str(r.ID)
		w.str(r.Relation)
	}
	b.scratch = w.b
	if err := b.spool.add(w.b); err != nil && b.err == nil {
		b.err = fmt.Errorf("concept %q: %w", c.ID, err)
	}
}

// Warn notes a fault of the input. All are counted; of each kind the first thousand are kept.
func (b *Builder) Warn(w text.Warning) { b.warnings.add(w) }

// tally keeps the first warnings of each kind and counts the others.
type tally struct {
	list []text.Warning
	kept map[string]int // number of a kind in list
	more map[string]int
}

const maxKept = 1000

func (t *tally) add(w text.Warning) {
	if t.kept[w.Kind]++; t.kept[w.Kind] <= maxKept {
		t.list = append(t.list, w)
		return
	}
	t.more[w.Kind] += 1 + w.More
}

// all returns the warnings; the last of a kind that was too frequent stands for the others.
func (t *tally) all() []text.Warning {
	out := slices.Clone(t.list)
	for i := len(out) - 1; i >= 0; i-- {
		out[i].More += t.more[out[i].Kind]
		delete(t.more, out[i].Kind)
	}
	return out
}

// ErrEmpty says that no concept was found.
var ErrEmpty = errors.New("no concept: check the format and the filters")

// Build completes the knowledge base in memory and empties b. Concepts without a name stay out and are reported; parents that are
// no concept stay out of the hierarchy and are reported. It panics where it cannot write temporary files: use BuildFile for sources that may
// not fit in memory.
func (b *Builder) Build() (*KB, []text.Warning) {
	var buf bytes.Buffer
	warnings, err := b.write(&buf)
	if err != nil {
		panic(err)
	}
	kb, err := parse(buf.Bytes())
	if err != nil {
		panic(err)
	}
	return kb, warnings
}

// BuildFile completes the knowledge base in a file, which appears when it is complete, opens it, and empties b.
func (b *Builder) BuildFile(path string) (*KB, []text.Warning, error) {
	var warnings []text.Warning
	err := artifact.WriteWith(path, func(w io.Writer) (err error) {
		warnings, err = b.write(w)
		return err
	})
	if err != nil {
		return nil, warnings, fmt.Errorf("building knowledge base: %w", err)
	}
	kb, err := Open(path)
	return kb, warnings, err
}

// Close frees what the builder holds, for a builder that is given up.
func (b *Builder) Close() { b.spool.close() }
