package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"syncabel/internal/artifact"
)

// recipe is what a tokenizer trained here is written from.
type recipe struct {
	lower bool
	list  []mergeJSON // merges by rank
}

// MarshalJSON writes a tokenizer that Train made as a tokenizer.json that the tokenizers library reads to the same ids. Files
// that were read are copied instead, see Adapt.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	if t.trained == nil {
		return nil, errors.New("only trained tokenizers are written")
	}
	no, yes := false, true
	f := file{Version: "1.0", Truncation: json.RawMessage("null"), Padding: json.RawMessage("null"), AddedTokens: []addedJSON{}}
	if t.trained.lower {
		f.Normalizer = &component{Type: "Lowercase"}
	}
	f.PreTokenizer = &component{Type: "Sequence", PreTokenizers: []component{{Type: "Digits", IndividualDigits: &yes},
		{Type: "ByteLevel", AddPrefixSpace: &no, TrimOffsets: &yes, UseRegex: &yes}}}
	f.Decoder = &component{Type: "ByteLevel", AddPrefixSpace: &yes, TrimOffsets: &yes, UseRegex: &yes}
	f.Model = modelJSON{Type: "BPE", Vocab: vocabJSON{ids: t.ids}, Merges: append(mergeList{}, t.trained.list...)}
	for _, a := range t.added {
		f.AddedTokens = append(f.AddedTokens, addedJSON{a.ID, a.Content, a.SingleWord, a.LStrip, a.RStrip, a.Normalized, a.Special})
	}
	return json.Marshal(f)
}

// WriteFile writes tokenizer.json into a folder, and the tokenizer_config.json that tells transformers which tokens begin and end a
// text.
func (t *Tokenizer) WriteFile(dir, bos, eos string) error {
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("writing tokenizer: %w", err)
	}
	if err := artifact.WriteFile(filepath.Join(dir, FileName), b); err != nil {
		return err
	}
	config := struct {
		Class   string `json:"tokenizer_class"`
		BOS     string `json:"bos_token"`
		EOS     string `json:"eos_token"`
		Cleanup bool   `json:"clean_up_tokenization_spaces"`
	}{Class: "PreTrainedTokenizerFast", BOS: bos, EOS: eos}
	if b, err = json.MarshalIndent(config, "", " "); err != nil {
		return fmt.Errorf("writing tokenizer: %w", err)
	}
	return artifact.WriteFile(filepath.Join(dir, "tokenizer_config.json"), append(b, '\n'))
}
