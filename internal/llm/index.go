package llm

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"syncabel/internal/text"
)

// An Index finds answers by key in any number of files: journals and the result files of OpenAI (also `vllm run-batch`),
// Anthropic and Gemini batches. It keeps where each answer stands, not the answer, and does not depend on the order of files: an
// answer counts more than a failure, and of several the one with the smallest hash is taken.
type Index struct {
	files []*os.File
	at    map[Key]place
}

type place struct {
	file  int
	at    int64
	size  int
	hash  uint64
	state state
}

// NewIndex returns an empty index.
func NewIndex() *Index { return &Index{at: map[Key]place{}} }

// Add reads a file of results. A half-written last line, as a running or killed writer leaves it, is passed over and reported.
func (x *Index) Add(path string) (entries int, warnings []text.Warning, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, fmt.Errorf("reading results: %w", err)
	}
	x.files = append(x.files, f)
	err = scanLines(f, path, func(b []byte, line int, at int64, last bool) error {
		e, err := parseResult(b)
		switch {
		case err != nil && last && b[len(b)-1] != '\n':
			warnings = append(warnings, text.Warning{File: path, Line: line, Kind: "cut", Msg: "the last line is cut off; its request counts as missing"})
			return nil
		case err != nil:
			return &text.SyntaxError{File: path, Line: line, Msg: err.Error()}
		}
		entries++
		h := fnv.New64a()
		h.Write([]byte(e.Answer))
		p := place{len(x.files) - 1, at, len(b), h.Sum64(), e.state()}
		if have, ok := x.at[e.Key]; !ok || p.better(have) {
			x.at[e.Key] = p
		}
		return nil
	})
	return entries, warnings, err
}

func (p place) better(q place) bool {
	if p.state != q.state {
		return p.state > q.state
	}
	if p.state == answered {
		return p.hash < q.hash
	}
	return p.file >= q.file
}

// Get returns what is known of a request; ok is false when no file has it.
func (x *Index) Get(k Key) (e Entry, ok bool, err error) {
	p, ok := x.at[k]
	if !ok {
		return Entry{}, false, nil
	}
	b := make([]byte, p.size)
	if _, err := x.files[p.file].ReadAt(b, p.at); err != nil && err != io.EOF {
		return Entry{}, false, fmt.Errorf("reading result: %w", err)
	}
	e, err = parseResult(b)
	return e, err == nil, err
}

// Len returns how many requests the index knows.
func (x *Index) Len() int { return len(x.at) }

// Close closes the files.
func (x *Index) Close() error {
	var first error
	for _, f := range x.files {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// resultLine is a line of any result file.
type resultLine struct {
	CustomID string `json:"custom_id"`
	Key      string `json:"key"`
	Response *struct {
		StatusCode int             `json:"status_code"` // of OpenAI
		Body       json.RawMessage `json:"body"`
	} `json:"response"`
	Result *struct { // of Anthropic
		Type    string          `json:"type"`
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
	} `json:"result"`
	Error json.RawMessage `json:"error"`
}

// parseResult reads a line of a journal or of a batch's results.
func parseResult(b []byte) (Entry, error) {
	var r resultLine
	if err := json.Unmarshal(b, &r); err != nil {
		return Entry{}, err
	}
	id := r.CustomID
	if id == "" {
		id = r.Key
	}
	key, err := ParseKey(id)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: results of requests that this program planned are expected", err)
	}
	switch {
	case r.Result != nil:
		return anthropicResult(key, r.Result.Type, r.Result.Message, r.Result.Error), nil
	case r.CustomID != "":
		return openaiResult(key, &r), nil
	case r.Response != nil || len(r.Error) > 0 && r.Error[0] == '{':
		return geminiResult(key, b)
	}
	var e Entry
	err = json.Unmarshal(b, &e)
	return e, err
}

func openaiResult(key Key, r *resultLine) Entry {
	if r.Response == nil || r.Response.StatusCode != 200 {
		e := Entry{Key: key, Error: KindServer, Detail: (&endpoint{}).words(r.Error)}
		if r.Response != nil {
			e.Detail = fmt.Sprintf("HTTP %d: %s", r.Response.StatusCode, (&endpoint{}).words(r.Response.Body))
			if c := r.Response.StatusCode; 400 <= c && c < 500 && c != 408 && c != 429 {
				e.Error, e.Final = KindRejected, true
			}
		}
		return e
	}
	return batchAnswer(key, OpenAI, r.Response.Body)
}

func anthropicResult(key Key, kind string, message, failure json.RawMessage) Entry {
	switch kind {
	case "succeeded":
		return batchAnswer(key, Anthropic, message)
	case "expired", "canceled":
		return Entry{Key: key, Error: KindExpired, Detail: kind}
	}
	return Entry{Key: key, Error: KindServer, Detail: (&endpoint{}).words(failure)}
}

func geminiResult(key Key, line []byte) (Entry, error) {
	var r struct {
		Response json.RawMessage `json:"response"`
		Error    json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Entry{}, err
	}
	if len(r.Response) == 0 {
		return Entry{Key: key, Error: KindServer, Detail: (&endpoint{}).words(line)}, nil
	}
	return batchAnswer(key, Gemini, r.Response), nil
}

// batchAnswer makes an entry of an answer's body.
func batchAnswer(key Key, api string, body []byte) Entry {
	resp, err := decode(api, body)
	if err != nil {
		return Entry{Key: key, Error: KindMalformed, Detail: err.Error()}
	}
	e := Entry{Key: key, Answer: resp.Text, Model: resp.Model, Usage: resp.Usage}
	if failure := finishFailure(&endpoint{}, resp); failure != nil {
		e.Answer = ""
		e.fail(failure)
	}
	return e
}
