package ranker

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/lexical"
	"syncabel/internal/lexicon"
	"syncabel/internal/terminology"
)

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		"Tumours of the oesophagus":   "tumor esofagus",
		"Type II diabetes":            "type 2 diabete",
		"Maladie de l'œil, infectée":  "maladie eil infectee",
		"β-Thalassaemia":              "beta thalassemia",
		"the":                         "the",
		"insuficiencias cardiacas":    "insuficiencia cardiaca",
		"Crohn's disease":             "crohn disease",
		"biopsies":                    "biopsi",
		"Displasia de cadera derecha": "displasia cadera derecha",
	} {
		if got := strings.Join(words(in), " "); got != want {
			t.Errorf("words(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestAlike(t *testing.T) {
	if alike("kidney", "kidney") != 1 || alike("ab", "abc") != 0 {
		t.Error("equal words are 1, words under three letters 0")
	}
	if a, b := alike("dysplasia", "dysplastic"), alike("dysplasia", "gout"); a < 0.6 || a >= 1 || b > 0.2 {
		t.Errorf("dysplastic %g, gout %g", a, b)
	}
	if edit("gout", "gout") != 1 || edit("gout", "gour") != 0.75 || edit("", "") != 1 {
		t.Error("edit distance")
	}
}

// kb holds concepts whose names show that renal stands for kidney.
func kb(t *testing.T) *terminology.KB {
	b := terminology.NewBuilder()
	for _, c := range [][]string{{"D1", "kidney failure", "renal failure"}, {"D2", "kidney stone", "renal stone"}, {"D3", "kidney cyst", "renal cyst"},
		{"D4", "renal agenesis"}, {"D5", "gout", "podagra"}, {"D6", "kidney disease"}, {"D7", "agenesis of lung"}} {
		concept := terminology.Concept{ID: c[0], Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}}
		for i, n := range c[1:] {
			concept.Names = append(concept.Names, terminology.Name{Text: n, Language: "en", Preferred: i == 0})
		}
		b.Add(concept)
	}
	for _, child := range []string{"D1", "D2", "D3"} {
		b.AddParent(child, "D6")
	}
	k, _ := b.Build()
	return k
}

func TestVocabularyLearnsSynonyms(t *testing.T) {
	v := Learn(kb(t), nil)
	if s := v.same("kidnei", "renal"); s <= 0.2 || s >= 1 {
		t.Errorf("kidney ~ renal: %g", s)
	}
	if v.same("2", "3") != 0 {
		t.Error("numbers are equal or not")
	}
	if got := texts(v.variants("kidney agenesis", 4)); !slices.Contains(got, "renal agenesis") {
		t.Errorf("variants: %q", got)
	}
	c := v.compare(words("kidney agenesis"), words("renal agenesis"))
	if c.hardQ >= c.softQ || c.softQ <= 0.5 || c.head != 1 {
		t.Errorf("%+v", c)
	}
}

func obs() []lexical.Observation {
	return []lexical.Observation{{Surface: "bad kidneys", Concept: 0, Group: "Disorders", Document: "a"}, {Surface: "bad kidneys", Concept: 5, Group: "Disorders", Document: "b"},
		{Surface: "big toe pain", Concept: 4, Group: "Disorders", Document: "b"}}
}

func testRanker(t *testing.T) *Ranker {
	k := kb(t)
	return New(k, lexical.NewRetriever(k, lexical.Options{Names: true, Training: obs()}), obs(), nil, Options{})
}

func TestSynonymsBringCandidates(t *testing.T) {
	r := testRanker(t)
	var s lexical.Scratch
	m := Mention{Text: "kidney agenesis", Surface: "kidney agenesis", Group: "Disorders"}
	list, n := r.Candidates(&s, &Document{}, m, 4)
	at := slices.IndexFunc(list, func(c lexical.Candidate) bool { return r.kb.ID(c.Concept) == "D4" })
	if at < 0 || at >= n || n != len(list)-1 || list[n].Concept != 4 {
		t.Errorf("%d proposed of %+v", n, list)
	}
	for range 2 { // what was found before is taken again, also where there is no place for more
		again, n2 := r.Candidates(&s, &Document{}, m, 4)
		if n2 != n || cmp.Diff(list, again) != "" {
			t.Errorf("asked again: %s", cmp.Diff(list, again))
		}
		r.places.Store(maxPlaces)
		r.Candidates(&s, &Document{}, Mention{Text: "gout", Surface: "gout", Group: "Disorders"})
	}
	kept := r.places.Load()
	s.Blind.Concept = 4 // D4
	if r.Candidates(&s, &Document{}, Mention{Text: "kidney cyst", Surface: "kidney cyst", Group: "Disorders"}); r.places.Load() != kept {
		t.Error("what is found where something is hidden is kept")
	}
}

// Whatever stands in a text may stand there.
func TestWindows(t *testing.T) {
	text := strings.Repeat("acute kidney failure, ", 3) + "tumeur bénigne du rein"
	w, rejected := newWindows(text), 0
	for lo := range text {
		for hi := lo + window; hi <= len(text); hi++ {
			if !w.may(text[lo:hi]) {
				t.Fatalf("%q is not found", text[lo:hi])
			}
			if !w.may(text[lo:hi] + "#") {
				rejected++
			}
		}
	}
	if rejected == 0 || w.may("gouty") || !windows(nil).may("gouty") {
		t.Error("what does not stand there is let through, or nothing is known and something is refused")
	}
}

// A mention in brackets beside another brings that one's concept, and says so; one further on, or of another group, does not.
func TestAppositionBringsCandidates(t *testing.T) {
	r := testRanker(t)
	for text, want := range map[string]bool{"stiffness ( podagra ) again": true, "stiffness [podagra]": true, "podagra (stiffness)": true, "stiffness, (podagra)": false,
		"stiffness (podagra or else)": false, "stiffness podagra": false} {
		at := func(s string) Mention {
			i := strings.Index(text, s)
			return Mention{Text: s, Surface: s, Group: "Disorders", Start: i, End: i + len(s)}
		}
		q := at("stiffness")
		d := r.NewDocument([]Mention{q, at("podagra")}, text, lexical.Blind{})
		var s lexical.Scratch
		list, n := r.Candidates(&s, d, q, 0)
		i := slices.IndexFunc(list[:n], func(c lexical.Candidate) bool { return r.kb.ID(c.Concept) == "D5" && c.Source == SourceApposed })
		if i >= 0 != want {
			t.Fatalf("%s: %+v", text, list)
		}
		f := r.Features(d, q, list, nil)
		if got := f[max(i, 0)]; want && (got[fApposedIs] != 1 || got[fApposedCosine] < 0.999 || got[fApposedGap] != 0) || f[len(f)-1][fApposedIs] != 0 || (f[len(f)-1][fApposed] == 1) != want {
			t.Errorf("%s: %v", text, f)
		}
	}
}

// Where annotations cross groups, a concept that the knowledge base has in another group is a candidate, and its names count.
func TestOtherGroups(t *testing.T) {
	b := terminology.NewBuilder()
	for i, g := range []string{"Finding", "Disease"} {
		b.Add(terminology.Concept{ID: "D" + strconv.Itoa(i), Types: []terminology.SemanticType{{Name: g, Group: g}}, Names: []terminology.Name{{Text: []string{"fever", "gout"}[i], Language: "en", Preferred: true}}})
	}
	k, _ := b.Build()
	stage0, m := lexical.NewRetriever(k, lexical.Options{Names: true}), Mention{Text: "gout", Surface: "gout", Group: "Finding"}
	r := New(k, stage0, nil, nil, Options{})
	if list, _ := r.Candidates(&lexical.Scratch{}, r.NewDocument(nil, "", lexical.Blind{}), m); len(list) > 0 {
		t.Errorf("%+v though no annotation crosses groups", list)
	}
	r = New(k, stage0, []lexical.Observation{{Surface: "big toe pain", Concept: 1, Group: "Finding"}}, nil, Options{})
	d := r.NewDocument([]Mention{m}, "gout", lexical.Blind{})
	list, n := r.Candidates(&lexical.Scratch{}, d, m)
	if n != 1 || r.kb.ID(list[0].Concept) != "D1" {
		t.Fatalf("%+v", list)
	}
	if f := r.Features(d, m, list, nil)[0]; f[fElsewhere] != 1 || f[fExact] != 1 {
		t.Errorf("elsewhere %g, exact %g", f[fElsewhere], f[fExact])
	}
}

// A blind search must describe a mention exactly as if the hidden annotations did not exist.
func TestBlindEqualsAbsent(t *testing.T) {
	k := kb(t)
	m := Mention{Text: "bad kidneys", Surface: "bad kidneys", Group: "Disorders", End: 11}
	all := []Mention{m, {Text: "big toe pain", Surface: "big toe pain", Group: "Disorders", Start: 13, End: 25}, {Text: "gout", Surface: "gout", Group: "Disorders", Start: 31, End: 35}}
	describe := func(o []lexical.Observation, blind lexical.Blind) [][]float32 {
		r := New(k, lexical.NewRetriever(k, lexical.Options{Names: true, Training: o}), o, nil, Options{})
		s := lexical.Scratch{Blind: blind}
		d := r.NewDocument(all, "bad kidneys (big toe pain) and gout", blind)
		list, _ := r.Candidates(&s, d, m)
		return r.Features(d, m, list, nil)
	}
	for _, c := range []struct {
		blind lexical.Blind
		keep  func(lexical.Observation) bool
	}{
		{lexical.Blind{Document: "a"}, func(o lexical.Observation) bool { return o.Document != "a" }},
		{lexical.Blind{Document: "b"}, func(o lexical.Observation) bool { return o.Document != "b" }},
		{lexical.Blind{Document: "b", Concept: 1}, func(o lexical.Observation) bool { return false }},
	} {
		var kept []lexical.Observation
		for _, o := range obs() {
			if c.keep(o) {
				kept = append(kept, o)
			}
		}
		got, want := describe(obs(), c.blind), describe(kept, lexical.Blind{})
		for i := range got { // the bonus of a string's share decides ties only, and is of all annotations
			got[i][fCosine], got[i][fCosineGap], want[i][fCosine], want[i][fCosineGap] = 0, 0, 0, 0
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%+v: %s", c.blind, d)
		}
	}
}

// lists whose gold is the candidate with the larger sum of two features, beside features that say nothing.
func lists(n int, rng *rand.Rand) []List {
	var out []List
	for range n {
		var l List
		best := 0
		for i := range 6 {
			l.X = append(l.X, []float32{rng.Float32(), rng.Float32(), rng.Float32()})
			if l.X[i][0]+l.X[i][1] > l.X[best][0]+l.X[best][1] {
				best = i
			}
		}
		l.Gold = make([]bool, 6)
		l.Gold[best] = true
		out = append(out, l)
	}
	return out
}

func TestBoostLearnsAndIsDeterministic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	train, test := lists(400, rng), lists(200, rng)
	trees := Boost(train, 3, BoostOptions{Rounds: 60, Seed: 3})
	if d := cmp.Diff(trees, Boost(train, 3, BoostOptions{Rounds: 60, Seed: 3})); d != "" {
		t.Fatal(d)
	}
	right := 0
	for _, l := range test {
		best := 0
		for i := range l.X {
			if trees.Score(l.X[i]) > trees.Score(l.X[best]) {
				best = i
			}
		}
		if l.Gold[best] {
			right++
		}
	}
	if right < 150 {
		t.Errorf("%d of 200 right", right)
	}
	if Boost(nil, 3, BoostOptions{}) != nil {
		t.Error("nothing to learn from gives no tree")
	}
}

// Trees that hear a model are the mean of three sets: of all lists, of those without hidden concepts, and of all without the model.
func TestInformedTreesAreAMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var ls []List
	for i := range 200 { // the model knows; so does a string feature, less surely
		l := List{Gold: []bool{true, false}, Hidden: i%3 == 0}
		for _, gold := range l.Gold {
			f := make([]float32, features)
			if f[fLogP] = -rng.Float32(); gold {
				f[fLogP], f[fCosine] = f[fLogP]+1, rng.Float32()
			}
			l.X = append(l.X, f)
		}
		ls = append(ls, l)
	}
	r := &Ranker{opt: Options{}.WithDefaults(), Informed: true}
	r.opt.Boost.Columns = 1
	all := r.Grow(ls)
	if n := 3 * r.opt.Boost.Rounds; len(all) != n {
		t.Fatalf("%d trees, want %d", len(all), n)
	}
	n := len(all) / 3
	x := ls[0].X[0]
	if got, want := all.Score(x), all[:n].Score(x)+all[n:2*n].Score(x)+all[2*n:].Score(x); got <= 0 || got-want > 1e-6 || want-got > 1e-6 {
		t.Errorf("%g, the parts %g", got, want)
	}
	for _, tree := range all[2*n:] {
		for _, f := range tree.Feature {
			if f >= fLogP {
				t.Fatalf("deaf trees ask for feature %d", f)
			}
		}
	}
	if ls[0].X[0][fLogP] == 0 {
		t.Error("the lists were changed")
	}
}

func TestFile(t *testing.T) {
	r := testRanker(t)
	var ls []List
	var s lexical.Scratch
	for i := range r.kb.Len() {
		m := Mention{Text: r.kb.Concept(i).Names[0].Text, Surface: r.kb.Concept(i).Names[0].Text, Group: "Disorders"}
		d := r.NewDocument([]Mention{m}, m.Text, lexical.Blind{})
		c, _ := r.Candidates(&s, d, m)
		l := List{X: r.Features(d, m, c, nil)}
		for _, x := range c {
			l.Gold = append(l.Gold, x.Concept == i)
		}
		ls = append(ls, l)
	}
	r.opt.Boost.MinHess = 0.1
	r.Trees = r.Grow(ls)
	path := filepath.Join(t.TempDir(), FileName)
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	o, err := Open(path, r.kb, r.stage0, obs())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r.Trees, o.Trees); d != "" || len(o.Trees) == 0 {
		t.Error(d)
	}
	if d := cmp.Diff(r.Vocabulary, o.Vocabulary); d != "" {
		t.Error(d)
	}
	for name, text := range map[string]string{"no json": "{", "version": `{"version":9}`, "loop": `{"version":1,"features":` + strconv.Itoa(features) +
		`,"vocabulary":{},"trees":[{"feature":[0],"cut":[1],"left":[0],"right":[0],"value":[0]}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, r.kb, r.stage0, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func texts(list []variant) (out []string) {
	for _, v := range list {
		out = append(out, v.text)
	}
	return out
}

func TestVocabularyRenders(t *testing.T) {
	v := Learn(kb(t), []lexicon.Pair{{Term: "rein", Other: "kidney", Weight: 1}, {Term: "absence congénitale", Other: "agenesis", Weight: 0.8}, {Term: "absence", Other: "lack", Weight: 1},
		{Term: "de", Other: "pain", Weight: 1}, {Term: "goutte", Other: "gout", Weight: 0.5}, {Term: "douleur", Other: "pain", Weight: 0.5}})
	got := texts(v.variants("absence congénitale de rein", 9))
	for _, want := range []string{"absence congenitale de kidney", "agenesis de rein", "agenesis kidney"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if len(got) != 3 { // names have no "lack", and stop words mean nothing by themselves
		t.Errorf("variants: %q", got)
	}
	if a, b := v.same("gout", "goutte"), v.same("gout", "rein"); a < 0.5 || b != 0 {
		t.Errorf("goutte, rein ~ gout: %g, %g", a, b)
	}
	if s := v.same("rein", "kidnei"); s != 0.95 {
		t.Errorf("a rendering is not the word itself: %g", s)
	}
}

// TestRenderedCandidates links a mention of another language through a lexicon alone, also after the ranker was written and opened.
func TestRenderedCandidates(t *testing.T) {
	k := kb(t)
	stage0 := lexical.NewRetriever(k, lexical.Options{Names: true})
	pairs := []lexicon.Pair{{Term: "reins", Other: "renal", Weight: 1}, {Term: "agénésie", Other: "agenesis", Weight: 1}}
	r := New(k, stage0, nil, pairs, Options{})
	path := filepath.Join(t.TempDir(), FileName)
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, k, stage0, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := Mention{Text: "agénésie des reins", Surface: "agénésie des reins", Group: "Disorders"}
	d := r.NewDocument([]Mention{m}, m.Text, lexical.Blind{})
	cands, _ := r.Candidates(&lexical.Scratch{}, d, m)
	best := -1
	f := r.Features(d, m, cands, nil)
	for i := range cands {
		if best < 0 || f[i][fVariant] > f[best][fVariant] {
			best = i
		}
	}
	if best < 0 || f[best][fVariantBag] != 1 || f[best][fVariantGap] != 0 || k.Concept(cands[best].Concept).ID != "D4" {
		t.Errorf("best of %d candidates: %d", len(cands), best)
	}
}
