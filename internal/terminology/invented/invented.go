// Package invented makes releases of terminologies that nobody published, in the formats of the UMLS and of SNOMED CT and at any
// size: invented names with lengths, languages, sources and ambiguity distributed as in the real ones. Tests and benchmarks of the
// readers stand on it, as no licensed file may. Nothing else does. The same options give the same bytes.
package invented

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// words of the vocabulary; the rest of a large release's distinct words are numbers and chemists' inventions.
const vocabularySize = 250_000

// A namer invents names.
type namer struct {
	r     *rand.Rand
	zipf  *rand.Zipf
	words []string
	past  []string // names of earlier concepts, for ambiguity
	buf   []byte
}

func newNamer(seed uint64) *namer {
	r := rand.New(rand.NewPCG(seed, 4))
	n := &namer{r: r, zipf: rand.NewZipf(r, 1.07, 12, vocabularySize-1), words: make([]string, vocabularySize)}
	for i := range n.words {
		n.words[i] = n.word(i)
	}
	return n
}

// word joins syllables; frequent words are short.
func (n *namer) word(i int) string {
	onsets := []string{"b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "th", "v", "ch", "gl", "pr", "st", "ph", "tr"}
	vowels := []string{"a", "e", "i", "o", "u", "ia", "eo", "y"}
	codas := []string{"", "", "n", "s", "r", "l", "sis", "tis", "x"}
	b := n.buf[:0]
	for k := 2 + i/2000%3; k > 0; k-- {
		b = append(b, onsets[n.r.IntN(len(onsets))]...)
		b = append(b, vowels[n.r.IntN(len(vowels))]...)
	}
	n.buf = append(b, codas[n.r.IntN(len(codas))]...)
	return string(n.buf)
}

// name invents one of one to a dozen words; two in a hundred are another concept's too.
func (n *namer) name(accents bool) string {
	if len(n.past) > 0 && n.r.IntN(50) == 0 {
		return n.past[n.r.IntN(len(n.past))]
	}
	b := n.buf[:0]
	for k := 1 + min(int(n.r.ExpFloat64()*3.2), 11); k > 0; k-- {
		switch n.r.IntN(28) {
		case 0:
			b = strconv.AppendInt(b, int64(n.r.IntN(400)), 10)
		case 1:
			b = fmt.Appendf(b, "%d,%d-%s%s", n.r.IntN(30), n.r.IntN(30), n.words[n.zipf.Uint64()], n.words[n.r.IntN(len(n.words))])
		default:
			b = append(b, n.words[n.zipf.Uint64()]...)
			if accents && n.r.IntN(4) == 0 {
				b = append(b, "é"...)
			}
		}
		b = append(b, ' ')
	}
	b[0] &^= 0x20 * (b[0] >> 6 & 1) // upper case, of letters
	n.buf = b
	s := string(b[:len(b)-1])
	if len(n.past) < 1<<16 {
		n.past = append(n.past, s)
	} else {
		n.past[n.r.IntN(len(n.past))] = s
	}
	return s
}

// pick draws an index by weights that sum to total.
func pick(r *rand.Rand, weights []int, total int) int {
	k := r.IntN(total)
	for i, w := range weights {
		if k -= w; k < 0 {
			return i
		}
	}
	return 0
}

// folder writes the files of a release.
type folder struct {
	dir   string
	files map[string]*bufio.Writer
	open  []*os.File
	err   error
}

func newFolder(dir string) (*folder, error) {
	return &folder{dir: dir, files: map[string]*bufio.Writer{}}, os.MkdirAll(dir, 0o755)
}

func (f *folder) file(name string) *bufio.Writer {
	w, ok := f.files[name]
	if !ok {
		path := filepath.Join(f.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil && f.err == nil {
			f.err = err
		}
		file, err := os.Create(path)
		if err != nil && f.err == nil {
			f.err = err
		}
		w = bufio.NewWriterSize(file, 1<<20)
		f.files[name], f.open = w, append(f.open, file)
	}
	return w
}

func (f *folder) close() error {
	for _, w := range f.files {
		if err := w.Flush(); err != nil && f.err == nil {
			f.err = err
		}
	}
	for _, file := range f.open {
		if err := file.Close(); err != nil && f.err == nil {
			f.err = err
		}
	}
	return f.err
}
