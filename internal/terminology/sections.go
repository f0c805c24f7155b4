package terminology

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"

	"syncabel/internal/artifact"
)

// The store is: magic (8 bytes), sections, each aligned to 64 bytes, the header as JSON, then its length (8), its CRC-32C (4) and
// the magic again, so that the file is written in one pass. Numbers are little endian.
//
//	records             the concepts in the order of IDs, see record.go; recordsAt: n+1 places, uint64
//	parents, children   numbers of concepts, uint32; parentsAt, childrenAt: n+1 places, uint32
//	names               hash of a normalised name (40 bits) and a concept (24 bits), ascending, uint64
//	namesAt             2^k+1 places in names by the upper k bits of the hash, uint32
//	words               the sorted words of the search; wordsAt: w+1 places, uint32
//	postings            for each word the ranks of the concepts that bear it, ascending, as differences in varints; postingsAt: w+1 places, uint64
//	rank                concepts by how likely a search means them, uint32
//	history             retired concepts in the order of IDs: id, name, n, (id, relation)...; historyAt: places, uint64

// StoreVersion is the version of the file.
//
//	1  2026-11: first
const StoreVersion = 1

const magic = "SYNKB01\n"

// maxHeader bounds the JSON header.
const maxHeader = 256 << 20

// trailer is the length of what follows the header.
const trailer = 8 + 4 + len(magic)

type header struct {
	Version      int          `json:"version"`
	Stats        Stats        `json:"stats"`
	Groups       []string     `json:"groups"`
	Vocabularies []Vocabulary `json:"vocabularies,omitempty"`
	Tables       tables       `json:"tables"`
	Sections     []section    `json:"sections"`
}

type section struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	CRC    uint32 `json:"crc32c"`
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func crc(b []byte) uint32 { return crc32.Checksum(b, castagnoli()) }

// sectionWriter writes the sections one after the other.
type sectionWriter struct {
	w    io.Writer
	pos  int64
	list []section
}

func (s *sectionWriter) Write(b []byte) (int, error) {
	if n := len(s.list); n > 0 {
		s.list[n-1].Size += int64(len(b))
		s.list[n-1].CRC = crc32.Update(s.list[n-1].CRC, castagnoli(), b)
	}
	n, err := s.w.Write(b)
	s.pos += int64(n)
	return n, err
}

// begin starts a section; it lasts until the next.
func (s *sectionWriter) begin(name string) error {
	n, err := s.w.Write(make([]byte, (64-s.pos%64)%64))
	s.pos += int64(n)
	s.list = append(s.list, section{Name: name, Offset: s.pos})
	return err
}

func (s *sectionWriter) section(name string, b []byte) error {
	if err := s.begin(name); err != nil {
		return err
	}
	_, err := s.Write(b)
	return err
}

func (s *sectionWriter) u32(name string, list []uint32) error {
	return numbers(s, name, list, binary.LittleEndian.AppendUint32)
}
func (s *sectionWriter) u64(name string, list []uint64) error {
	return numbers(s, name, list, binary.LittleEndian.AppendUint64)
}

func numbers[T any](s *sectionWriter, name string, list []T, put func([]byte, T) []byte) error {
	if err := s.begin(name); err != nil {
		return err
	}
	b := make([]byte, 0, 64<<10)
	for i, v := range list {
		if b = put(b, v); len(b) > cap(b)-8 || i == len(list)-1 {
			if _, err := s.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

// end writes the header.
func (s *sectionWriter) end(h header) error {
	h.Version, h.Sections = StoreVersion, s.list
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	tail := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	tail = binary.LittleEndian.AppendUint32(tail, crc(b))
	_, err = s.w.Write(append(append(b, tail...), magic...))
	return err
}

// parseHeader checks the ends of a file and returns its header.
func parseHeader(data []byte) (*header, error) {
	n := len(data)
	if n < len(magic)+trailer || string(data[:len(magic)]) != magic || string(data[n-len(magic):]) != magic {
		return nil, fmt.Errorf("no knowledge base of this program, or cut off: %w", artifact.ErrDamaged)
	}
	size := binary.LittleEndian.Uint64(data[n-trailer:])
	end := n - trailer
	if size > maxHeader || size > uint64(end-len(magic)) {
		return nil, fmt.Errorf("header of %d bytes: %w", size, artifact.ErrDamaged)
	}
	b := data[end-int(size) : end]
	if crc(b) != binary.LittleEndian.Uint32(data[end+8:]) {
		return nil, fmt.Errorf("header has a wrong checksum: %w", artifact.ErrDamaged)
	}
	h := &header{}
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("header: %w (%v)", artifact.ErrDamaged, err)
	}
	if h.Version != StoreVersion {
		return nil, fmt.Errorf("format %d, this program reads %d: import the knowledge base again", h.Version, StoreVersion)
	}
	for _, s := range h.Sections {
		if s.Offset < 0 || s.Size < 0 || s.Offset > int64(end) || s.Size > int64(end)-s.Offset {
			return nil, fmt.Errorf("section %q lies outside the file: %w", s.Name, artifact.ErrDamaged)
		}
	}
	return h, nil
}

// words32 and words64 are arrays of numbers in the file. Outside the array they read as zero.
type (
	words32 []byte
	words64 []byte
)

func (w words32) len() int { return len(w) / 4 }
func (w words64) len() int { return len(w) / 8 }

func (w words32) at(i int) int {
	if i < 0 || i >= w.len() {
		return 0
	}
	return int(binary.LittleEndian.Uint32(w[4*i:]))
}

func (w words64) at(i int) uint64 {
	if i < 0 || i >= w.len() {
		return 0
	}
	return binary.LittleEndian.Uint64(w[8*i:])
}

// cut returns b[from:to], or nothing where a damaged file points outside.
func cut(b []byte, from, to uint64) []byte {
	if from > to || to > uint64(len(b)) {
		return nil
	}
	return b[from:to]
}
