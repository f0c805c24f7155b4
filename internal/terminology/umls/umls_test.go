package umls

import (
	"strings"
	"testing"
	"testing/fstest"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/release"
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
