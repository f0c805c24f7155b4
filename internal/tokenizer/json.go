package tokenizer

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
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
	PostProcessor *component      `json:"post_processor"`
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

// component is a normalizer, pre-tokenizer, post-processor or decoder with the fields of the kinds that are understood.
type component struct {
	Type             string       `json:"type"`
	Normalizers      []component  `json:"normalizers,omitempty"`
	PreTokenizers    []component  `json:"pretokenizers,omitempty"`
	Decoders         []component  `json:"decoders,omitempty"`
	Processors       []component  `json:"processors,omitempty"`
	AddPrefixSpace   *bool        `json:"add_prefix_space,omitempty"`
	TrimOffsets      *bool        `json:"trim_offsets,omitempty"`
	UseRegex         *bool        `json:"use_regex,omitempty"`
	IndividualDigits *bool        `json:"individual_digits,omitempty"`
	Pattern          *patternJSON `json:"pattern,omitempty"`
	Behavior         string       `json:"behavior,omitempty"`
	Invert           *bool        `json:"invert,omitempty"`
	Delimiter        string       `json:"delimiter,omitempty"`
	Replacement      string       `json:"replacement,omitempty"`
	PrependScheme    string       `json:"prepend_scheme,omitempty"`
	Split            *bool        `json:"split,omitempty"`
	Prepend          string       `json:"prepend,omitempty"`
	Content          *string      `json:"content,omitempty"`
	StripLeft        *bool        `json:"strip_left,omitempty"`
	StripRight       *bool        `json:"strip_right,omitempty"`
	CleanText        *bool        `json:"clean_text,omitempty"`
	ChineseChars     *bool        `json:"handle_chinese_chars,omitempty"`
	StripAccents     *bool        `json:"strip_accents,omitempty"`
	Lowercase        *bool        `json:"lowercase,omitempty"`
	Charsmap         string       `json:"precompiled_charsmap,omitempty"`
	Start            int          `json:"start,omitempty"`
	Stop             int          `json:"stop,omitempty"`
	Prefix           *string      `json:"prefix,omitempty"`
	Cleanup          *bool        `json:"cleanup,omitempty"`

	Single        []templateJSON         `json:"single,omitempty"`
	SpecialTokens map[string]specialJSON `json:"special_tokens,omitempty"`
	Sep           *tokenPair             `json:"sep,omitempty"`
	Cls           *tokenPair             `json:"cls,omitempty"`
}

func (c *component) prefixText() string {
	if c.Prefix == nil {
		return "##"
	}
	return *c.Prefix
}

// patternJSON is what a Split or Replace looks for: an exact string or an expression.
type patternJSON struct {
	String string `json:"String,omitempty"`
	Regex  string `json:"Regex,omitempty"`
}

type modelJSON struct {
	Type          string    `json:"type"`
	Dropout       *float64  `json:"dropout"`
	UnkToken      *string   `json:"unk_token"`
	ContinuingSub *string   `json:"continuing_subword_prefix"`
	EndOfWord     *string   `json:"end_of_word_suffix"`
	FuseUnk       bool      `json:"fuse_unk"`
	ByteFallback  bool      `json:"byte_fallback"`
	IgnoreMerges  bool      `json:"ignore_merges"`
	Vocab         vocabJSON `json:"vocab"`
	Merges        mergeList `json:"merges,omitempty"`
	UnkID         *int32    `json:"unk_id,omitempty"`
	MaxChars      *int      `json:"max_input_chars_per_word,omitempty"`

	scores []float64 // of a Unigram
}

// vocabJSON is token -> id, or of a Unigram the list of [token, score].
type vocabJSON struct {
	ids    map[string]int32
	scores []float64
}

func (v *vocabJSON) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		return json.Unmarshal(b, &v.ids)
	}
	var list [][2]json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	v.ids, v.scores = make(map[string]int32, len(list)), make([]float64, len(list))
	for i, e := range list {
		var token string
		if err := json.Unmarshal(e[0], &token); err != nil {
			return fmt.Errorf("vocabulary entry %d: %w", i, err)
		}
		if err := json.Unmarshal(e[1], &v.scores[i]); err != nil {
			return fmt.Errorf("vocabulary entry %d: %w", i, err)
		}
		v.ids[token] = int32(i)
	}
	return nil
}

func (v vocabJSON) MarshalJSON() ([]byte, error) { return json.Marshal(v.ids) }

// mergeJSON is a merge.
type mergeJSON [2]string

// mergeList reads merges in either of the two written forms, "a b" or ["a","b"].
type mergeList []mergeJSON

func (l *mergeList) UnmarshalJSON(b []byte) error {
	var pairs [][]string
	if err := json.Unmarshal(b, &pairs); err != nil {
		var lines []string
		if json.Unmarshal(b, &lines) != nil {
			return err
		}
		pairs = pairs[:0]
		for _, s := range lines {
			pairs = append(pairs, strings.Split(s, " "))
		}
	}
	for i, p := range pairs {
		if len(p) != 2 {
			return fmt.Errorf("merge %d has %d parts", i, len(p))
		}
		*l = append(*l, mergeJSON{p[0], p[1]})
	}
	return nil
}

// Load reads a tokenizer.json, given the file or the model folder that holds it.
func Load(path string) (*Tokenizer, error) {
	b, path, err := read(path)
	if err != nil {
		return nil, err
	}
	return Parse(b, path)
}

func read(path string) ([]byte, string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, FileName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, path, fmt.Errorf("reading tokenizer: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && st.Size() > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(f, maxFile))
	}
	if err != nil {
		return nil, path, fmt.Errorf("reading tokenizer %s: %w", path, err)
	}
	return b, path, nil
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
	if err := t.vocabulary(f); err != nil {
		return nil, err
	}
	var err error
	if t.normalizers, err = f.Normalizer.normalizersOf(); err != nil {
		return nil, err
	}
	if t.steps, err = f.PreTokenizer.steps(); err != nil {
		return nil, err
	}
	if t.decoders, err = f.Decoder.decodersOf(); err != nil {
		return nil, err
	}
	if err := t.template(f.PostProcessor); err != nil {
		return nil, err
	}
	if err := t.checkFirst(); err != nil {
		return nil, err
	}
	if err := t.newModel(&f.Model); err != nil {
		return nil, err
	}
	t.build()
	return t, nil
}

// newModel makes the model. A file without a type is an older BPE.
func (t *Tokenizer) newModel(m *modelJSON) error {
	bytes := len(t.steps) > 0 && t.steps[len(t.steps)-1].kind == stepByteLevel
	if bytes && m.Type != "BPE" && m.Type != "" {
		return fmt.Errorf("pre-tokenizer ByteLevel with model %s is not supported", m.Type)
	}
	switch m.Type {
	case "BPE", "":
		return t.newBPE(m, bytes)
	case "WordPiece":
		return t.newWordPiece(m)
	case "Unigram":
		return t.newUnigram(m)
	}
	return fmt.Errorf("model %q is not supported", m.Type)
}

// checkFirst refuses a mark before the first word where a normalizer may cut the front of the text off: whether the first
// piece is still the first then depends on offsets that are not kept here.
func (t *Tokenizer) checkFirst() error {
	for _, st := range t.steps {
		for _, n := range t.normalizers {
			switch n.kind {
			case "Strip", "StripAccents", "BertNormalizer", "Nmt", "Precompiled":
				if st.prefix == prefixFirst {
					return fmt.Errorf("prepend_scheme first after normalizer %s is not supported", n.kind)
				}
			}
		}
	}
	return nil
}

// vocabulary takes the model's and the added tokens.
func (t *Tokenizer) vocabulary(f *file) error {
	t.vocab, f.Model.scores = f.Model.Vocab.ids, f.Model.Vocab.scores
	if (f.Model.scores != nil) != (f.Model.Type == "Unigram") {
		return fmt.Errorf("model %s with the vocabulary of another", f.Model.Type)
	}
	count := len(t.vocab) + len(f.AddedTokens)
	size := int32(len(f.Model.scores))
	for _, id := range t.vocab {
		size = max(size, id+1)
	}
	for _, a := range f.AddedTokens {
		size = max(size, a.ID+1)
	}
	if int(size) > 4*count+1<<16 { // some files leave gaps, a hostile one asks for memory
		return fmt.Errorf("ids up to %d for %d tokens", size-1, count)
	}
	t.tokens = make([]string, size)
	for tok, id := range t.vocab {
		if id < 0 || t.tokens[id] != "" {
			return fmt.Errorf("token %q has id %d, which is negative or taken", tok, id)
		}
		t.tokens[id] = tok
	}
	for _, a := range f.AddedTokens {
		if a.ID < 0 || a.Content == "" {
			return fmt.Errorf("added token %q has id %d", a.Content, a.ID)
		}
		t.tokens[a.ID] = a.Content
		t.added = append(t.added, Added{a.ID, a.Content, a.Special, a.SingleWord, a.LStrip, a.RStrip, a.Normalized})
	}
	return nil
}
