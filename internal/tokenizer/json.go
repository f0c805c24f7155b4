package tokenizer

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"syncabel/internal/artifact"
)

// maxFile bounds a tokenizer.json; the largest in use have 35 MB.
const maxFile = 256 << 20

// FileName is the name of the file inside a model folder.
const FileName = "tokenizer.json"

type file struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedJSON     `json:"added_tokens"`
	Normalizer    *component      `json:"normalizer"`
	PreTokenizer  *component      `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       *component      `json:"decoder"`
	Model         modelJSON       `json:"model"`
}

type addedJSON struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// component is a normalizer, pre-tokenizer or decoder with the fields of the kinds that are understood.
type component struct {
	Type             string      `json:"type"`
	Normalizers      []component `json:"normalizers,omitempty"`
	PreTokenizers    []component `json:"pretokenizers,omitempty"`
	AddPrefixSpace   *bool       `json:"add_prefix_space,omitempty"`
	TrimOffsets      *bool       `json:"trim_offsets,omitempty"`
	UseRegex         *bool       `json:"use_regex,omitempty"`
	IndividualDigits *bool       `json:"individual_digits,omitempty"`
	Pattern          *regexJSON  `json:"pattern,omitempty"`
	Behavior         string      `json:"behavior,omitempty"`
	Invert           *bool       `json:"invert,omitempty"`
}

type regexJSON struct {
	Regex string `json:"Regex"`
}

type modelJSON struct {
	Type          string           `json:"type"`
	Dropout       *float64         `json:"dropout"`
	UnkToken      *string          `json:"unk_token"`
	ContinuingSub *string          `json:"continuing_subword_prefix"`
	EndOfWord     *string          `json:"end_of_word_suffix"`
	FuseUnk       bool             `json:"fuse_unk"`
	ByteFallback  bool             `json:"byte_fallback"`
	IgnoreMerges  bool             `json:"ignore_merges"`
	Vocab         map[string]int32 `json:"vocab"`
	Merges        []mergeJSON      `json:"merges"`
}

// mergeJSON is a merge in either of the two written forms, "a b" or ["a","b"].
type mergeJSON [2]string

func (m *mergeJSON) UnmarshalJSON(b []byte) error {
	var list []string
	if len(b) > 0 && b[0] == '[' {
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
	} else {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		list = strings.Split(s, " ")
	}
	if len(list) != 2 {
		return fmt.Errorf("merge of %d parts", len(list))
	}
	m[0], m[1] = list[0], list[1]
	return nil
}

// Load reads a tokenizer.json, given the file or the model folder that holds it.
func Load(path string) (*Tokenizer, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, FileName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer %s: %w", path, err)
	}
	return Parse(b, path)
}

// Parse reads the content of a tokenizer.json; name is for messages.
func Parse(data []byte, name string) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("reading tokenizer %s: %w", name, err)
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer %s: %w", name, err)
	}
	return t, nil
}

func (f *file) tokenizer() (*Tokenizer, error) {
	t := &Tokenizer{}
	if err := f.Model.check(); err != nil {
		return nil, err
	}
	t.ignore = f.Model.IgnoreMerges
	if err := t.normalizer(f.Normalizer); err != nil {
		return nil, err
	}
	if err := t.preTokenizer(f.PreTokenizer); err != nil {
		return nil, err
	}
	if f.Decoder != nil && f.Decoder.Type != "ByteLevel" {
		return nil, fmt.Errorf("decoder %q is not supported", f.Decoder.Type)
	}
	return t, t.vocabulary(f)
}

func (m *modelJSON) check() error {
	switch {
	case m.Type != "BPE" && m.Type != "":
		return fmt.Errorf("model %q is not supported", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("BPE dropout is not supported")
	case m.ByteFallback:
		return fmt.Errorf("byte_fallback is not supported")
	case m.ContinuingSub != nil && *m.ContinuingSub != "", m.EndOfWord != nil && *m.EndOfWord != "":
		return fmt.Errorf("subword prefixes and suffixes are not supported")
	}
	return nil
}

func (t *Tokenizer) normalizer(c *component) error {
	switch {
	case c == nil:
	case c.Type == "Lowercase":
		t.lower = true
	case c.Type == "Sequence":
		for i := range c.Normalizers {
			if err := t.normalizer(&c.Normalizers[i]); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("normalizer %q is not supported", c.Type)
	}
	return nil
}

func (t *Tokenizer) preTokenizer(c *component) error {
	if c == nil {
		return fmt.Errorf("a byte-level pre-tokenizer is needed")
	}
	switch c.Type {
	case "Sequence":
		for i := range c.PreTokenizers {
			if err := t.preTokenizer(&c.PreTokenizers[i]); err != nil {
				return err
			}
		}
		return nil
	case "ByteLevel":
		if c.AddPrefixSpace != nil && *c.AddPrefixSpace {
			return fmt.Errorf("ByteLevel add_prefix_space is not supported")
		}
		return nil
	case "Digits":
		if c.IndividualDigits == nil || !*c.IndividualDigits {
			return fmt.Errorf("pre-tokenizer Digits without individual_digits is not supported")
		}
		t.digits = true
		return nil
	case "Split":
		if c.Pattern == nil || c.Behavior != "Isolated" || c.Invert != nil && *c.Invert {
			return fmt.Errorf("pre-tokenizer Split other than isolated is not supported")
		}
		var err error
		t.pattern, err = patternOf(c.Pattern.Regex)
		return err
	}
	return fmt.Errorf("pre-tokenizer %q is not supported", c.Type)
}

func (t *Tokenizer) vocabulary(f *file) error {
	size := int32(len(f.Model.Vocab))
	for _, a := range f.AddedTokens {
		size = max(size, a.ID+1)
	}
	if int(size) > len(f.Model.Vocab)+len(f.AddedTokens) {
		return fmt.Errorf("ids leave gaps: %d ids for %d tokens", size, len(f.Model.Vocab)+len(f.AddedTokens))
	}
	t.tokens = make([]string, size)
	for tok, id := range f.Model.Vocab {
		if id < 0 || id >= size {
			return fmt.Errorf("token %q has id %d outside the vocabulary", tok, id)
		}
		t.tokens[id] = tok
	}
	for _, a := range f.AddedTokens {
		if a.ID < 0 || a.SingleWord || a.LStrip || a.RStrip {
			return fmt.Errorf("added token %q: single_word, lstrip and rstrip are not supported", a.Content)
		}
		t.tokens[a.ID] = a.Content
		t.added = append(t.added, Added{a.ID, a.Content, a.Special})
	}
	for i, m := range f.Model.Merges {
		a, okA := f.Model.Vocab[m[0]]
		b, okB := f.Model.Vocab[m[1]]
		if !okA || !okB {
			return fmt.Errorf("merge %d (%q, %q) names a token that is not in the vocabulary", i, m[0], m[1])
		}
		t.list = append(t.list, pair{a, b})
	}
	return t.build()
}

// MarshalJSON writes a tokenizer.json that the tokenizers library reads to the same ids.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	no, yes := false, true
	f := file{Version: "1.0", Truncation: json.RawMessage("null"), Padding: json.RawMessage("null"), PostProcessor: json.RawMessage("null")}
	if t.lower {
		f.Normalizer = &component{Type: "Lowercase"}
	}
	level := component{Type: "ByteLevel", AddPrefixSpace: &no, TrimOffsets: &yes, UseRegex: &yes}
	seq := &component{Type: "Sequence"}
	if t.digits {
		seq.PreTokenizers = append(seq.PreTokenizers, component{Type: "Digits", IndividualDigits: &yes})
	}
	if t.pattern != patternGPT2 {
		seq.PreTokenizers = append(seq.PreTokenizers, component{Type: "Split", Pattern: &regexJSON{t.pattern.regex()}, Behavior: "Isolated", Invert: &no})
		level.UseRegex = &no
	}
	seq.PreTokenizers = append(seq.PreTokenizers, level)
	f.PreTokenizer = seq
	f.Decoder = &component{Type: "ByteLevel", AddPrefixSpace: &yes, TrimOffsets: &yes, UseRegex: &yes}
	f.Model = modelJSON{Type: "BPE", IgnoreMerges: t.ignore, Vocab: map[string]int32{}, Merges: []mergeJSON{}}
	for _, a := range t.added {
		f.AddedTokens = append(f.AddedTokens, addedJSON{ID: a.ID, Content: a.Content, Special: a.Special})
	}
	sort.Slice(f.AddedTokens, func(i, j int) bool { return f.AddedTokens[i].ID < f.AddedTokens[j].ID })
	for id, tok := range t.tokens {
		f.Model.Vocab[tok] = int32(id)
	}
	for _, p := range t.list {
		f.Model.Merges = append(f.Model.Merges, mergeJSON{t.tokens[p.a], t.tokens[p.b]})
	}
	return json.Marshal(f)
}

// WriteFile writes tokenizer.json into a folder.
func (t *Tokenizer) WriteFile(dir string) error {
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("writing tokenizer: %w", err)
	}
	return artifact.WriteFile(filepath.Join(dir, FileName), b)
}
