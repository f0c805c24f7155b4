package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
)

// companions are the files of a model folder that speak of tokens, beside tokenizer.json.
var companions = []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}

// maxCompanion bounds each of companions.
const maxCompanion = 16 << 20

// Adapt copies the tokenizer of a downloaded model from folder src to dst so that token is one id there, and returns the copy and
// the id. A model trains and writes it as one symbol then. In this order it takes
//
//   - the token, if the vocabulary has it;
//   - a reserved special token, renamed: Llama's <|reserved_special_token_0|>, [control_8], <unused0>;
//   - a new special token behind the last id. rows is the number of embeddings of the model: most have more than tokens; an id
//     of rows or more says that the model must grow.
//
// All other ids stay what they were.
func Adapt(src, dst, token string, rows int) (*Tokenizer, int32, error) {
	raw, path, err := read(src)
	if err != nil {
		return nil, 0, err
	}
	t, err := Parse(raw, path)
	if err != nil {
		return nil, 0, err
	}
	old := ""
	id, ok := t.ID(token)
	if !ok {
		if old, id, ok = t.reserved(); !ok {
			id = int32(t.VocabSize())
		}
		if raw, err = rename(raw, old, token, id); err != nil {
			return nil, 0, fmt.Errorf("adapting tokenizer %s: %w", path, err)
		}
	}
	if err := artifact.WriteFile(filepath.Join(dst, FileName), raw); err != nil {
		return nil, 0, err
	}
	if err := copyCompanions(src, dst, old, token); err != nil {
		return nil, 0, err
	}
	t, err = Load(dst)
	if err != nil {
		return nil, 0, err
	}
	if got, _ := t.ID(token); got != id {
		return nil, 0, fmt.Errorf("adapting tokenizer %s: %q became token %d, not %d", path, token, got, id)
	}
	return t, id, nil
}

// reserved returns a special token that models keep for users, the first by id.
func (t *Tokenizer) reserved() (string, int32, bool) {
	list := slices.Clone(t.added)
	slices.SortFunc(list, func(a, b Added) int { return int(a.ID - b.ID) })
	for _, a := range list {
		if a.Special && !slices.Contains(t.prefix, a.ID) && !slices.Contains(t.suffix, a.ID) &&
			(strings.Contains(a.Content, "reserved") || strings.Contains(a.Content, "unused") || strings.HasPrefix(a.Content, "[control_")) {
			return a.Content, a.ID, true
		}
	}
	return "", 0, false
}

// rename edits a tokenizer.json: the special token old gets the name token; where old is empty, token becomes a new one.
func rename(raw []byte, old, token string, id int32) ([]byte, error) {
	var doc, model map[string]json.RawMessage
	var added []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	if len(doc["added_tokens"]) > 0 {
		if err := json.Unmarshal(doc["added_tokens"], &added); err != nil {
			return nil, err
		}
	}
	name, err := json.Marshal(token)
	if err != nil {
		return nil, err
	}
	if old == "" {
		no, yes := json.RawMessage("false"), json.RawMessage("true")
		added = append(added, map[string]json.RawMessage{"id": fmt.Appendf(nil, "%d", id), "content": name, "single_word": no, "lstrip": no,
			"rstrip": no, "normalized": no, "special": yes})
	}
	for _, a := range added {
		if string(a["id"]) == fmt.Sprint(id) {
			a["content"], a["normalized"], a["lstrip"], a["rstrip"] = name, json.RawMessage("false"), json.RawMessage("false"), json.RawMessage("false")
		}
	}
	if doc["added_tokens"], err = encode(added); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(doc["model"], &model); err != nil {
		return nil, err
	}
	var vocab map[string]int32
	if json.Unmarshal(model["vocab"], &vocab) == nil && old != "" { // some reserved tokens are in the model's vocabulary, too
		if _, ok := vocab[old]; ok {
			delete(vocab, old)
			vocab[token] = id
			if model["vocab"], err = encode(vocab); err != nil {
				return nil, err
			}
			if doc["model"], err = encode(model); err != nil {
				return nil, err
			}
		}
	}
	return encode(doc)
}

// encode is json.Marshal that leaves <, > and & readable.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// copyCompanions copies the other files that name tokens, with old renamed.
func copyCompanions(src, dst, old, token string) error {
	for _, name := range companions {
		path := filepath.Join(src, name)
		st, err := os.Stat(path)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil && st.Size() > maxCompanion {
			err = fmt.Errorf("larger than %d bytes", maxCompanion)
		}
		var b []byte
		if err == nil {
			b, err = os.ReadFile(path)
		}
		if err != nil {
			return fmt.Errorf("copying %s: %w", path, err)
		}
		if old != "" {
			from, _ := encode(old)
			to, _ := encode(token)
			b = bytes.ReplaceAll(b, bytes.TrimSpace(from), bytes.TrimSpace(to))
		}
		if err := artifact.WriteFile(filepath.Join(dst, name), b); err != nil {
			return err
		}
	}
	return nil
}
