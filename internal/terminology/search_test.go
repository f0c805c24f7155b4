package terminology

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func searchable() *KB {
	b := NewBuilder()
	add := func(id, group, language string, names ...string) {
		c := Concept{ID: id, Types: []SemanticType{{group, group}}}
		for i, n := range names {
			c.Names = append(c.Names, Name{Text: n, Language: language, Preferred: i == 0})
		}
		b.Add(c)
	}
	add("D1", "Disorders", "en", "Diabetes mellitus", "Diabetes")
	add("D2", "Disorders", "en", "Type 2 diabetes mellitus", "NIDDM")
	add("D3", "Disorders", "fr", "Diabète sucré")
	add("D4", "Disorders", "en", "Cardiac arrest")
	add("D5", "Disorders", "es", "Cardiopatía")
	add("C1", "Chemicals", "en", "Metformin", "diabetes drug")
	add("O1", "Disorders", "fr", "Œdème pulmonaire")
	add("P1", "Disorders", "en", "Phaeochromocytoma", "adrenal tumour")
	b.AddParent("D2", "D1")
	kb, _ := b.Build()
	return kb
}

func TestSearch(t *testing.T) {
	kb := searchable()
	for query, c := range map[string]struct {
		opt  SearchOptions
		want string // ID/match of the hits in order, as far as it goes
	}{
		"diabetes":           {want: "D1/exact C1/prefix D2/word"},
		"diab":               {want: "D1/prefix C1/prefix D3/prefix D2/word"},
		"DIABETE sucre":      {want: "D3/exact"},
		"mell diab":          {want: "D1/word D2/word"},
		"niddm mellitus":     {want: "D2/spread"},
		"card arr":           {want: "D4/word"},
		"oedeme":             {want: "O1/prefix"},
		"d2":                 {want: "D2/code"},
		"pheochromocytoma":   {want: "P1/typo"},
		"diabtes":            {want: "D1/typo"},
		"mteformin":          {want: "C1/typo"},
		"diabetes ":          {opt: SearchOptions{Group: "Chemicals"}, want: "C1/prefix"},
		" diabete":           {opt: SearchOptions{Language: "fr"}, want: "D3/prefix"},
		"cardiopathia":       {want: "D5/typo"},
		"zzzz":               {},
		"":                   {},
		"- ()":               {},
		"diabetes of nobody": {},
	} {
		var got []string
		for _, h := range kb.Search(query, c.opt) {
			got = append(got, h.ID+"/"+h.Match.String())
		}
		if s := strings.Join(got, " "); !strings.HasPrefix(s, c.want) || c.want == "" && s != "" {
			t.Errorf("%q: %s, want %s", query, s, c.want)
		}
	}
	if hits := kb.Search("diab", SearchOptions{Limit: 2}); len(hits) != 2 {
		t.Errorf("%d hits", len(hits))
	}
}

// similar finds the same words as comparing with every word.
func TestSimilarAgainstAll(t *testing.T) {
	letters := rapid.StringMatching(`[a-c]{1,7}`)
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder()
		for i, w := range rapid.SliceOfN(letters, 1, 30).Draw(t, "words") {
			b.Add(Concept{ID: fmt.Sprint(i), Names: []Name{{Text: w}}})
		}
		kb, _ := b.Build()
		q, k := letters.Draw(t, "query"), rapid.IntRange(0, 2).Draw(t, "k")
		found := map[int]bool{}
		for _, s := range kb.similar(q, k) {
			for i := s.from; i < s.to; i++ {
				found[i] = true
			}
		}
		for i := range kb.wordCount() {
			if want := nearPrefix(q, kb.word(i), k); found[i] != want {
				t.Fatalf("%q in %q within %d: %v", q, kb.word(i), k, found[i])
			}
		}
	})
}

// nearPrefix compares the query with every beginning of the word.
func nearPrefix(q, word string, k int) bool {
	table := newEditTable(q)
	for d := range len(word) {
		table.row(word, d)
		if table.last(d) <= k {
			return true
		}
	}
	return false
}

func TestHistory(t *testing.T) {
	b := NewBuilder()
	b.Add(Concept{ID: "D1", Names: []Name{{Text: "gout"}}})
	b.Add(Concept{ID: "D2", Names: []Name{{Text: "old gout"}}, Retired: true, ReplacedBy: []string{"D3"}})
	b.Retire("D3", "", Replacement{"D1", "same"})
	b.Retire("D4", "gone")
	b.Retire("D5", "", Replacement{"D6", "moved"})
	b.Retire("D6", "", Replacement{"D5", "moved"})
	b.Retire("D7", "", Replacement{"D1", "possible"})
	b.Retire("D1", "an alternate ID that is a concept after all")
	kb, warnings := b.Build()
	if kb.Len() != 1 || len(warnings) != 0 || kb.Concept(0).Names[0].Text != "gout" || kb.Stats().Retired != 6 {
		t.Fatalf("%d concepts, %+v, %v", kb.Len(), kb.Stats(), warnings)
	}
	for id, want := range map[string][]string{"D1": {"D1"}, "D2": {"D1"}, "D3": {"D1"}, "D4": nil, "D5": nil, "D7": nil, "D8": nil, "D": nil, "D45": nil} {
		if got := kb.Current(id); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if r, ok := kb.Retired("D4"); !ok || r.Name != "gone" {
		t.Errorf("%+v", r)
	}
}

// A random knowledge base: few names, so that they are shared by many, in two groups, with a hierarchy that may have cycles.
func random(t *rapid.T) *KB {
	b := NewBuilderWith(BuildOptions{Memory: rapid.IntRange(1, 2000).Draw(t, "memory")})
	name := rapid.SampledFrom([]string{"MS", "ms", "Ms  x", "cold", "cold (finding)", "cold (finding) (C1)", "fever", "MS (cold)", "é", "Disease"})
	n := rapid.IntRange(1, 12).Draw(t, "concepts")
	for range rapid.IntRange(n, 30).Draw(t, "rows") {
		c := Concept{ID: fmt.Sprint("C", rapid.IntRange(1, n).Draw(t, "id"))}
		group := rapid.SampledFrom([]string{"A", "B"}).Draw(t, "group")
		c.Types = []SemanticType{{rapid.SampledFrom([]string{"finding", "Disease", ""}).Draw(t, "type"), group}}
		for range rapid.IntRange(0, 3).Draw(t, "names") {
			c.Names = append(c.Names, Name{Text: name.Draw(t, "name"), Preferred: rapid.Bool().Draw(t, "preferred"),
				Group: rapid.SampledFrom([]string{"", group}).Draw(t, "only in")})
		}
		b.Add(c)
		b.AddParent(c.ID, fmt.Sprint("C", rapid.IntRange(1, n).Draw(t, "parent")))
	}
	kb, _ := b.Build()
	return kb
}

// Every concept is reached by a form that is its own in every group in which it has a name: no name of several concepts hides one.
func TestEveryConceptIsReachable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kb := random(t)
		for _, g := range kb.Groups() {
			own, texts := map[int]bool{}, map[string][]int{}
			for _, f := range kb.Forms(g) {
				key := Normalize(f.Text)
				texts[key] = append(texts[key], f.Concepts...)
			}
			for _, concepts := range texts {
				if slices.Sort(concepts); len(slices.Compact(concepts)) == 1 {
					own[concepts[0]] = true
				}
			}
			for i := range kb.Len() {
				c := kb.Concept(i)
				if kb.in(i, g) && slices.ContainsFunc(c.Names, func(n Name) bool { return n.In(g) }) && !own[i] {
					t.Fatalf("group %s: no form means %s alone: %+v", g, c.ID, kb.Forms(g))
				}
			}
		}
	})
}

// Whatever the order of memory and files, the same fragments give the same bytes.
func TestSpillingChangesNothing(t *testing.T) {
	var files [][]byte
	for _, memory := range []int{1, 100, 3000, 1 << 20} {
		b := NewBuilderWith(BuildOptions{Memory: memory, Dir: t.TempDir()})
		for i := range 200 {
			b.Add(Concept{ID: fmt.Sprint("C", i*7919%150), Names: []Name{{Text: fmt.Sprint("name ", i%90), Language: "en"}}})
		}
		path := filepath.Join(t.TempDir(), FileName)
		kb, _, err := b.BuildFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, slices.Clone(kb.data))
		kb.Close()
	}
	for _, f := range files[1:] {
		if !slices.Equal(f, files[0]) {
			t.Fatal("another limit of memory gives other bytes")
		}
	}
}
