package tokenizer

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestAsHuggingFace compares with the tokenizers library on a tokenizer.json that this package wrote
// (scripts/tokenizer_fixture.py).
func TestAsHuggingFace(t *testing.T) {
	tok, err := Load("testdata/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Cases []struct {
			Text, Decoded string
			IDs           []int32
		}
	}
	if err := json.Unmarshal(b, &fixture); err != nil {
		t.Fatal(err)
	}
	for _, c := range fixture.Cases {
		got := tok.Encode(nil, c.Text)
		if !slices.Equal(got, c.IDs) {
			t.Errorf("%q: %v, tokenizers has %v", c.Text, got, c.IDs)
		}
		if d := tok.Decode(c.IDs, false); d != c.Decoded {
			t.Errorf("decoding %v: %q, tokenizers has %q", c.IDs, d, c.Decoded)
		}
	}
}
