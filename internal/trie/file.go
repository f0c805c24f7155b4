package trie

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unsafe"

	"syncabel/internal/artifact"
)

// Version is the version of the file.
//
//	1  2026-11: first
//	2  2026-11: a root over all groups; a node between trees, without which the last name of a group did not end; leaves in
//	   the order of their tokens with the end token's number counted; CRC-32C
const Version = 2

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

const magic = "SYNTRIE\n"

// maxHeader bounds the JSON header of a file.
const maxHeader = 16 << 20

// The file is: magic (8), length of the header (8, little endian), header as JSON, then the sections, each aligned to 64
// bytes, as little-endian uint32 or bytes.

// WriteFile writes t to path atomically.
func (t *Trie) WriteFile(path string) error {
	h := t.head
	parts := t.parts()
	h.Sections = make([]section, len(parts))
	for i, p := range parts {
		h.Sections[i] = section{Name: p.name, Offset: 1 << 40, Count: int64(p.count), CRC: checksum(p.data)}
	}
	placeholder, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing trie: %w", err)
	}
	off := align(int64(16 + len(placeholder)))
	for i, p := range parts {
		h.Sections[i].Offset = off
		off = align(off + int64(len(p.data)))
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing trie: %w", err)
	}
	return artifact.WriteWith(path, func(w io.Writer) error { return writeParts(w, head, h.Sections, parts) })
}

type part struct {
	name  string
	count int
	data  []byte
}

func (t *Trie) parts() []part {
	u := func(name string, s []uint32) part { return part{name, len(s), bytesOf(s)} }
	return []part{
		u("meta", t.meta), u("first", t.first), u("leaf", t.leaf), u("count", t.count),
		u("textAt", t.textAt), {"texts", len(t.texts), t.texts},
		u("conceptAt", t.conceptAt), u("concepts", t.concepts),
	}
}

func writeParts(w io.Writer, head []byte, sections []section, parts []part) error {
	pos := int64(0)
	put := func(b []byte) error {
		n, err := w.Write(b)
		pos += int64(n)
		return err
	}
	pre := binary.LittleEndian.AppendUint64([]byte(magic), uint64(len(head)))
	if err := errors.Join(put(pre), put(head)); err != nil {
		return err
	}
	for i, p := range parts {
		if err := put(make([]byte, sections[i].Offset-pos)); err != nil {
			return err
		}
		if err := put(p.data); err != nil {
			return err
		}
	}
	return nil
}

// Open maps a trie file. The header and the shape of the tree are checked here, the content by Verify.
func Open(path string) (*Trie, error) {
	data, unmap, err := artifact.Map(path)
	if err != nil {
		return nil, fmt.Errorf("opening trie: %w", err)
	}
	t, err := parse(data)
	if err != nil {
		unmap()
		return nil, fmt.Errorf("opening trie %s: %w: build it again", path, err)
	}
	t.close = unmap
	return t, nil
}

func parse(data []byte) (*Trie, error) {
	if len(data) < 16 || string(data[:8]) != magic {
		return nil, fmt.Errorf("not a trie file: %w", artifact.ErrDamaged)
	}
	n := binary.LittleEndian.Uint64(data[8:16])
	if n > maxHeader || n > uint64(len(data)-16) {
		return nil, fmt.Errorf("header of %d bytes: %w", n, artifact.ErrDamaged)
	}
	t := &Trie{}
	if err := json.Unmarshal(data[16:16+n], &t.head); err != nil {
		return nil, fmt.Errorf("header: %w (%v)", artifact.ErrDamaged, err)
	}
	if t.head.Version != Version {
		return nil, fmt.Errorf("format %d, this program reads %d", t.head.Version, Version)
	}
	if err := t.sections(data); err != nil {
		return nil, err
	}
	return t, t.shape()
}

func (t *Trie) sections(data []byte) error {
	get := map[string]*[]uint32{"meta": &t.meta, "first": &t.first, "leaf": &t.leaf, "count": &t.count,
		"textAt": &t.textAt, "conceptAt": &t.conceptAt, "concepts": &t.concepts}
	for _, s := range t.head.Sections {
		size := s.Count
		dst, words := get[s.Name]
		if words {
			size *= 4
		}
		if s.Count < 0 || s.Count > int64(len(data)) || s.Offset < 0 || s.Offset%64 != 0 || s.Offset > int64(len(data))-size {
			return fmt.Errorf("section %q lies outside the file: %w", s.Name, artifact.ErrDamaged)
		}
		b := data[s.Offset : s.Offset+size]
		switch {
		case words && s.Count > 0:
			*dst = unsafe.Slice((*uint32)(unsafe.Pointer(&b[0])), s.Count)
		case s.Name == "texts":
			t.texts = b
		}
	}
	return nil
}

// shape checks the lengths that indexing relies on.
func (t *Trie) shape() error {
	n, l := len(t.meta), len(t.textAt)-1
	if n == 0 || len(t.first) != n+1 || len(t.leaf) != n || len(t.count) != n || l < 1 || len(t.conceptAt) != l+1 ||
		len(t.head.Groups) != len(t.head.Roots) || int(t.first[n]) != n ||
		int(t.textAt[l]) != len(t.texts) || int(t.conceptAt[l]) != len(t.concepts) {
		return fmt.Errorf("sections do not fit each other: %w", artifact.ErrDamaged)
	}
	roots := t.head.Roots
	if t.head.All != nil {
		roots = append(roots[:len(roots):len(roots)], *t.head.All)
	}
	for _, r := range roots {
		if int(r) >= n {
			return fmt.Errorf("root %d outside the tree: %w", r, artifact.ErrDamaged)
		}
	}
	return nil
}

// Verify compares every section with its checksum and walks the tree's arrays once.
func (t *Trie) Verify() error {
	for i, p := range t.parts() {
		if i < len(t.head.Sections) && checksum(p.data) != t.head.Sections[i].CRC {
			return fmt.Errorf("trie section %q: wrong checksum: %w", p.name, artifact.ErrDamaged)
		}
	}
	for n := range t.meta {
		if t.first[n] > t.first[n+1] || int(t.leaf[n])+int(t.count[n]) > t.Leaves() {
			return fmt.Errorf("trie node %d: %w", n, artifact.ErrDamaged)
		}
	}
	return nil
}

func align(n int64) int64 { return (n + 63) &^ 63 }

func bytesOf(s []uint32) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), 4*len(s))
}
