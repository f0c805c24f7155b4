package terminology

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sort"

	"syncabel/internal/artifact"
)

// FileName is the knowledge base inside its run folder.
const FileName = "concepts.kb"

// checkNow is the size up to which Open compares all checksums; it takes a tenth of a second at most.
const checkNow = 64 << 20

// A KB is a knowledge base: concepts sorted by ID, with lookups, hierarchy, history and search. It reads a mapped file, whose pages all
// processes share, or bytes in memory. It is immutable and safe for concurrent use.
type KB struct {
	*header
	records                  []byte
	recordsAt                words64
	parents, parentsAt       words32
	children, childrenAt     words32
	names                    words64
	namesAt                  words32
	words, postings, history []byte
	wordsAt, rank            words32
	postingsAt, historyAt    words64
	data                     []byte
	unmap                    func() error
	fold                     *folder
}

// Open maps a knowledge base. The header and, up to 64 MB, all checksums are compared here; Verify does so for larger files.
func Open(path string) (*KB, error) {
	data, unmap, err := artifact.Map(path)
	if err != nil {
		return nil, fmt.Errorf("opening knowledge base: %w", err)
	}
	kb, err := parse(data)
	if err == nil && len(data) <= checkNow {
		err = kb.Verify()
	}
	if err != nil {
		unmap()
		return nil, fmt.Errorf("opening knowledge base %s: %w", path, err)
	}
	kb.unmap = unmap
	return kb, nil
}

func parse(data []byte) (*KB, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, err
	}
	kb := &KB{header: h, data: data, fold: newFolder(), unmap: func() error { return nil }}
	into := map[string]*[]byte{"records": &kb.records, "recordsAt": (*[]byte)(&kb.recordsAt), "parents": (*[]byte)(&kb.parents), "parentsAt": (*[]byte)(&kb.parentsAt),
		"children": (*[]byte)(&kb.children), "childrenAt": (*[]byte)(&kb.childrenAt), "names": (*[]byte)(&kb.names), "namesAt": (*[]byte)(&kb.namesAt),
		"words": &kb.words, "wordsAt": (*[]byte)(&kb.wordsAt), "postings": &kb.postings, "postingsAt": (*[]byte)(&kb.postingsAt),
		"rank": (*[]byte)(&kb.rank), "history": &kb.history, "historyAt": (*[]byte)(&kb.historyAt)}
	for _, s := range h.Sections {
		if dst := into[s.Name]; dst != nil {
			*dst = data[s.Offset : s.Offset+s.Size]
			delete(into, s.Name)
		}
	}
	if n := h.Stats.Concepts; len(into) > 0 || kb.recordsAt.len() != n+1 || kb.parentsAt.len() != n+1 || kb.childrenAt.len() != n+1 || kb.rank.len() != n {
		return nil, fmt.Errorf("sections do not fit each other: %w", artifact.ErrDamaged)
	}
	return kb, nil
}

// Verify compares every section with its checksum.
func (kb *KB) Verify() error {
	for _, s := range kb.Sections {
		if crc(kb.data[s.Offset:s.Offset+s.Size]) != s.CRC {
			return fmt.Errorf("knowledge base, section %q: wrong checksum: %w: import it again", s.Name, artifact.ErrDamaged)
		}
	}
	return nil
}

// Close unmaps the file. No concept, name or other string that came from kb may be used afterwards.
func (kb *KB) Close() error { return kb.unmap() }

// WriteFile writes kb to path atomically.
func (kb *KB) WriteFile(path string) error { return artifact.WriteFile(path, kb.data) }

// WriteJSONL writes one concept a line, in the order of IDs, for other programs.
func (kb *KB) WriteJSONL(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<20)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range kb.Len() {
		if err := enc.Encode(kb.Concept(i)); err != nil {
			return fmt.Errorf("writing concepts: %w", err)
		}
	}
	return b.Flush()
}

// Len returns the number of concepts.
func (kb *KB) Len() int { return kb.header.Stats.Concepts }

func (kb *KB) record(i int) []byte { return cut(kb.records, kb.recordsAt.at(i), kb.recordsAt.at(i+1)) }

// Concept returns the i-th concept in the order of IDs. It is decoded by the call; its strings are shared with kb and must not outlive Close.
func (kb *KB) Concept(i int) *Concept {
	c := kb.Tables.decode(kb.record(i))
	for j := kb.parentsAt.at(i); j < kb.parentsAt.at(i+1); j++ {
		c.Parents = append(c.Parents, kb.ID(kb.parents.at(j)))
	}
	return &c
}

// ID returns the ID of the i-th concept.
func (kb *KB) ID(i int) string {
	s := scanner{b: kb.record(i)}
	return s.str()
}

// Index returns the number of a concept.
func (kb *KB) Index(id string) (int, bool) {
	i := sort.Search(kb.Len(), func(i int) bool { return kb.ID(i) >= id })
	return i, i < kb.Len() && kb.ID(i) == id
}

// Has reports whether id is a concept.
func (kb *KB) Has(id string) bool {
	_, ok := kb.Index(id)
	return ok
}

// Groups returns the semantic groups, sorted. The caller must not change the slice.
func (kb *KB) Groups() []string { return kb.header.Groups }

// Vocabularies returns what is known of the sources of names, by code.
func (kb *KB) Vocabularies() []Vocabulary { return kb.header.Vocabularies }

// ParentsOf returns the concepts directly above i, ascending.
func (kb *KB) ParentsOf(i int) []int { return row(kb.parents, kb.parentsAt, i) }

// Children returns the concepts directly below i, ascending.
func (kb *KB) Children(i int) []int { return row(kb.children, kb.childrenAt, i) }

func row(list, places words32, i int) []int {
	var out []int
	for j := places.at(i); j < min(places.at(i+1), list.len()); j++ {
		out = append(out, list.at(j))
	}
	return out
}

// Ancestors returns the concepts above i, nearest first, each once; cycles in the hierarchy end the walk.
func (kb *KB) Ancestors(i int) []int {
	var out []int
	seen := map[int]bool{i: true}
	for queue := []int{i}; len(queue) > 0; queue = queue[1:] {
		for _, p := range kb.ParentsOf(queue[0]) {
			if !seen[p] {
				seen[p] = true
				out, queue = append(out, p), append(queue, p)
			}
		}
	}
	return out
}

// Normalized returns the concepts that have a name equal to name up to case and white space, ascending.
func (kb *KB) Normalized(name string) []int {
	var out []int
	kb.eachNormalized(name, func(i int) bool {
		out = append(out, i)
		return true
	})
	return out
}

// eachNormalized calls f with the concepts of Normalized until it returns false.
func (kb *KB) eachNormalized(name string, f func(int) bool) {
	key := appendNormalized(nil, name)
	h := hashName(key)
	bucket := bucketOf(h, max(kb.namesAt.len()-1, 1))
	lo, hi := kb.namesAt.at(bucket), kb.namesAt.at(bucket+1)
	lo += sort.Search(max(hi-lo, 0), func(i int) bool { return kb.names.at(lo+i)>>conceptBits >= h })
	for ; lo < hi && kb.names.at(lo)>>conceptBits == h; lo++ {
		if i := int(kb.names.at(lo) & (1<<conceptBits - 1)); i < kb.Len() && kb.bears(i, key) && !f(i) {
			return
		}
	}
}

// bears reports whether concept i has a name that is key once it is normalised.
func (kb *KB) bears(i int, key []byte) bool {
	var b []byte
	return eachName(kb.record(i), func(name string) bool {
		b = appendNormalized(b[:0], name)
		return string(b) != string(key)
	})
}

// eachName calls f with the texts of a record's names until it returns false, and reports whether it did.
func eachName(record []byte, f func(string) bool) bool {
	s := scanner{b: record}
	s.str()
	for range s.list() {
		s.num()
	}
	for range s.list() {
		s.num()
		if n := s.str(); !s.bad && !f(n) {
			return true
		}
	}
	return false
}

// Stats counts what a knowledge base holds.
type Stats struct {
	Concepts          int            `json:"concepts"`
	Names             int            `json:"names"` // a name counts once in every semantic group it names its concept in
	Definitions       int            `json:"definitions"`
	WithoutDefinition int            `json:"without_definition"`
	Relations         int            `json:"relations"`
	AmbiguousNames    int            `json:"ambiguous_names"` // normalised names of several concepts
	Retired           int            `json:"retired"`         // IDs in the history
	Groups            map[string]int `json:"groups"`          // concepts by semantic group
	Languages         map[string]int `json:"languages"`       // names by language, source and licence class
	Sources           map[string]int `json:"sources"`
	Licences          map[string]int `json:"licences"`
	PerConcept        map[string]int `json:"names_per_concept"` // concepts by number of names
}

// Stats returns the counts of kb, taken when it was built. The caller must not change the maps.
func (kb *KB) Stats() Stats { return kb.header.Stats }

// in reports whether concept i lies in a semantic group, without decoding it.
func (kb *KB) in(i int, group string) bool {
	s := scanner{b: kb.record(i)}
	s.str()
	for range s.list() {
		if at(kb.Tables.Types, s.num()).Group == group {
			return true
		}
	}
	return false
}
