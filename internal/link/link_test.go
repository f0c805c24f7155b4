package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/oracle"
	"syncabel/internal/prediction"
	"syncabel/internal/ranker"
	"syncabel/internal/terminology"
	"syncabel/internal/tokenizer"
	"syncabel/internal/trie"
)

// tableOracle is a language model given by a table: the log-probabilities depend on the whole prefix, by hash.
type tableOracle struct {
	vocab int
	seed  uint64
	calls int
	ahead int // tokens told at each position of a rollout
	apart bool
}

func (o *tableOracle) Caps() oracle.Caps {
	return oracle.Caps{Name: "table", Vocab: o.vocab, Context: 512, Exact: true, Ahead: o.ahead, Apart: o.apart}
}

func (o *tableOracle) row(prefix []int32) []float64 {
	h := o.seed
	for _, t := range prefix {
		h = h*1099511628211 + uint64(t) + 1
	}
	rng := rand.New(rand.NewPCG(h, 1))
	x := make([]float64, o.vocab)
	for i := range x {
		x[i] = 3 * rng.NormFloat64()
	}
	z := logSumExp(x)
	for i := range x {
		x[i] -= z
	}
	return x
}

func (o *tableOracle) Do(_ context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	o.calls += len(queries)
	out := make([]oracle.Answer, len(queries))
	for i, q := range queries {
		row := o.row(q.Prefix)
		for _, t := range q.Want {
			out[i].Want = append(out[i].Want, row[t])
		}
		if q.Roll > 0 {
			out[i].Roll = o.roll(q)
		} else {
			out[i].Top = o.top(row, q.TopK)
		}
	}
	return out, nil
}

func (o *tableOracle) top(row []float64, k int) []oracle.Token {
	var top []oracle.Token
	for t, lp := range row {
		top = append(top, oracle.Token{ID: int32(t), LogProb: lp})
	}
	slices.SortFunc(top, func(a, b oracle.Token) int { return cmp.Compare(b.LogProb, a.LogProb) })
	return top[:k]
}

func (o *tableOracle) roll(q oracle.Query) (out []oracle.Written) {
	prefix := slices.Clone(q.Prefix)
	for range q.Roll {
		top := o.top(o.row(prefix), max(1, q.TopK))
		prefix, out = append(prefix, top[0].ID), append(out, oracle.Written{Token: top[0].ID, Top: top})
	}
	return out
}

const eos = 1

func randomTrie(t *rapid.T, names int) *trie.Trie {
	var fs []trie.Form
	for i := range names {
		tokens := rapid.SliceOfN(rapid.Int32Range(2, 6), 1, 5).Draw(t, "name")
		fs = append(fs, trie.Form{Text: string(rune('a' + i)), Tokens: tokens, Concepts: []uint32{uint32(i)}})
	}
	tr, err := trie.Build([]trie.Group{{Name: "G", Forms: fs}}, trie.Options{EOS: eos})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// bruteForce scores every name by walking the trie.
func bruteForce(tr *trie.Trie, o *tableOracle, prompt []int32) map[int]float64 {
	out := map[int]float64{}
	root, _ := tr.Root("G")
	var walk func(n trie.Node, path []int32, logp float64)
	walk = func(n trie.Node, path []int32, logp float64) {
		if tr.IsLeaf(n) {
			out[tr.Leaf(n)] = logp
			return
		}
		row := o.row(append(slices.Clone(prompt), path...))
		lo, hi := tr.Children(n)
		var z []float64
		for c := lo; c < hi; c++ {
			z = append(z, row[tr.Token(c)])
		}
		for c := lo; c < hi; c++ {
			walk(c, append(slices.Clip(path), tr.Token(c)), logp+row[tr.Token(c)]-logSumExp(z))
		}
	}
	walk(root, nil, 0)
	return out
}

// With as many beams as names the search is exhaustive: it must find every name with the score of brute force, and the
// scores must sum to one. With fewer beams, what it finds must still be scored exactly.
func TestBeamAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := randomTrie(t, rapid.IntRange(1, 20).Draw(t, "names"))
		o := &tableOracle{vocab: 8, seed: rapid.Uint64().Draw(t, "seed")}
		prompt := []int32{0, 3}
		want := bruteForce(tr, o, prompt)
		root, _ := tr.Root("G")
		for _, beams := range []int{len(want), 2} {
			s := &search{prompt: prompt, live: []hypothesis{{node: root}}}
			if err := beamTrie(context.Background(), tr, o, []*search{s}, beams); err != nil {
				t.Fatal(err)
			}
			if len(s.done) != min(beams, len(want)) {
				t.Fatalf("%d beams found %d of %d names", beams, len(s.done), len(want))
			}
			sum := 0.0
			for _, f := range s.done {
				if math.Abs(f.logp-want[f.leaf]) > 1e-9 {
					t.Fatalf("name %d scored %g, brute force %g", f.leaf, f.logp, want[f.leaf])
				}
				sum += math.Exp(f.logp)
			}
			if beams == len(want) && math.Abs(sum-1) > 1e-9 {
				t.Fatalf("probabilities sum to %g", sum)
			}
		}
		exact(t, tr, o, prompt, want)
	})
}

// exact checks scoreNames on every name of the trie.
func exact(t *rapid.T, tr *trie.Trie, o *tableOracle, prompt []int32, want map[int]float64) {
	root, _ := tr.Root("G")
	s := &search{prompt: prompt, live: []hypothesis{{node: root}}}
	if err := beamTrie(context.Background(), tr, o, []*search{s}, len(want)); err != nil {
		t.Fatal(err)
	}
	s.complete(tr)
	sc := &scoring{prompt: prompt, root: root, leaves: s.paths}
	if err := scoreNames(context.Background(), tr, o, []*scoring{sc}); err != nil {
		t.Fatal(err)
	}
	for i, l := range sc.leaves {
		raw := 0.0
		for k, tok := range l.tokens {
			raw += o.row(append(slices.Clone(prompt), l.tokens[:k]...))[tok]
		}
		if math.Abs(sc.logp[i]-want[l.leaf]) > 1e-9 || math.Abs(sc.raw[i]-raw) > 1e-9 {
			t.Fatalf("name %d: %g and %g, want %g and %g", l.leaf, sc.logp[i], sc.raw[i], want[l.leaf], raw)
		}
	}
}

// The published search with many beams finds the best name by mean log-probability per token.
func TestSequenceSearchAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := randomTrie(t, rapid.IntRange(1, 12).Draw(t, "names"))
		o := &tableOracle{vocab: 8, seed: rapid.Uint64().Draw(t, "seed")}
		root, _ := tr.Root("G")
		s := &sequenceSearch{prompt: []int32{0}, root: root, guided: true, live: []hypothesis{{node: root}}}
		if err := runSequences(context.Background(), tr, o, []*sequenceSearch{s}, 64, trie.MaxTokens+1); err != nil {
			t.Fatal(err)
		}
		if len(s.done) != tr.Leaves() {
			t.Fatalf("found %d of %d names", len(s.done), tr.Leaves())
		}
		for i, q := range s.done {
			logp := 0.0
			for k, tok := range append(slices.Clone(q.tokens), eos) {
				logp += o.row(append([]int32{0}, q.tokens[:k]...))[tok]
			}
			if math.Abs(q.score-logp/float64(len(q.tokens)+1)) > 1e-9 {
				t.Fatalf("score %g, want %g", q.score, logp/float64(len(q.tokens)+1))
			}
			if i > 0 && q.score > s.done[i-1].score {
				t.Fatal("not best first")
			}
		}
	})
}

// With a separator and enough beams a search finds every order of every choice of names, none twice, with its score.
func TestSeveralAgainstBruteForce(t *testing.T) {
	const sep = 7
	rapid.Check(t, func(t *rapid.T) {
		tr := randomTrie(t, rapid.IntRange(1, 4).Draw(t, "names"))
		o := &tableOracle{vocab: 8, seed: rapid.Uint64().Draw(t, "seed")}
		prompt := []int32{0, 3}
		want := map[string]float64{}
		bruteForceSeveral(tr, o, sep, prompt, nil, 0, want)
		s := &sequenceSearch{prompt: prompt, root: root(tr), guided: true, sep: sep, live: []hypothesis{{node: root(tr)}}}
		if err := runSequences(context.Background(), tr, o, []*sequenceSearch{s}, 200, 64); err != nil {
			t.Fatal(err)
		}
		if len(s.done) != len(want) {
			t.Fatalf("%d answers, there are %d", len(s.done), len(want))
		}
		for _, q := range s.done {
			if score, ok := want[fmt.Sprint(q.leaves)]; !ok || math.Abs(q.score-score) > 1e-9 {
				t.Fatalf("names %v have score %g, want %g", q.leaves, q.score, score)
			}
		}
	})
}

// bruteForceSeveral scores every answer that continues the names written so far.
func bruteForceSeveral(tr *trie.Trie, o *tableOracle, sep int32, prefix []int32, written []int, logp float64, out map[string]float64) {
	var walk func(n trie.Node, path []int32, logp float64)
	walk = func(n trie.Node, path []int32, logp float64) {
		row := o.row(path)
		lo, hi := tr.Children(n)
		for c := lo; c < hi; c++ {
			lp := logp + row[tr.Token(c)]
			switch {
			case !tr.IsLeaf(c):
				walk(c, append(slices.Clip(path), tr.Token(c)), lp)
			case !slices.Contains(written, tr.Leaf(c)):
				names := append(slices.Clip(written), tr.Leaf(c))
				out[fmt.Sprint(names)] = lp / float64(len(path)-2+1)
				bruteForceSeveral(tr, o, sep, append(slices.Clip(path), sep), names, logp+row[sep], out)
			}
		}
	}
	walk(root(tr), prefix, logp)
}

// bruteForceBest scores every name under either score and returns the best.
func bruteForceBest(tr *trie.Trie, o *tableOracle, prompt []int32, mean bool) (want map[int]float64, best int) {
	if want = bruteForce(tr, o, prompt); mean {
		want = bruteForceMean(tr, o, prompt)
	}
	return want, slices.MaxFunc(slices.Collect(maps.Keys(want)), func(a, b int) int { return cmp.Compare(want[a], want[b]) })
}

// The certified search gives the best of all names, with its score, on a thousand random tries, under both scores; beam-trie does
// so wherever the best beginning is never worse than its `beams` best rivals, which wide beams make certain.
func TestCertifiedAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	how := map[string]int{}
	for i := range 1000 {
		tr := drawTrie(t, rng)
		o := &tableOracle{vocab: 8, seed: rng.Uint64()}
		prompt := []int32{0, 3}
		for _, mean := range []bool{false, true} {
			want, best := bruteForceBest(tr, o, prompt, mean)
			s := newCertified(o, prompt, root(tr), mean)
			if err := certify(context.Background(), tr, o, []*certifiedSearch{s}, math.MaxInt); err != nil {
				t.Fatal(err)
			}
			if s.best.leaf != best || math.Abs(s.best.score-want[best]) > 1e-9 {
				t.Fatalf("trie %d, mean %v: name %d scored %g, the best is %d with %g", i, mean, s.best.leaf, s.best.score, best, want[best])
			}
			how[s.how]++
		}
		b := &search{prompt: prompt, live: []hypothesis{{node: root(tr)}}}
		if err := beamTrie(context.Background(), tr, o, []*search{b}, tr.Leaves()); err != nil {
			t.Fatal(err)
		}
		s := newCertified(o, prompt, root(tr), false)
		certify(context.Background(), tr, o, []*certifiedSearch{s}, math.MaxInt)
		if b.done[0].leaf != s.best.leaf {
			t.Fatalf("trie %d: beam-trie %d, certified %d", i, b.done[0].leaf, s.best.leaf)
		}
	}
	if how[byRollout] < 500 || how[byBestFirst] < 100 || how[byBeam] > 0 {
		t.Errorf("searches ended by %v", how)
	}
}

// Rollouts, which tell the likeliest tokens only, find the same name, or one that is better by less than is asked for, and where they
// tell all, in fewer rounds.
func TestCertifiedByRollouts(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	how, rounds, steps := map[string]int{}, 0, 0
	for i := range 1000 {
		tr := drawTrie(t, rng)
		o := &tableOracle{vocab: 8, seed: rng.Uint64(), ahead: 1 + rng.IntN(8), apart: i%2 == 0}
		prompt := []int32{0, 3}
		for _, mean := range []bool{false, true} {
			want, best := bruteForceBest(tr, o, prompt, mean)
			s := newCertified(o, prompt, root(tr), mean)
			c := &countedRounds{Oracle: o}
			if err := certify(context.Background(), tr, c, []*certifiedSearch{s}, math.MaxInt); err != nil {
				t.Fatal(err)
			}
			if want[best]-want[s.best.leaf] > looseEnough || math.Abs(s.best.score-want[s.best.leaf]) > looseEnough {
				t.Fatalf("trie %d, mean %v, %d tokens: name %d scored %g, it has %g, the best is %d with %g", i, mean, o.ahead, s.best.leaf, s.best.score,
					want[s.best.leaf], best, want[best])
			}
			how[s.how]++
			if o.ahead < o.vocab {
				continue
			}
			rounds += c.rounds
			plain := &countedRounds{Oracle: &tableOracle{vocab: 8, seed: o.seed}}
			certify(context.Background(), tr, plain, []*certifiedSearch{newCertified(plain, prompt, root(tr), mean)}, math.MaxInt)
			steps += plain.rounds
		}
	}
	if how[byRollout] < 500 || how[byBestFirst] < 100 || how[byBeam] > 0 || rounds >= steps {
		t.Errorf("searches ended by %v in %d rounds, step by step %d", how, rounds, steps)
	}
}

// Questions for many tokens that are first asked for the likeliest find what they find when asked as they are.
func TestWideQuestions(t *testing.T) {
	var forms []trie.Form
	for i := range int32(300) {
		forms = append(forms, trie.Form{Text: fmt.Sprint(i), Tokens: []int32{2 + i, 2 + i%7}, Concepts: []uint32{uint32(i)}})
	}
	tr, err := trie.Build([]trie.Group{{Name: "G", Forms: forms}}, trie.Options{EOS: eos})
	if err != nil {
		t.Fatal(err)
	}
	again := 0
	for seed := range uint64(40) {
		plain := &tableOracle{vocab: 310, seed: seed}
		dear := &countedRounds{Oracle: &tableOracle{vocab: 310, seed: seed, ahead: 32 + int(seed)/4, apart: true}}
		var found [2]*search
		var hf [2]*sequenceSearch
		for i, o := range []Oracle{plain, dear} {
			found[i] = &search{prompt: []int32{0, 3}, live: []hypothesis{{node: root(tr)}}}
			hf[i] = &sequenceSearch{prompt: []int32{0, 3}, root: root(tr), guided: true, live: []hypothesis{{node: root(tr)}}}
			if err := errors.Join(beamTrie(t.Context(), tr, o, []*search{found[i]}, 5), runSequences(t.Context(), tr, o, []*sequenceSearch{hf[i]}, 5, 9)); err != nil {
				t.Fatal(err)
			}
		}
		for k, want := range found[0].done {
			if got := found[1].done[k]; got.leaf != want.leaf || math.Abs(got.logp-want.logp) > looseEnough {
				t.Errorf("seed %d, beam %d: %d %g, want %d %g", seed, k, got.leaf, got.logp, want.leaf, want.logp)
			}
		}
		for k, want := range hf[0].done {
			if got := hf[1].done[k]; !slices.Equal(got.leaves, want.leaves) || got.score != want.score {
				t.Errorf("seed %d, sequence %d: %v %g, want %v %g", seed, k, got.leaves, got.score, want.leaves, want.score)
			}
		}
		again += dear.rounds - 3 // one of beam-trie, the rest forced; two of beam-hf
	}
	if again < 5 || again > 60 {
		t.Errorf("%d of 80 wide questions were asked again", again)
	}
}

// countedRounds counts batches of questions.
type countedRounds struct {
	Oracle
	rounds int
}

func (c *countedRounds) Do(ctx context.Context, queries []oracle.Query) ([]oracle.Answer, error) {
	c.rounds++
	return c.Oracle.Do(ctx, queries)
}

func root(tr *trie.Trie) trie.Node {
	n, _ := tr.Root("G")
	return n
}

// drawTrie draws 1 to 30 names over five tokens; some are prefixes of others, some equal.
func drawTrie(t *testing.T, rng *rand.Rand) *trie.Trie {
	var fs []trie.Form
	for i := range 1 + rng.IntN(30) {
		tokens := make([]int32, 1+rng.IntN(6))
		for k := range tokens {
			tokens[k] = 2 + rng.Int32N(5)
		}
		fs = append(fs, trie.Form{Text: string(rune('a' + i)), Tokens: tokens, Concepts: []uint32{uint32(i)}})
	}
	tr, err := trie.Build([]trie.Group{{Name: "G", Forms: fs}}, trie.Options{EOS: eos})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// bruteForceMean scores every name by its mean raw log-probability, the end token counted.
func bruteForceMean(tr *trie.Trie, o *tableOracle, prompt []int32) map[int]float64 {
	out := map[int]float64{}
	var walk func(n trie.Node, path []int32, logp float64)
	walk = func(n trie.Node, path []int32, logp float64) {
		if tr.IsLeaf(n) {
			out[tr.Leaf(n)] = logp / float64(len(path))
			return
		}
		row := o.row(append(slices.Clone(prompt), path...))
		lo, hi := tr.Children(n)
		for c := lo; c < hi; c++ {
			walk(c, append(slices.Clip(path), tr.Token(c)), logp+row[tr.Token(c)])
		}
	}
	walk(root(tr), nil, 0)
	return out
}

// The native oracle answers the same, bit for bit, alone and in a batch, with a full and with a tiny arena.
func TestNativeOracleDoesNotDependOnTheBatch(t *testing.T) {
	c, _ := model.Preset("tiny", 300)
	c.BOS, c.EOS = 0, 1
	m := model.New(c, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	var queries []oracle.Query
	for range 40 {
		q := oracle.Query{Prefix: []int32{0}, Want: []int32{1, 5, 9}, TopK: 3}
		for range rng.IntN(12) {
			q.Prefix = append(q.Prefix, int32(rng.IntN(4)))
		}
		queries = append(queries, q)
	}
	want := ask(t, m, 4096, queries, len(queries))
	for _, other := range [][]oracle.Answer{ask(t, m, 4096, queries, 1), ask(t, m, 20, queries, 7)} {
		for i := range want {
			if !slices.Equal(want[i].Want, other[i].Want) || !slices.Equal(want[i].Top, other[i].Top) {
				t.Fatalf("query %d: %v and %v", i, want[i], other[i])
			}
		}
	}
}

func ask(t *testing.T, m *model.Model, nodes int, queries []oracle.Query, batch int) []oracle.Answer {
	o := oracle.NewNative(model.NewSession(m, model.SessionOptions{Nodes: nodes, Threads: 2}))
	defer o.Close()
	var out []oracle.Answer
	for lo := 0; lo < len(queries); lo += batch {
		a, err := o.Do(context.Background(), queries[lo:min(lo+batch, len(queries))])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a...)
	}
	return out
}

// small returns a linker over two concepts that share a name, with an untrained model.
func small(t *testing.T, mode string) *Linker {
	b := terminology.NewBuilder()
	for _, c := range [][]string{{"D1", "mitral stenosis", "MS"}, {"D2", "multiple sclerosis", "MS"}, {"D3", "gout", "podagra"}} {
		concept := terminology.Concept{ID: c[0], Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}}
		for i, n := range c[1:] {
			concept.Names = append(concept.Names, terminology.Name{Text: n, Language: "en", Preferred: i == 0})
		}
		b.Add(concept)
	}
	kb, _ := b.Build()
	return linkerOver(t, mode, kb, []lexical.Observation{{Surface: "MS", Concept: 1, Group: "Disorders"}}, false)
}

// linkerOver returns a linker with an untrained model, and a trie with a root over all groups or not.
func linkerOver(t *testing.T, mode string, kb *terminology.KB, obs []lexical.Observation, all bool) *Linker {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"mitral stenosis", "multiple sclerosis", "gout"}),
		tokenizer.TrainOptions{VocabSize: 300, Special: append([]string{"<s>", "</s>"}, markup.Marks(kb.Groups(), nil)...), Lowercase: true})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := model.Preset("tiny", tok.VocabSize())
	c.BOS, c.EOS = 0, 1
	tr, _, err := BuildTrie(kb, tok, markup.Options{}, trie.Options{EOS: 1, All: all})
	if err != nil {
		t.Fatal(err)
	}
	o := oracle.NewNative(model.NewSession(model.New(c, 3), model.SessionOptions{Threads: 1}))
	t.Cleanup(o.Close)
	p := Parts{KB: kb, Trie: tr, Tokenizer: tok, Oracle: o, Stage0: lexical.NewRetriever(kb, lexical.Options{Names: true, Training: obs})}
	if mode == Ranked {
		p.Ranker = trainedRanker(t, kb, p.Stage0, obs)
	}
	l, err := New(p, Options{Mode: mode, Expand: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// trainedRanker learns from one document, in which names mean what they say.
func trainedRanker(t *testing.T, kb *terminology.KB, stage0 *lexical.Retriever, obs []lexical.Observation) *ranker.Ranker {
	r := ranker.New(kb, stage0, obs, nil, ranker.Options{Boost: eager})
	l, err := New(Parts{KB: kb, Stage0: stage0, Ranker: r}, Options{Mode: Ranked})
	if err != nil {
		t.Fatal(err)
	}
	Learn(r, lessonsOf(t, l), CalibrateScaling)
	return r
}

// eager trees learn from a handful of mentions.
var eager = ranker.BoostOptions{MinHess: 0.01, Columns: 1, Rows: 1}

func lessonsOf(t *testing.T, l *Linker) []Lesson {
	d, err := markup.ParseMarked("[gout]{Disorders} and [podagra]{Disorders} and [mitral stenoses]{Disorders}.")
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"D3", "D3", "D1"} {
		d.Mentions[i].Gold = []corpus.Answer{{id}}
	}
	lessons, err := Lessons(context.Background(), []*Linker{l}, []corpus.Document{d}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return lessons
}

// A ranker that hears the model learns from what it says of every candidate, and in hybrid its log-odds are the score. What the model said
// after a prompt is remembered for the next mention with the same.
func TestInformedRanker(t *testing.T) {
	l := small(t, Hybrid)
	obs := []lexical.Observation{{Surface: "MS", Concept: 1, Group: "Disorders"}}
	l.ranker = ranker.New(l.kb, l.stage0, obs, nil, ranker.Options{Boost: eager})
	l.ranker.Informed = true
	lessons := lessonsOf(t, l)
	for _, x := range lessons {
		for i, f := range x.X {
			if said := f[len(f)-5]; said >= 0 || said <= floorLogP {
				t.Errorf("candidate %d: the model says %g", i, said)
			}
		}
	}
	Learn(l.ranker, lessons, CalibrateScaling)
	d, err := markup.ParseMarked("[gout]{Disorders}, [gout]{Disorders} or [stenosis]{Disorders}")
	if err != nil {
		t.Fatal(err)
	}
	preds, err := l.Link(context.Background(), []corpus.Document{d})
	if err != nil {
		t.Fatal(err)
	}
	if preds[0].Candidates[0].Code != "D3" || !slices.EqualFunc(preds[0].Candidates, preds[1].Candidates, func(a, b prediction.Candidate) bool {
		return a.Code == b.Code && a.Score == b.Score && a.LogProb == b.LogProb
	}) {
		t.Errorf("the same mention twice: %+v, %+v", preds[0].Candidates, preds[1].Candidates)
	}
	if len(l.memo) != 4 { // gout, podagra, mitral stenoses, stenosis
		t.Errorf("%d prompts remembered", len(l.memo))
	}
}

// Under Closed a mention that means no concept of the knowledge base teaches nothing.
func TestClosed(t *testing.T) {
	l := small(t, Ranked)
	d, err := markup.ParseMarked("[gout]{Disorders} and [sciatica]{Disorders}")
	if err != nil {
		t.Fatal(err)
	}
	d.Mentions[0].Gold, d.Mentions[1].Gold = []corpus.Answer{{"D3"}}, []corpus.Answer{{"D9"}}
	for closed, want := range map[bool]int{false: 2, true: 1} {
		l.opt.Closed = closed
		lessons, err := Lessons(context.Background(), []*Linker{l}, []corpus.Document{d}, 7)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, x := range lessons {
			if !x.Hidden {
				seen++
			}
		}
		if seen != want {
			t.Errorf("closed %v: %d lessons, want %d", closed, seen, want)
		}
	}
}

func linkOne(t *testing.T, mode, marked string) prediction.Prediction {
	d, err := markup.ParseMarked(marked)
	if err != nil {
		t.Fatal(err)
	}
	d.Language = "en"
	preds, err := small(t, mode).Link(context.Background(), []corpus.Document{d})
	if err != nil {
		t.Fatal(err)
	}
	return preds[len(preds)-1]
}

func TestModes(t *testing.T) {
	for _, mode := range Modes() {
		p := linkOne(t, mode, "He has [gout]{Disorders}.")
		if p.Mode != mode || p.Group != "Disorders" || len(p.Candidates) == 0 {
			t.Errorf("%s: %+v", mode, p)
		}
		if mode == Hybrid || mode == Lexical || mode == Ranked {
			if c := p.Candidates[0]; c.Code != "D3" || !slices.Contains(c.Source, lexical.SourceDictionary) {
				t.Errorf("%s: %+v", mode, c)
			}
		}
		sum := 0.0
		for _, c := range p.Candidates {
			sum += c.Probability
		}
		if mode == Hybrid && math.Abs(sum-1) > 1e-9 {
			t.Errorf("probabilities sum to %g", sum)
		}
	}
}

// Both concepts that share a name stay reachable; training decides, and the document's long form overrules it.
func TestSharedNamesAndAbbreviations(t *testing.T) {
	p := linkOne(t, Hybrid, "Severe [MS]{Disorders}.")
	codes := []string{p.Candidates[0].Code, p.Candidates[1].Code}
	if codes[0] != "D2" || codes[1] != "D1" {
		t.Errorf("MS: %v", codes)
	}
	if p := linkOne(t, Hybrid, "A mitral stenosis (MS) was found; the [MS]{Disorders} was severe."); p.Candidates[0].Code != "D1" {
		t.Errorf("MS with long form: %+v", p.Candidates[0])
	}
}

// fit finds weights that rank the gold first where one feature decides.
func TestFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var cases []mentionCase
	for range 200 {
		var c mentionCase
		for k := range 5 {
			f := make([]float64, len(featureNames()))
			for i := range f {
				f[i] = rng.Float64()
			}
			f[4] += 0.8 * float64(map[bool]int{true: 1}[k == 2])
			c.features, c.gold = append(c.features, f), append(c.gold, k == 2)
		}
		cases = append(cases, c)
	}
	start, _ := loss(cases, DefaultWeights(nil))
	w := fit(cases, DefaultWeights(nil))
	if w.Loss > start-0.3 || w.Recall1 < 0.8 || w.Values[4] < 2 {
		t.Errorf("loss %g (defaults %g), recall %g, weights %v", w.Loss, start, w.Recall1, w.Values)
	}
}

// A confidence learns that low scores mean no right candidate, and says so in probabilities that add up.
func TestFitConfidence(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var cases []confidenceCase
	none := 0.0
	for range 500 {
		cosine := rng.Float64()
		c := confidenceCase{confidenceFeatures(10*cosine, 0.9, cosine), rng.Float64() > cosine}
		if c.none {
			none++
		}
		cases = append(cases, c)
	}
	c := fitConfidence(cases)
	sum := 0.0
	for _, x := range cases {
		sum += c.probability(x.f)
	}
	low, high := c.probability(confidenceFeatures(1, 0.9, 0.1)), c.probability(confidenceFeatures(9, 0.9, 0.9))
	if math.Abs(sum-none) > 5 || low < 0.75 || high > 0.25 {
		t.Errorf("%.0f expected of %.0f; %.2f at cosine 0.1, %.2f at 0.9", sum, none, low, high)
	}
	if fitConfidence(cases[:5]) != nil {
		t.Error("fitted on five mentions")
	}
}
