package gazetteer

import (
	"fmt"
	"strings"
	"testing"

	"syncabel/internal/terminology"
)

func read(t testing.TB, in string) (*terminology.KB, int, error) {
	t.Helper()
	b := terminology.NewBuilder()
	if err := Read(b, strings.NewReader(in), "f.tsv", Options{Language: "en"}); err != nil {
		return nil, 0, err
	}
	kb, warnings := b.Build()
	return kb, len(warnings), nil
}

func TestReadTables(t *testing.T) {
	for name, in := range map[string]string{
		"ours":   "code\tname\tis_preferred\tsemantic_group\nD1\tgout\t1\tDisorders\nD1\tgouty arthritis\t0\tDisorders\n",
		"commas": "code,term,mainterm,semantic_tag\nD1,gout,yes,Disorders\nD1,\"gouty arthritis\",0,Disorders\n",
	} {
		kb, warnings, err := read(t, in)
		if err != nil || warnings != 0 || kb.Len() != 1 {
			t.Errorf("%s: %v, %d warnings", name, err, warnings)
			continue
		}
		c := kb.Concept(0)
		if len(c.Names) != 2 || c.Names[0].Text != "gout" || !c.Names[0].Preferred || c.Names[1].Text != "gouty arthritis" || c.Groups()[0] != "Disorders" {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestReadReports(t *testing.T) {
	if _, warnings, err := read(t, "code\tname\nD1\tgout\n\tnameless\nD2\t\n"); err != nil || warnings < 2 {
		t.Errorf("%d warnings, %v", warnings, err)
	}
	if _, _, err := read(t, "foo\tbar\nx\ty\n"); err == nil || !strings.HasPrefix(err.Error(), "f.tsv:1:") {
		t.Errorf("heading: %v", err)
	}
}

func TestColumnsAndFaults(t *testing.T) {
	in := "SCTID;Term;Other;synonyms;parents\r\n1;\"gout; acute\";x;podagra|;2\r\n2;arthritis;x;;\r\n;no code;x;;\r\n3;\xff;x;;\r\n4;short\r\n"
	b := terminology.NewBuilder()
	err := Read(b, strings.NewReader(in), "f.csv", Options{Columns: map[string]string{"code": "sctid", "name": "TERM"}})
	if err != nil {
		t.Fatal(err)
	}
	kb, warnings := b.Build()
	var got []string
	for _, w := range warnings {
		got = append(got, fmt.Sprint(w.Line, " ", w.Kind))
	}
	if s := strings.Join(got, ", "); s != "1 unknown-column, 4 no-code, 5 utf8, 6 columns" {
		t.Error(s)
	}
	if c := kb.Concept(0); kb.Len() != 2 || c.Names[0].Text != "gout; acute" || c.Names[1].Text != "podagra" || c.Parents[0] != "2" {
		t.Errorf("%+v", c)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("code\tname\nD1\tgout\n")
	f.Add("code,name\nD1,\"go\"\"ut\"\n")
	f.Fuzz(func(t *testing.T, in string) {
		kb, _, err := read(t, in)
		if err != nil {
			return
		}
		for i := range kb.Len() {
			if len(kb.Concept(i).Names) == 0 || kb.Concept(i).ID == "" {
				t.Fatal("a concept without name or ID")
			}
		}
	})
}

func FuzzReadRelations(f *testing.F) {
	f.Add("child\tparent\nD1\tD2\n")
	f.Fuzz(func(t *testing.T, in string) {
		_ = ReadRelations(terminology.NewBuilder(), strings.NewReader(in), "f")
	})
}

// A code in two semantic groups keeps each name in the groups whose rows say so.
func TestNamesByGroup(t *testing.T) {
	kb, _, err := read(t, "code\tname\tis_preferred\tsemantic_group\nD1\tfever\t1\tFindings\nD1\tfever\t1\tDisorders\nD1\tpyrexia\t0\tFindings\n")
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]int{"Findings": 2, "Disorders": 1} {
		if forms := kb.Forms(group); len(forms) != want {
			t.Errorf("%s: %+v, want %d forms", group, forms, want)
		}
	}
	if s := kb.Stats(); s.Names != 3 {
		t.Errorf("%d names, want one for each row", s.Names)
	}
}

// Further names belong to every group of a concept, replace none, and make no concept.
func TestSynonyms(t *testing.T) {
	b := terminology.NewBuilder()
	for _, x := range []struct {
		in       string
		synonyms bool
	}{
		{"code\tname\tis_preferred\tsemantic_group\nD1\tfever\t1\tFindings\nD1\tfever\t1\tDisorders\n", false},
		{"code\tname\tis_preferred\tsemantic_group\tlang\nD1\tFever\t1\tFindings\t\nD1\ttemperature\t1\tFindings\t\nD1\tfièvre\t1\tOther\tfr\nD2\tchill\t1\tFindings\t\n", true},
	} {
		if err := Read(b, strings.NewReader(x.in), "f.tsv", Options{Language: "en", Synonyms: x.synonyms}); err != nil {
			t.Fatal(err)
		}
	}
	kb, warnings := b.Build()
	if len(warnings) != 1 || warnings[0].Kind != "no-concept" || warnings[0].Line != 5 {
		t.Errorf("%v", warnings)
	}
	if kb.Len() != 1 || len(kb.Groups()) != 2 {
		t.Fatalf("%d concepts in groups %v", kb.Len(), kb.Groups())
	}
	for _, group := range kb.Groups() {
		if forms := kb.Forms(group); len(forms) != 3 {
			t.Errorf("%s: %+v", group, forms)
		}
	}
	if c := kb.Concept(0); c.PreferredName("en") != "fever" {
		t.Errorf("%+v", c.Names)
	}
}
