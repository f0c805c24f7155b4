package link

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"syncabel/internal/corpus"
	"syncabel/internal/markup"
	"syncabel/internal/oracle"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
	"syncabel/internal/trie"
)

// annotated returns documents whose mentions have these answers in their order.
func annotated(t *testing.T, marked string, answers ...corpus.Answer) []corpus.Document {
	t.Helper()
	d, err := markup.ParseMarked(marked)
	if err != nil {
		t.Fatal(err)
	}
	d.ID, d.Language = "d", "en"
	for i := range d.Mentions {
		d.Mentions[i].Gold = []corpus.Answer{answers[i]}
	}
	return []corpus.Document{d}
}

// learnt returns a linker that has seen one coordination with all members, and one string that meant two concepts.
func learnt(t *testing.T, mode string) *Linker {
	l := small(t, mode)
	train := annotated(t, "[podagra or mitral stenosis]{Disorders}; [mitral stenosis or gout]{Disorders}; [gouty heart]{Disorders}; [gout and podagra]{Disorders}.",
		corpus.Answer{"D1", "D3"}, corpus.Answer{"D1", "D3"}, corpus.Answer{"D1", "D3"}, corpus.Answer{"D3"})
	l.opt.Composites = LearnComposites(l.kb, l.stage0, train, l.opt)
	return l
}

// Members of a coordination are answered together, in every mode that asks about strings, and never one concept twice.
func TestComposites(t *testing.T) {
	for _, mode := range []string{Hybrid, Ranked, Lexical} {
		l := learnt(t, mode)
		link := func(marked string) (code string, parts []string) {
			preds, err := l.Link(context.Background(), annotated(t, marked, nil))
			if err != nil {
				t.Fatal(err)
			}
			c := preds[0].Candidates
			if !slices.IsSortedFunc(c, func(a, b prediction.Candidate) int { return cmp.Compare(b.Probability, a.Probability) }) {
				t.Errorf("%s: candidates of %s are not in order: %+v", mode, marked, c)
			}
			return c[0].Code, c[0].Parts
		}
		for marked, want := range map[string][]string{
			"[mitral stenosis and gout]{Disorders}":          {"D1", "D3"},
			"[gouty heart]{Disorders}":                       {"D1", "D3"}, // as training has it
			"[gout]{Disorders}":                              nil,
			"[gout and podagra]{Disorders}":                  nil, // training says that it means one
			"[mitral stenosis and quite another]{Disorders}": nil, // a member that is like nothing
			"[mitral stenosis, gout and podagra]{Disorders}": {"D1", "D3"},
		} {
			code, parts := link(marked)
			if !slices.Equal(parts, want) {
				t.Errorf("%s: %s is %s with parts %q, want %q", mode, marked, code, parts, want)
			}
		}
	}
}

// The modes of the model alone ask about members too.
func TestCompositesOfTheModel(t *testing.T) {
	for _, mode := range []string{BeamTrie, BeamHF, CertifiedTop1} {
		l := learnt(t, mode)
		preds, err := l.Link(context.Background(), annotated(t, "[mitral stenosis and gout]{Disorders}", nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range preds[0].Candidates { // an untrained model may name one concept for both
			if p := c.Parts; len(p) > 0 && (len(p) != 2 || p[0] >= p[1]) {
				t.Errorf("%s: %q", mode, p)
			}
		}
		tasks, err := l.tasks(annotated(t, "[mitral stenosis and gout]{Disorders}", nil))
		if err != nil || len(tasks[0].members) != 2 || slices.Equal(tasks[0].members[0].prompt, tasks[0].members[1].prompt) {
			t.Errorf("%s: members are not asked about: %v", mode, err)
		}
	}
}

// What a model writes freely is a composite where its parts are names.
func TestFreeComposite(t *testing.T) {
	l := learnt(t, Free)
	root, _ := l.trie.Root("Disorders")
	x := &task{doc: &corpus.Document{Language: "en"}, group: "Disorders", root: root}
	if c := l.written(x, " gout<SEP> mitral stenosis"); c == nil || c.Code != "D1+D3" || c.Name != "mitral stenosis + gout" {
		t.Errorf("%+v", c)
	}
	for _, answer := range []string{" gout", " gout<SEP> podagra", " gout<SEP> nothing"} {
		if c := l.written(x, answer); c != nil {
			t.Errorf("%q: %+v", answer, c)
		}
	}
}

// deaf is an oracle that must not be asked.
type deaf struct{ Oracle }

func (deaf) Do(context.Context, []oracle.Query) ([]oracle.Answer, error) {
	return nil, errors.New("asked again")
}

// What a memo holds is answered as before, to other linkers too, and not asked again.
func TestMemoChangesNothing(t *testing.T) {
	docs := annotated(t, "[gout]{Disorders}, [podagra]{Disorders}, [gout]{Disorders}, [MS]{Disorders}.", nil, nil, nil, nil)
	for _, mode := range []string{BeamTrie, Hybrid} {
		bare, cached := small(t, mode), small(t, mode)
		want, err := bare.Link(context.Background(), docs)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := cached.Link(context.Background(), docs)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !slices.EqualFunc(want[i].Candidates, got[i].Candidates, func(a, b prediction.Candidate) bool {
					return a.Code == b.Code && a.Probability == b.Probability && a.Score == b.Score
				}) {
					t.Errorf("%s: %+v with a memo, %+v without", mode, got[i].Candidates, want[i].Candidates)
				}
			}
			cached.oracle = deaf{cached.oracle}
		}
	}
}

// A mention whose group nobody maps is linked over all names, and says so; a trie without that root still refuses it.
func TestUnknownGroup(t *testing.T) {
	b := terminology.NewBuilder()
	for id, c := range map[string][2]string{"D1": {"Disorders", "gout"}, "C1": {"Chemicals", "aspirin"}, "C2": {"Chemicals", "gold"}} {
		b.Add(terminology.Concept{ID: id, Types: []terminology.SemanticType{{Name: c[0], Group: c[0]}},
			Names: []terminology.Name{{Text: c[1], Language: "en", Preferred: true}}})
	}
	kb, _ := b.Build()
	for _, mode := range []string{BeamTrie, Hybrid, Lexical} {
		l := linkerOver(t, mode, kb, nil, true)
		preds, err := l.Link(context.Background(), annotated(t, "[gout]{Nobody knows}, [aspirin]{Chemicals}, [gold]{}", nil, nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{trie.All, "Chemicals", trie.All} {
			if p := preds[i]; p.Group != want || len(p.Candidates) == 0 || mode != BeamTrie && p.Candidates[0].Name != p.Text {
				t.Errorf("%s: %+v", mode, p)
			}
		}
	}
	if _, err := linkerOver(t, BeamTrie, kb, nil, false).Link(context.Background(), annotated(t, "[gout]{Nobody knows}", nil)); err == nil {
		t.Error("linked without a root over all groups")
	}
}

// The ranker looks at a long document in pieces, so that its cost grows with the text and not with its square.
func TestLongDocumentInPieces(t *testing.T) {
	l := small(t, Ranked)
	d := annotated(t, "[gout]{Disorders}.", nil)[0]
	m := d.Mentions[0]
	d.Text, d.Mentions = strings.Repeat("Severe gout, and nothing else to be told. ", 5000), nil
	for at := strings.Index(d.Text, "gout"); at >= 0 && len(d.Mentions) < 5000; at += 42 {
		m.Spans = []text.Span{{Start: at, End: at + 4}}
		d.Mentions = append(d.Mentions, m)
	}
	tasks, err := l.tasks([]corpus.Document{d})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tasks {
		if n := len(x.around.Mentions); n == 0 || n > maxAround/42+1 {
			t.Fatalf("%d mentions are around one", n)
		}
	}
}
