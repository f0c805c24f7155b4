package terminology

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"syncabel/internal/artifact"
	"syncabel/internal/text"
)

// FileName is the knowledge base inside its run folder: one concept a line, in the order of IDs.
const FileName = "concepts.jsonl"

// maxLine bounds one concept of a file.
const maxLine = 16 << 20

// WriteFile writes kb to path atomically.
func (kb *KB) WriteFile(path string) error {
	return artifact.WriteWith(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		for i := range kb.concepts {
			if err := enc.Encode(&kb.concepts[i]); err != nil {
				return err
			}
		}
		return b.Flush()
	})
}

// Open reads a knowledge base that WriteFile wrote.
func Open(path string) (*KB, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening knowledge base: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	var concepts []Concept
	for line := 1; sc.Scan(); line++ {
		var c Concept
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			return nil, &text.SyntaxError{File: path, Line: line, Msg: err.Error()}
		}
		if len(c.Names) == 0 || c.ID == "" {
			return nil, &text.SyntaxError{File: path, Line: line, Msg: fmt.Sprintf("concept %q has no name or no ID: import the knowledge base again", c.ID)}
		}
		concepts = append(concepts, c)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading knowledge base %s: %w", path, err)
	}
	return newKB(concepts), nil
}
