package tokenizer

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kinds are small tokenizers that the tokenizers library trained and wrote with the settings of the models they are named
// after (scripts/tokenizer_fixture.py; testdata/hf/versions.json says with which versions).
var kinds = []string{"gpt2", "roberta", "llama3", "qwen2", "smollm", "llama2", "mistral", "unigram", "xlmr", "bert", "bert-cased"}

// hfCase is what the library makes of a text.
type hfCase struct {
	IDs      []int32 // without the template
	Template []int32 // with it
	Decoded  string  // of IDs
	Clean    string  // without special tokens
	Middle   string  // of IDs[1:len-1], which may cut a code point in two
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// hfTexts are contractions, digits, runs of white space, accents, CJK, emoji, added tokens, random mixtures, invalid bytes.
func hfTexts(t testing.TB) []string {
	var list []struct{ Text, Hex string }
	readJSON(t, "testdata/hf/texts.json", &list)
	var out []string
	for _, x := range list {
		if x.Hex != "" {
			b, err := hex.DecodeString(x.Hex)
			if err != nil {
				t.Fatal(err)
			}
			x.Text = string(b)
		}
		out = append(out, x.Text)
	}
	return out
}

// compare checks a tokenizer against the library's cases and returns how many texts it saw.
func compare(t *testing.T, tok *Tokenizer, texts []string, cases []hfCase) int {
	t.Helper()
	if len(cases) != len(texts) || len(texts) == 0 {
		t.Fatalf("%d cases for %d texts", len(cases), len(texts))
	}
	faults := 0
	fault := func(s, what string, got, want any) {
		if faults++; faults <= 12 {
			t.Errorf("%q: %s %+q, tokenizers has %+q", s, what, got, want)
		}
	}
	names := func(ids []int32) (out []string) {
		for _, id := range ids {
			out = append(out, tok.Token(id))
		}
		return out
	}
	before, after := tok.Template()
	for i, s := range texts {
		c := cases[i]
		got := tok.Encode(nil, s)
		if !slices.Equal(got, c.IDs) {
			fault(s, "tokens", names(got), names(c.IDs))
		}
		if whole := slices.Concat(before, got, after); !slices.Equal(whole, c.Template) {
			fault(s, "with template", names(whole), names(c.Template))
		}
		if d := tok.Decode(c.IDs, false); d != c.Decoded {
			fault(s, "decoded", d, c.Decoded)
		}
		if d := tok.Decode(c.IDs, true); d != c.Clean {
			fault(s, "without special tokens", d, c.Clean)
		}
		if n := len(c.IDs); n > 2 {
			if d := tok.Decode(c.IDs[1:n-1], false); d != c.Middle {
				fault(s, "decoded middle", d, c.Middle)
			}
		}
	}
	return len(texts)
}

// TestAsHuggingFace: every kind of tokenizer gives the library's ids and texts.
func TestAsHuggingFace(t *testing.T) {
	texts := hfTexts(t)
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			tok, err := Load(filepath.Join("testdata/hf", kind))
			if err != nil {
				t.Fatal(err)
			}
			var cases []hfCase
			readJSON(t, filepath.Join("testdata/hf", kind, "cases.json"), &cases)
			t.Logf("%d texts", compare(t, tok, texts, cases))
		})
	}
}

// TestRealVocabulary compares with a tokenizer.json from elsewhere, which is not kept here: SYNCABEL_TOKENIZER names the file,
// compare.json beside it is what `scripts/tokenizer_fixture.py --compare` wrote.
func TestRealVocabulary(t *testing.T) {
	path := os.Getenv("SYNCABEL_TOKENIZER")
	if path == "" {
		t.Skip("SYNCABEL_TOKENIZER names no tokenizer.json")
	}
	for _, path := range strings.Fields(path) {
		tok, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Texts []string
			Cases []hfCase
		}
		readJSON(t, filepath.Join(filepath.Dir(path), "compare.json"), &c)
		t.Logf("%s: %d tokens, %d texts", path, tok.VocabSize(), compare(t, tok, c.Texts, c.Cases))
	}
}

// TestTrainedAsHuggingFace: a tokenizer.json that Train and WriteFile wrote means the same to the library (scripts/trained_fixture.py).
func TestTrainedAsHuggingFace(t *testing.T) {
	tok, err := Load("testdata/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Cases []struct {
			Text, Decoded string
			IDs           []int32
		}
	}
	readJSON(t, "testdata/cases.json", &fixture)
	for _, c := range fixture.Cases {
		if got := tok.Encode(nil, c.Text); !slices.Equal(got, c.IDs) {
			t.Errorf("%q: %v, tokenizers has %v", c.Text, got, c.IDs)
		}
		if d := tok.Decode(c.IDs, false); d != c.Decoded {
			t.Errorf("decoding %v: %q, tokenizers has %q", c.IDs, d, c.Decoded)
		}
	}
}

// TestInside: what stands inside a text is cut as the text as a whole is, whatever a tokenizer puts in front of a text.
func TestInside(t *testing.T) {
	for _, kind := range kinds {
		tok, err := Load(filepath.Join("testdata/hf", kind))
		if err != nil {
			t.Fatal(err)
		}
		const a, b = "patient with", " gout<SEP> is"
		whole := tok.Encode(nil, a+b)
		if got := tok.EncodeMarks(tok.Encode(nil, a), b); !slices.Equal(got, whole) {
			t.Errorf("%s: %v in two parts, %v as a whole", kind, got, whole)
		}
	}
}

// TestMergesAsStrings: the two written forms of merges mean the same.
func TestMergesAsStrings(t *testing.T) {
	b, err := os.ReadFile("testdata/hf/gpt2/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc, model map[string]json.RawMessage
	var pairs [][]string
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc["model"], &model); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(model["merges"], &pairs); err != nil || len(pairs) == 0 {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range pairs {
		lines = append(lines, strings.Join(p, " "))
	}
	model["merges"], _ = json.Marshal(lines)
	doc["model"], _ = json.Marshal(model)
	b, _ = json.Marshal(doc)
	tok, err := Parse(b, "merges as strings")
	if err != nil {
		t.Fatal(err)
	}
	var cases []hfCase
	readJSON(t, "testdata/hf/gpt2/cases.json", &cases)
	compare(t, tok, hfTexts(t), cases)
}
