package link

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

const hfCases = "testdata/hf"

// hfCase is one answer of Hugging Face's generate (scripts/guided_fixture.py writes them and says what they hold).
type hfCase struct {
	Kind   string
	Model  string
	Beams  int
	Prompt []int32
	Names  [][]int32
	Limit  int
	Want   []struct {
		Tokens []int32
		Score  float64
	}
}

// hfFile is cases.json.
type hfFile struct {
	EOS   int32
	Cases []hfCase
}

func readHF(t *testing.T) (file hfFile) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(hfCases, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func nativeHF(t *testing.T, name string) *oracle.Native {
	t.Helper()
	m, err := checkpoint.Load(filepath.Join(hfCases, name))
	if err != nil {
		t.Fatal(err)
	}
	o := oracle.NewNative(model.NewSession(m, model.SessionOptions{Threads: 1}))
	t.Cleanup(o.Close)
	return o
}

// TestBeamHFAsHuggingFace: beam-hf gives the names of generate(num_beams, prefix_allowed_tokens_fn) in its order, with its
// scores; and free gives what generate writes without a trie.
func TestBeamHFAsHuggingFace(t *testing.T) {
	file := readHF(t)
	oracles := map[string]*oracle.Native{}
	for _, c := range file.Cases {
		if oracles[c.Model] == nil {
			oracles[c.Model] = nativeHF(t, c.Model)
		}
		checkHF(t, &c, oracles[c.Model], file.EOS)
	}
	if len(file.Cases) < 100 {
		t.Errorf("%d cases only", len(file.Cases))
	}
}

// trie holds a case's names.
func (c *hfCase) trie(t *testing.T, eos int32) (*trie.Trie, trie.Node) {
	t.Helper()
	names := c.Names
	if len(names) == 0 {
		names = [][]int32{{3}} // a search without a trie still asks one for its end token
	}
	var forms []trie.Form
	for i, n := range names {
		forms = append(forms, trie.Form{Text: "x", Tokens: n, Concepts: []uint32{uint32(i)}})
	}
	tr, err := trie.Build([]trie.Group{{Name: "G", Forms: forms}}, trie.Options{EOS: eos})
	if err != nil {
		t.Fatal(err)
	}
	return tr, root(tr)
}

func checkHF(t *testing.T, c *hfCase, o Oracle, eos int32) {
	t.Helper()
	tr, at := c.trie(t, eos)
	s := &sequenceSearch{prompt: c.Prompt, guided: len(c.Names) > 0, root: at, live: []hypothesis{{node: at}}}
	if err := runSequences(context.Background(), tr, o, []*sequenceSearch{s}, c.Beams, c.Limit); err != nil {
		t.Fatal(err)
	}
	if len(s.done) != len(c.Want) {
		t.Fatalf("%s, %s, %d beams: %d hypotheses, want %d", c.Kind, c.Model, c.Beams, len(s.done), len(c.Want))
	}
	for i, w := range c.Want {
		if got := s.done[i]; !slices.Equal(got.tokens, w.Tokens) || math.Abs(got.score-w.Score) > 1e-4 {
			t.Errorf("%s, %s, %d beams, hypothesis %d: %v %g, want %v %g", c.Kind, c.Model, c.Beams, i, got.tokens, got.score, w.Tokens, w.Score)
		}
	}
}
