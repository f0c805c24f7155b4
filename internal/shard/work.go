package shard

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"syncabel/internal/artifact"
)

// A Line of an input.
type Line struct {
	File   string
	Number int // from 1
	Text   []byte
}

// A Fault is a line that could not be answered and never will be.
type Fault struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// Fault says why a line has no answer.
func (l Line) Fault(why string) Fault { return Fault{filepath.Base(l.File), l.Number, why} }

// Do answers lines by rows of output, one after another and each with its line end, and by faults. An error ends the worker, with what
// was answered kept.
type Do func(ctx context.Context, lines []Line) (rows []byte, faults []Fault, err error)

// A Worker answers shards of a plan. Several may work in one folder, on several machines too.
type Worker struct {
	Plan      *Plan
	Dir       string  // of the parts
	Do        Do      // must give the same rows for the same lines
	MaxFaults float64 // share of faulty lines, counted per shard, above which a shard fails; default 0.05
	Note      any     // kept in the marker, e.g. what the oracle's probe found
	Progress  func(done, total int64)
}

// A Done is the marker of a finished shard.
type Done struct {
	Shard      int     `json:"shard"`
	Plan       string  `json:"plan"` // Sum
	Lines      int     `json:"lines"`
	Rows       int     `json:"rows"`
	Faults     int     `json:"faults"`
	Bytes      int64   `json:"bytes"`
	SHA256     string  `json:"sha256"` // of the part
	ErrorsHash string  `json:"errors_sha256"`
	Seconds    float64 `json:"seconds"` // of the worker that finished it
	Note       any     `json:"note,omitempty"`
}

// ErrFaults: too many lines of a shard cannot be answered.
var ErrFaults = errors.New("too many faulty lines")

// defaultMaxFaults is generous to dirty corpora and stops at a wrong format.
const defaultMaxFaults = 0.05

// fewFaults never fail a shard, however short it is.
const fewFaults = 10

// tooMany holds faults against a limit, 0 for the default.
func tooMany(faults, lines int, limit float64) bool {
	return faults > fewFaults && float64(faults) > cmp.Or(limit, defaultMaxFaults)*float64(lines)
}

// names of a shard's files.
func part(dir string, id int) string { return filepath.Join(dir, fmt.Sprintf("part-%05d.jsonl", id)) }
func errorsOf(dir string, id int) string {
	return filepath.Join(dir, fmt.Sprintf("part-%05d.errors.jsonl", id))
}
func marker(dir string, id int) string {
	return filepath.Join(dir, fmt.Sprintf("part-%05d.done.json", id))
}

// chunks is the folder of a shard's answered chunks. The plan's sum in its name keeps those of another plan apart.
func (w *Worker) chunks(id int) string {
	return filepath.Join(w.Dir, fmt.Sprintf("part-%05d-%s.chunks", id, w.Plan.Sum()[:12]))
}

// Run answers one shard, or what is left of it, and returns its marker. One that is done is left alone.
func (w *Worker) Run(ctx context.Context, id int) (*Done, error) {
	if id < 0 || id >= len(w.Plan.Shards) {
		return nil, fmt.Errorf("%w: shard %d of %d, counted from 0", ErrMismatch, id, len(w.Plan.Shards))
	}
	if d, err := w.done(id); d != nil || err != nil {
		return d, err
	}
	start := time.Now()
	n, err := w.answer(ctx, id)
	if err == nil {
		var d *Done
		if d, err = w.assemble(id, n, start); err == nil {
			return d, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) { // another worker has finished the shard and taken the chunks away
		if d, _ := w.done(id); d != nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("shard %d: %w", id, err)
}

// done returns the marker of a finished shard, nil when there is none, and removes what a slower twin left.
func (w *Worker) done(id int) (*Done, error) {
	d, err := readMarker(w.Dir, id, w.Plan.Sum())
	if d != nil {
		os.RemoveAll(w.chunks(id))
	}
	return d, err
}

func readMarker(dir string, id int, sum string) (*Done, error) {
	b, err := os.ReadFile(marker(dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var d Done
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("reading %s: %w", marker(dir, id), err)
	}
	if d.Plan != sum || d.Shard != id {
		return nil, fmt.Errorf("%w: %s belongs to another plan: use another folder", ErrMismatch, marker(dir, id))
	}
	return &d, nil
}

// tally counts lines and chunks of a shard.
type tally struct{ lines, chunks int }

// answer answers the chunks that are not there yet.
func (w *Worker) answer(ctx context.Context, id int) (tally, error) {
	dir := w.chunks(id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return tally{}, err
	}
	var n tally
	var chunk []Line
	var read int64
	total := int64(0)
	for _, r := range w.Plan.Shards[id].Ranges {
		total += r.Length
	}
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		err := w.chunk(ctx, id, chunkName(dir, n.chunks), chunk)
		n.chunks++
		n.lines += len(chunk)
		chunk = chunk[:0]
		if w.Progress != nil {
			w.Progress(read, total)
		}
		return err
	}
	for _, r := range w.Plan.Shards[id].Ranges {
		err := w.lines(r, func(l Line) error {
			chunk = append(chunk, l)
			read += int64(len(l.Text)) + 1
			if len(chunk) == w.Plan.Chunk {
				return flush()
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
	return n, flush()
}

func chunkName(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("%07d", i)) }

// kept says that a chunk was answered. Both files must be there: whoever takes a finished shard's chunks away may be killed
// between the two, and the shard may have to be done again.
func kept(name string) bool {
	for _, ext := range []string{".rows", ".errors"} {
		if _, err := os.Stat(name + ext); err != nil {
			return false
		}
	}
	return true
}

// chunk answers one chunk unless it is there.
func (w *Worker) chunk(ctx context.Context, id int, name string, lines []Line) error {
	if kept(name) {
		return ctx.Err()
	}
	if d, err := w.done(id); d != nil || err != nil {
		return errors.Join(err, fs.ErrNotExist)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rows, faults, err := w.Do(ctx, lines)
	if err != nil {
		return err
	}
	var b []byte
	for _, f := range faults {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	if err := artifact.WriteFile(name+".errors", b); err != nil {
		return err
	}
	return artifact.WriteFile(name+".rows", rows)
}

// lines reads the lines of a range; the file must have the planned size.
func (w *Worker) lines(r Range, f func(Line) error) error {
	in := w.Plan.Inputs[r.Input]
	file, err := os.Open(in.Path)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrMismatch, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size() != in.Size {
		return fmt.Errorf("%w: %s has another size than at planning", ErrMismatch, in.Path)
	}
	sc := bufio.NewScanner(io.NewSectionReader(file, r.Offset, r.Length))
	sc.Buffer(make([]byte, 1<<16), maxLine+1)
	for n := r.Line; sc.Scan(); n++ {
		if err := f(Line{in.Path, n, bytes.Clone(sc.Bytes())}); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", in.Path, err)
	}
	return nil
}

// assemble puts the chunks together, writes the marker and takes the chunks away.
func (w *Worker) assemble(id int, n tally, start time.Time) (*Done, error) {
	dir := w.chunks(id)
	d := &Done{Shard: id, Plan: w.Plan.Sum(), Lines: n.lines, Note: w.Note}
	var err error
	if d.ErrorsHash, d.Faults, _, err = concatenate(errorsOf(w.Dir, id), dir, ".errors", n.chunks); err != nil {
		return nil, err
	}
	if tooMany(d.Faults, n.lines, w.MaxFaults) {
		return nil, fmt.Errorf("%w: %d of %d, see %s", ErrFaults, d.Faults, n.lines, errorsOf(w.Dir, id))
	}
	if d.SHA256, d.Rows, d.Bytes, err = concatenate(part(w.Dir, id), dir, ".rows", n.chunks); err != nil {
		return nil, err
	}
	d.Seconds = time.Since(start).Seconds()
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, err
	}
	if err := artifact.WriteFile(marker(w.Dir, id), append(b, '\n')); err != nil {
		return nil, err
	}
	os.RemoveAll(dir) // a twin may still write there; what it leaves, the next look at the shard removes
	return d, nil
}

// concatenate writes a file of chunks and returns its hash, lines and bytes.
func concatenate(path, dir, ext string, chunks int) (sum string, lines int, size int64, err error) {
	h := sha256.New()
	err = artifact.WriteWith(path, func(out io.Writer) error {
		for i := range chunks {
			b, err := os.ReadFile(chunkName(dir, i) + ext)
			if err != nil {
				return err
			}
			h.Write(b)
			lines += bytes.Count(b, []byte("\n"))
			size += int64(len(b))
			if _, err := out.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), lines, size, err
}

func sortedKeys(list ...map[string]string) []string {
	all := map[string]bool{}
	for _, m := range list {
		for k := range m {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
