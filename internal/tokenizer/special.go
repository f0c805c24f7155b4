package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// EndToken returns the token that the folder's tokenizer_config.json calls the end of a sequence, -1 where it calls none so. It is what
// trainers put behind an answer, and in Llama-3's folders another one than config.json's, or one of several there.
func EndToken(dir string, t *Tokenizer) (int32, error) {
	path := filepath.Join(dir, "tokenizer_config.json")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("reading tokenizer: %w", err)
	}
	defer f.Close()
	var config struct {
		EOS json.RawMessage `json:"eos_token"` // the token, or an object that holds it
	}
	if err := json.NewDecoder(io.LimitReader(f, maxCompanion)).Decode(&config); err != nil {
		return -1, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(config.EOS) == 0 || string(config.EOS) == "null" {
		return -1, nil
	}
	var name string
	if json.Unmarshal(config.EOS, &name) != nil {
		var object struct {
			Content string `json:"content"`
		}
		if err := json.Unmarshal(config.EOS, &object); err != nil {
			return -1, fmt.Errorf("reading %s: eos_token: %w", path, err)
		}
		name = object.Content
	}
	id, ok := t.ID(name)
	if !ok {
		return -1, fmt.Errorf("reading %s: eos_token %q is no token of tokenizer.json", path, name)
	}
	return id, nil
}
