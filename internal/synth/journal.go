// Package synth turns what a language model wrote about each concept into annotated sentences: prompts, a plan of requests, the
// gates that a sentence must pass before it trains anything, and the release of what passed. The requests themselves are made by
// package llm. It stands after the knowledge base and before dataset.
//
// The way of a sentence: WritePlan writes what will be asked; llm.Run, or a batch, asks and keeps a journal by content hash;
// Collect joins plan and results into answers, and lists what is missing and why; Gates turn answers into documents and keep what
// they reject; Release writes the documents for others.
package synth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"syncabel/internal/text"
)

// A Record is the answer to one request, or why there is none: a line of JSON in an answers file. A later record of a concept,
// language and prompt replaces an earlier one.
type Record struct {
	Concept  string `json:"concept"`
	Language string `json:"language"`
	Prompt   string `json:"prompt"` // name of the prompt file, e.g. "pubmed.en"
	Model    string `json:"model"`
	Answer   string `json:"answer,omitempty"` // what the model wrote: see Lines
	Error    string `json:"error,omitempty"`  // why there is no answer: the request counts as missing
}

// maxLine bounds one record.
const maxLine = 4 << 20

// ReadJournal reads records. A last line that is cut off, as a killed run leaves it, is passed over and reported.
func ReadJournal(r io.Reader, name string) ([]Record, []text.Warning, error) {
	var out []Record
	var warnings []text.Warning
	in := bufio.NewReaderSize(r, 1<<16)
	at := map[string]int{}
	for line := 1; ; line++ {
		b, err := readLine(in)
		if err == io.EOF {
			return out, warnings, nil
		}
		if err != nil {
			return nil, nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		if len(strings.TrimSpace(string(b))) == 0 {
			continue
		}
		var rec Record
		if err := json.Unmarshal(b, &rec); err != nil {
			if _, more := in.Peek(1); more == io.EOF {
				warnings = append(warnings, text.Warning{File: name, Line: line, Kind: "cut", Msg: "the last record is cut off and counts as missing"})
				return out, warnings, nil
			}
			return nil, nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		if rec.Concept == "" {
			return nil, nil, &text.SyntaxError{File: name, Line: line, Msg: "the record names no concept"}
		}
		key := rec.Concept + "\x00" + rec.Language + "\x00" + rec.Prompt
		if i, ok := at[key]; ok {
			out[i] = rec
			continue
		}
		at[key] = len(out)
		out = append(out, rec)
	}
}

// readLine returns the next line, at most maxLine bytes; the last need not end with a line break.
func readLine(in *bufio.Reader) ([]byte, error) {
	var b []byte
	for {
		part, err := in.ReadSlice('\n')
		b = append(b, part...)
		switch {
		case len(b) > maxLine:
			return nil, fmt.Errorf("a record is longer than %d bytes", maxLine)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(b) > 0:
			return b, nil
		}
		return b, err
	}
}
