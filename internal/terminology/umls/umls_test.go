package umls

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/invented"
	"syncabel/internal/terminology/release"
	"syncabel/internal/text"
)

const (
	mrconso = "C1|ENG|P|L|PF|S|Y|A1||||MSH|MH|D1|Gout|0|N||\nC1|FRE|P|L|PF|S|Y|A2||||MSHFRE|MH|D1|Goutte|0|N||\nC1|ENG|S|L|VO|S|N|A3||||MSH|ET|D1|Podagra|0|N||\n" +
		"C1|ENG|S|L|VO|S|N|A4||||X|ET|D1|old|0|O||\nC2|ENG|P|L|PF|S|Y|A5||||MSH|MH|D2|Arthritis|0|N||\nC3|ENG|P|L|PF|S|Y|A6||||MSH|MH|D3|Aspirin|0|N||\n" +
		"C9|ENG|P|L|PF|S|Y|A7||||MSH|MH|D3|untyped|0|N||\nC1|ENG|short\n"
	mrsty = "C1|T047|B|Disease or Syndrome|AT|256|\nC2|T047|B|Disease or Syndrome|AT|256|\nC3|T121|A|Pharmacologic Substance|AT|256|\n"
	mrdef = "C1|A1|AT|S|MSH|Swollen toe.|N||\n"
	mrrel = "C1|A1|AUI|PAR|C2|A5|AUI||R1||MSH|MSH|||N||\nC2|A5|AUI|CHD|C1|A1|AUI||R2||MSH|MSH|||N||\n"
)

func files() fstest.MapFS {
	f := fstest.MapFS{}
	for name, s := range map[string]string{"META/MRCONSO.RRF": mrconso, "META/MRSTY.RRF": mrsty, "META/MRDEF.RRF": mrdef, "META/MRREL.RRF": mrrel} {
		f[name] = &fstest.MapFile{Data: []byte(s)}
	}
	return f
}

func TestRead(t *testing.T) {
	b := terminology.NewBuilder()
	if err := Read(b, release.Of(files()), Options{}); err != nil {
		t.Fatal(err)
	}
	kb, warnings := b.Build()
	if kb.Len() != 3 || len(warnings) != 2 || warnings[0].Line != 7 || warnings[1].Line != 8 {
		t.Fatalf("%d concepts, %v", kb.Len(), warnings)
	}
	i, _ := kb.Index("C1")
	c := kb.Concept(i)
	if len(c.Names) != 3 || c.PreferredName("fr") != "Goutte" || c.Groups()[0] != "Disorders" || c.Parents[0] != "C2" || len(c.Definitions) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestFilters(t *testing.T) {
	for name, c := range map[string]struct {
		opt             Options
		concepts, names int
	}{
		"language":   {Options{Languages: []string{"fr"}}, 1, 1},
		"group":      {Options{Groups: []string{"Chemicals & Drugs"}}, 1, 1},
		"term type":  {Options{TermTypes: []string{"ET"}}, 1, 1},
		"suppressed": {Options{Suppressed: true}, 3, 6},
		"source":     {Options{Sources: []string{"MSH"}}, 3, 4},
	} {
		b := terminology.NewBuilder()
		if err := Read(b, release.Of(files()), c.opt); err != nil {
			t.Fatal(err)
		}
		kb, _ := b.Build()
		if s := kb.Stats(); s.Concepts != c.concepts || s.Names != c.names {
			t.Errorf("%s: %d concepts, %d names; want %d, %d", name, s.Concepts, s.Names, c.concepts, c.names)
		}
	}
}

// release with one more file, or another one.
func with(name, content string) *release.Release {
	f := files()
	f["META/"+name] = &fstest.MapFile{Data: []byte(content)}
	return release.Of(f)
}

func build(t *testing.T, rel *release.Release, opt Options) (*terminology.KB, []text.Warning) {
	t.Helper()
	b := terminology.NewBuilder()
	if err := Read(b, rel, opt); err != nil {
		t.Fatal(err)
	}
	return b.Build()
}

func TestPresets(t *testing.T) {
	sty := "C1|T047|B2.2.1.2.1|Disease or Syndrome|AT|256|\nC2|T051|B1|Event|AT|256|\nC3|T121|A1.4.1.1.1|Pharmacologic Substance|AT|256|\n"
	for name, want := range map[string]int{"st21pv": 2, "quaero": 2, "": 3} {
		p, err := PresetNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		kb, _ := build(t, with("MRSTY.RRF", sty), Options{Trees: p.Trees, Groups: p.Groups, Sources: p.Sources})
		if kb.Len() != want {
			t.Errorf("%q: %d concepts, want %d: a type below one of the 21 counts, an event does not", name, kb.Len(), want)
		}
	}
	if _, err := PresetNamed("st21"); err == nil {
		t.Error("an unknown preset passes")
	}
	if CheckFilters([]string{"T47"}, nil) == nil || CheckFilters(nil, []string{"DISEASES"}) == nil || CheckFilters([]string{"T047"}, []string{"DISO", "Anatomy"}) != nil {
		t.Error("filters are not checked")
	}
	if len(ST21pv()) != 21 || len(ST21pvSources()) != 18 || len(Quaero()) != 10 {
		t.Error("a preset has another size than published")
	}
}

func TestRetiredAndSources(t *testing.T) {
	mrcui := "C8|2020AA|SY|||C1|Y|\nC7|2020AA|RB|||C1|Y|\nC6|2020AA|DEL||||Y|\nC5|2020AA|XX|||C1|Y|\n"
	kb, warnings := build(t, with("MRCUI.RRF", mrcui), Options{})
	if kb.Stats().Retired != 4 || len(warnings) != 3 {
		t.Errorf("%d retired, %v", kb.Stats().Retired, warnings)
	}
	for id, want := range map[string]int{"C8": 1, "C7": 0, "C6": 0, "C1": 1} {
		if got := kb.Current(id); len(got) != want {
			t.Errorf("%s is now %v", id, got)
		}
	}
	sab := "C|C|MSH2026|MSH|Medical Subject Headings|MSH|2026||||||| 0|1|1||||ENG|UTF-8|Y|Y|MSH||\n"
	kb, _ = build(t, with("MRSAB.RRF", strings.Replace(sab, " 0", "0", 1)), Options{})
	if v := kb.Vocabularies(); len(v) != 1 || v[0].Version != "2026" || v[0].Licence != "attribution" {
		t.Errorf("%+v", v)
	}
	if s := kb.Stats(); s.Licences["attribution"] != s.Names {
		t.Errorf("%v", s.Licences)
	}
}

// Without MRREL the atoms' hierarchy gives the parents.
func TestMRHIER(t *testing.T) {
	f := files()
	delete(f, "META/MRREL.RRF")
	f["META/MRHIER.RRF"] = &fstest.MapFile{Data: []byte("C1|A1|1|A5|MSH||A5||||\nC1|A1|1|A5|MSH||A5|||\nC2|A5|1||MSH|||||\n")}
	kb, warnings := build(t, release.Of(f), Options{})
	i, _ := kb.Index("C1")
	if p := kb.Concept(i).Parents; len(p) != 1 || p[0] != "C2" || len(warnings) != 3 || warnings[2].File != "MRHIER.RRF" {
		t.Errorf("%v, %v", p, warnings)
	}
}

// Faults are counted and located, and what is whole stays.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		file, content, kind string
		line                int
		more                int // warnings of that kind
	}{
		"unknown type":  {"MRSTY.RRF", "C1|T999|B|New Type|AT|256|\n", "semantic-type", 1, 1},
		"bar in a name": {"MRCONSO.RRF", "C1|ENG|P|L|PF|S|Y|A1||||MSH|MH|D1|Gout|acute|0|N||\n" + mrconso, "columns", 1, 2},
		"broken UTF-8":  {"MRCONSO.RRF", mrconso + "C1|ENG|S|L|VO|S|N|A1||||MSH|MH|D1|Go\xfft|0|N||\n", "utf8", 9, 1},
		"no string":     {"MRCONSO.RRF", mrconso + "C1|ENG|S|L|VO|S|N|A1||||MSH|MH|D1| |0|N||\n", "no-name", 9, 1},
		"cycle":         {"MRREL.RRF", mrrel + "C2|A1|AUI|PAR|C1|A5|AUI||R1||MSH|MSH|||N||\n", "cycle", 0, 1},
	} {
		kb, warnings := build(t, with(c.file, c.content), Options{})
		n := 0
		for _, w := range warnings {
			if w.Kind == c.kind {
				if n++; n == 1 && (w.Line != c.line || c.line > 0 && w.File != c.file) {
					t.Errorf("%s: at %s:%d", name, w.File, w.Line)
				}
			}
		}
		if n != c.more || kb.Len() == 0 {
			t.Errorf("%s: %v", name, warnings)
		}
	}
}

// The same release gives the same bytes, whatever the number of cores and the memory.
func TestDeterminism(t *testing.T) {
	dir := t.TempDir()
	if err := invented.UMLS(dir, invented.UMLSOptions{Concepts: 3000, Rows: 15_000, Seed: 2}); err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []byte
	for cores, memory := range map[int]int{1: 1 << 20, 2: 50_000, 8: 400_000} {
		runtime.GOMAXPROCS(cores)
		b := terminology.NewBuilderWith(terminology.BuildOptions{Dir: dir, Memory: memory})
		if err := release.Open([]string{dir}, func(rel *release.Release) error { return Read(b, rel, Options{}) }); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), terminology.FileName)
		kb, warnings, err := b.BuildFile(path)
		if err != nil || len(warnings) > 0 || kb.Len() != 3000 {
			t.Fatal(err, warnings)
		}
		kb.Close()
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !bytes.Equal(first, got) {
			t.Errorf("%d cores, %d bytes of memory: another file", cores, memory)
		}
	}
}

// Every row that passes is a name or a repetition of one.
func TestNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	if err := invented.UMLS(dir, invented.UMLSOptions{Concepts: 500, Rows: 3000, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	kb, warnings := build(t, release.Of(os.DirFS(dir)), Options{Suppressed: true})
	in, err := os.Open(filepath.Join(dir, "MRCONSO.RRF"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	rows := 0
	table := release.Table{Separator: '|', Columns: 18, Closed: true}
	err = table.Rows(in, func(line int, c []string) error {
		rows++
		i, ok := kb.Index(c[0])
		if !ok || !slices.ContainsFunc(kb.Concept(i).Names, func(n terminology.Name) bool { return n.Text == c[14] && n.Language == Language(c[1]) }) {
			t.Errorf("row %d is lost", line)
		}
		if !slices.Contains(kb.Normalized(c[14]), i) {
			t.Errorf("row %d is not found by its name", line)
		}
		return nil
	})
	if err != nil || rows != 3000 || len(warnings) > 0 {
		t.Error(rows, warnings, err)
	}
}

func TestMissingFile(t *testing.T) {
	f := files()
	delete(f, "META/MRSTY.RRF")
	if err := Read(terminology.NewBuilder(), release.Of(f), Options{}); err == nil || !strings.Contains(err.Error(), "MRSTY.RRF") {
		t.Errorf("%v", err)
	}
}

func TestGroupTable(t *testing.T) {
	n := 0
	for _, g := range groups() {
		n += len(strings.Fields(g.tuis))
	}
	if n != 127 || len(groups()) != 15 || len(ST21pv()) != 21 {
		t.Errorf("%d types in %d groups, %d in ST21pv", n, len(groups()), len(ST21pv()))
	}
	if len(groupTable()) != 127 {
		t.Error("a type stands in two groups")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(mrconso, mrsty, mrrel)
	f.Fuzz(func(t *testing.T, conso, sty, rel string) {
		b := terminology.NewBuilder()
		fsys := fstest.MapFS{"MRCONSO.RRF": &fstest.MapFile{Data: []byte(conso)}, "MRSTY.RRF": &fstest.MapFile{Data: []byte(sty)}, "MRREL.RRF": &fstest.MapFile{Data: []byte(rel)}}
		if Read(b, release.Of(fsys), Options{}) == nil {
			b.Build()
		}
	})
}

// TestTypesOfST21pv: a type belongs to the one of the 21 that it is or lies below.
func TestTypesOfST21pv(t *testing.T) {
	trees, names := ST21pv(), ST21pvTypes()
	if len(trees) != 21 || len(names) != 21 {
		t.Fatalf("%d trees, %d names", len(trees), len(names))
	}
	for tree, want := range map[string]string{"B2.2.1.2.1": "Biologic Function", "A1.4.1.1.1": "Chemical", "A1.1.4": "Virus", "A2.1.5.4": "Spatial Concept", "B2.3": "Injury or Poisoning"} {
		if i := treeOf(trees, tree); i < 0 || names[i] != want {
			t.Errorf("%s is of %d, want %s", tree, i, want)
		}
	}
	if i := treeOf(trees, "A1.4.11"); i >= 0 {
		t.Errorf("A1.4.11 is below %s", trees[i])
	}
}
