package bigbio

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// Read reads JSON. The line of a warning is the number of the document.
func Read(r io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	opt.Codes = opt.Codes.Or(composite, "")
	in := bufio.NewReaderSize(io.LimitReader(r, maxFile), 1<<16)
	p := &parser{problems: text.Problems{File: file}, opt: opt}
	first := corpus.FirstByte(in)
	dec := json.NewDecoder(in)
	fault := func(format string, args ...any) error {
		return &text.SyntaxError{File: file, Msg: fmt.Sprintf(format, args...)}
	}
	switch first {
	case 0:
		return nil, nil, fault("empty file: BigBio documents are expected")
	case '[':
		if _, err := dec.Token(); err != nil {
			return nil, nil, fault("%v", err)
		}
	}
	for p.n = 1; dec.More(); p.n++ {
		var d document
		if err := dec.Decode(&d); err != nil {
			return nil, nil, fault("document %d is no BigBio JSON: %v", p.n, err)
		}
		if len(d.Passages) == 0 {
			return nil, nil, fault("document %d has no passages: this is no BigBio knowledge-base schema", p.n)
		}
		p.document(&d)
	}
	if first == '[' {
		if _, err := dec.Token(); err != nil {
			return nil, nil, fault("the array is not closed after document %d", p.n-1)
		}
	} else if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, fault("what follows document %d is no JSON object", p.n-1)
	}
	return p.docs, p.problems.List, nil
}

// Write writes JSON, one document a line.
func Write(w io.Writer, docs []corpus.Document, _ corpus.WriteOptions) ([]text.Warning, error) {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	lost := corpus.Losses{}
	for i := range docs {
		if err := enc.Encode(render(i, &docs[i], lost)); err != nil {
			return nil, err
		}
	}
	return lost.Warnings("BigBio"), b.Flush()
}
