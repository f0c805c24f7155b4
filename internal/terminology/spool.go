package terminology

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
)

// A spool holds fragments of concepts, which sources give in any order, and returns them by ID: what is in memory is sorted and
// written to an unnamed file whenever it has grown to the limit, and the files are merged in the end. Fragments of one ID keep the
// order in which they came.
type spool struct {
	dir    string // of the files; empty: the system's
	limit  int    // bytes in memory
	buf    []byte
	at     []place
	sorted bool
	files  []*os.File
}

// A place is a fragment in the buffer, with the first bytes of its ID, which settle most comparisons.
type place struct {
	prefix uint64
	off    uint32
}

// spoolMemory is the default limit: a knowledge base of some 400,000 concepts never touches the disk.
const spoolMemory = 192 << 20

// maxFragment bounds what one row can bring.
const maxFragment = 64 << 20

// add appends a fragment: its ID comes first, as writer.str writes it.
func (s *spool) add(fragment []byte) error {
	if len(fragment) > maxFragment {
		return fmt.Errorf("one entry of %d bytes", len(fragment))
	}
	if len(s.at) == 0 {
		s.sorted = true
	}
	p := place{prefixOf(idOf(fragment)), uint32(len(s.buf))}
	if n := len(s.at); n > 0 && s.sorted {
		s.sorted = s.compare(s.at[n-1], p, fragment) <= 0
	}
	s.buf = binary.AppendUvarint(s.buf, uint64(len(fragment)))
	s.buf = append(s.buf, fragment...)
	s.at = append(s.at, p)
	if len(s.buf) < s.limit {
		return nil
	}
	return s.spill()
}

func (s *spool) compare(a, b place, fragment []byte) int {
	return cmp.Or(cmp.Compare(a.prefix, b.prefix), cmp.Compare(view(idOf(s.fragment(a))), view(idOf(fragment))))
}

func (s *spool) fragment(p place) []byte {
	n, k := binary.Uvarint(s.buf[p.off:])
	return s.buf[int(p.off)+k:][:n]
}

// idOf returns the ID of a fragment.
func idOf(fragment []byte) []byte {
	n, k := binary.Uvarint(fragment)
	return fragment[k:][:n]
}

func prefixOf(id []byte) uint64 {
	var b [8]byte
	copy(b[:], id)
	return binary.BigEndian.Uint64(b[:])
}

func (s *spool) sort() {
	if s.sorted {
		return
	}
	slices.SortFunc(s.at, func(a, b place) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(s.compare(a, b, s.fragment(b)), cmp.Compare(a.off, b.off))
	})
}

// spill writes what is in memory to a file that has no name, so that a killed program leaves nothing behind.
func (s *spool) spill() error {
	s.sort()
	f, err := os.CreateTemp(s.dir, ".syncabel-import-*")
	if err != nil {
		return fmt.Errorf("making room for the import: %w", err)
	}
	s.files = append(s.files, f)
	if runtime.GOOS != "windows" {
		if err := os.Remove(f.Name()); err != nil {
			return fmt.Errorf("making room for the import: %w", err)
		}
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for _, p := range s.at {
		n, k := binary.Uvarint(s.buf[p.off:])
		if _, err := w.Write(s.buf[p.off : int(p.off)+k+int(n)]); err != nil {
			return fmt.Errorf("making room for the import: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("making room for the import: %w", err)
	}
	_, err = f.Seek(0, io.SeekStart)
	s.buf, s.at = s.buf[:0], s.at[:0]
	return err
}

// close removes the files.
func (s *spool) close() {
	for _, f := range s.files {
		f.Close()
		if runtime.GOOS == "windows" {
			os.Remove(f.Name())
		}
	}
	s.files, s.buf, s.at = nil, nil, nil
}

// each calls f with all fragments of one ID after the other, in the order of IDs. The fragments are only valid during the call.
func (s *spool) each(f func(fragments [][]byte) error) error {
	m, err := s.merge()
	if err != nil {
		return err
	}
	var arena []byte
	var ends []int
	var group [][]byte
	for len(m.runs) > 0 {
		arena, ends = arena[:0], ends[:0]
		first := len(arena)
		for len(m.runs) > 0 && (len(ends) == 0 || string(idOf(m.runs[0].head)) == string(idOf(arena[first:ends[0]]))) {
			arena = append(arena, m.runs[0].head...)
			ends = append(ends, len(arena))
			if err := m.next(); err != nil {
				return err
			}
		}
		group = group[:0]
		for i, end := range ends {
			from := 0
			if i > 0 {
				from = ends[i-1]
			}
			group = append(group, arena[from:end])
		}
		if err := f(group); err != nil {
			return err
		}
	}
	return nil
}

// A run is one sorted sequence of fragments: a file, or what is still in memory.
type run struct {
	order int
	in    *bufio.Reader
	spool *spool // in memory when in is nil
	i     int
	buf   []byte
	head  []byte
}

func (r *run) next() error {
	if r.in == nil {
		if r.i == len(r.spool.at) {
			return io.EOF
		}
		r.head = r.spool.fragment(r.spool.at[r.i])
		r.i++
		return nil
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return err
	}
	r.buf = slices.Grow(r.buf[:0], int(n))[:n]
	r.head = r.buf
	_, err = io.ReadFull(r.in, r.buf)
	return err
}

// merger is the heap of runs, the one with the lowest ID on top.
type merger struct{ runs []*run }

func (s *spool) merge() (*merger, error) {
	s.sort()
	m := &merger{}
	add := func(r *run) error {
		err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		m.runs = append(m.runs, r)
		return err
	}
	for i, f := range s.files {
		if err := add(&run{order: i, in: bufio.NewReaderSize(f, 256<<10)}); err != nil {
			return nil, err
		}
	}
	if err := add(&run{order: len(s.files), spool: s}); err != nil {
		return nil, err
	}
	heap.Init(m)
	return m, nil
}

// next moves the run on top on.
func (m *merger) next() error {
	err := m.runs[0].next()
	switch {
	case errors.Is(err, io.EOF):
		heap.Pop(m)
	case err != nil:
		return fmt.Errorf("reading back the import: %w", err)
	default:
		heap.Fix(m, 0)
	}
	return nil
}

func (m *merger) Len() int      { return len(m.runs) }
func (m *merger) Swap(i, j int) { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *merger) Push(any)      {}

func (m *merger) Pop() any {
	last := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return last
}

func (m *merger) Less(i, j int) bool {
	a, b := m.runs[i], m.runs[j]
	return cmp.Or(cmp.Compare(view(idOf(a.head)), view(idOf(b.head))), cmp.Compare(a.order, b.order)) < 0
}
