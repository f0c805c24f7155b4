// Package synth turns what a language model wrote about each concept into annotated sentences: the prompts, the journal of
// requests and answers, and the gates that a sentence must pass before it trains anything. It stands after the knowledge
// base and before dataset.
package synth

import (
	"bufio"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// A Record is one request of the journal with its answer: a line of JSON. The journal only grows; a later record of a key
// replaces an earlier one.
type Record struct {
	Concept  string `json:"concept"`
	Language string `json:"language"`
	Prompt   string `json:"prompt"` // name of the prompt file, e.g. "general.en"
	Model    string `json:"model"`
	Answer   string `json:"answer,omitempty"` // one sentence a line, the mention in square brackets
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

//go:embed prompts
var prompts embed.FS

// Prompt renders the prompt file `register.language` for a concept.
func Prompt(register, language string, c *terminology.Concept, n int) (string, error) {
	name := "prompts/" + register + "." + language + ".txt"
	b, err := prompts.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("no prompt for register %q in language %q", register, language)
	}
	t, err := template.New(name).Option("missingkey=error").Parse(string(b))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	var names []string
	for _, x := range c.Names {
		if x.Language == "" || x.Language == language {
			names = append(names, x.Text)
		}
	}
	definition := ""
	if len(c.Definitions) > 0 {
		definition = c.Definitions[0].Text
	}
	var out strings.Builder
	err = t.Execute(&out, map[string]any{"N": n, "ID": c.ID, "Group": strings.Join(c.Groups(), ", "),
		"Names": strings.Join(names, "; "), "Definition": definition})
	return out.String(), err
}
