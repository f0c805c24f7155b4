package tokenizer

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestAdapt: a symbol of ours becomes one token, on a reserved token where there is one, and no other id moves.
func TestAdapt(t *testing.T) {
	for kind, want := range map[string]string{"llama3": "<|reserved_special_token_0|>", "gpt2": "", "bert": "", "xlmr": ""} {
		src := filepath.Join("testdata/hf", kind)
		before, err := Load(src)
		if err != nil {
			t.Fatal(err)
		}
		id := int32(before.VocabSize())
		if want != "" {
			id, _ = before.ID(want)
		}
		tok, got, err := Adapt(src, t.TempDir(), "<MARK>", before.VocabSize()+8)
		if err != nil || got != id {
			t.Errorf("%s: id %d, want %d: %v", kind, got, id, err)
			continue
		}
		if ids := tok.Encode(nil, "x<MARK>y"); !slices.Contains(ids, id) || !tok.IsSpecial(id) {
			t.Errorf("%s: %v", kind, ids)
		}
		for _, s := range hfTexts(t) {
			if s == want {
				continue
			}
			if a, b := before.Encode(nil, s), tok.Encode(nil, s); !slices.Equal(a, b) {
				t.Errorf("%s: %q: %v became %v", kind, s, a, b)
			}
		}
	}
	if _, id, err := Adapt("testdata/hf/llama3", t.TempDir(), "<SEP>", 0); err != nil || id == 0 {
		t.Errorf("a token that is there: %d, %v", id, err)
	}
}
