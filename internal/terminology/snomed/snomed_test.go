package snomed

import (
	"strings"
	"testing"
	"testing/fstest"

	"syncabel/internal/terminology"
	"syncabel/internal/terminology/invented"
	"syncabel/internal/terminology/release"
)

const (
	concepts = "id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId\n1\t2026\t1\tm\td\n2\t2026\t1\tm\td\n3\t2026\t0\tm\td\n"
	english  = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n" +
		"10\t2026\t1\tm\t1\ten\t900000000000003001\tGout (disorder)\tc\n11\t2026\t1\tm\t1\ten\t900000000000013009\tGout\tc\n" +
		"12\t2026\t1\tm\t1\ten\t900000000000013009\tPodagra\tc\n13\t2026\t0\tm\t1\ten\t900000000000013009\tinactive\tc\n" +
		"20\t2026\t1\tm\t2\ten\t900000000000003001\tArthropathy (disorder)\tc\n30\t2026\t1\tm\t3\ten\t900000000000003001\tGone (finding)\tc\nbad\trow\n"
	spanish   = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n40\t2026\t1\tm\t1\tes\t900000000000013009\tgota\tc\n"
	language  = "id\teffectiveTime\tactive\tmoduleId\trefsetId\treferencedComponentId\tacceptabilityId\nx\t2026\t1\tm\tr\t11\t900000000000548007\nx\t2026\t1\tm\tr\t40\t900000000000548007\n"
	relations = "id\teffectiveTime\tactive\tmoduleId\tsourceId\tdestinationId\trelationshipGroup\ttypeId\tcharacteristicTypeId\tmodifierId\n50\t2026\t1\tm\t1\t2\t0\t116680003\tc\tm\n"
)

func files() fstest.MapFS {
	f := fstest.MapFS{}
	for name, s := range map[string]string{"sct2_Concept_Snapshot_INT.txt": concepts, "sct2_Description_Snapshot-en_INT.txt": english,
		"sct2_Description_Snapshot-es_INT.txt": spanish, "sct2_Relationship_Snapshot_INT.txt": relations} {
		f["Snapshot/Terminology/"+name] = &fstest.MapFile{Data: []byte(s)}
	}
	f["Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT.txt"] = &fstest.MapFile{Data: []byte(language)}
	return f
}

func TestRead(t *testing.T) {
	b := terminology.NewBuilder()
	if err := Read(b, release.Of(files()), Options{}); err != nil {
		t.Fatal(err)
	}
	kb, warnings := b.Build()
	if kb.Len() != 2 || len(warnings) != 1 || warnings[0].Line != 8 { // the bad row, once however many passes there are
		t.Fatalf("%d concepts, %v", kb.Len(), warnings)
	}
	i, _ := kb.Index("1")
	c := kb.Concept(i)
	if c.PreferredName("en") != "Gout" || c.PreferredName("es") != "gota" || c.Groups()[0] != "disorder" || c.Parents[0] != "2" || len(c.Names) != 3 {
		t.Errorf("%+v", c)
	}
	b = terminology.NewBuilder()
	if err := Read(b, release.Of(files()), Options{Languages: []string{"es"}}); err != nil {
		t.Fatal(err)
	}
	if kb, _ := b.Build(); kb.Stats().Names != 1 {
		t.Errorf("%+v", kb.Stats())
	}
}

// An extension on top of an edition: its later rows count, wherever they stand.
func extension() fstest.MapFS {
	const head = "id\teffectiveTime\tactive\tmoduleId\t"
	return fstest.MapFS{
		"x/sct2_Concept_Snapshot_ES.txt": {Data: []byte(head + "definitionStatusId\n2\t2027\t0\tm\td\n7\t2027\t1\tm\td\n1\t2020\t0\tm\td\n")},
		"x/sct2_Description_Snapshot-es_ES.txt": {Data: []byte(head + "conceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n" +
			"70\t2027\t1\tm\t7\tes\t900000000000003001\tGota de otro (disorder)\tc\n71\t2027\t1\tm\t7\tes\t900000000000013009\tgota del pie\tc\n" +
			"12\t2027\t0\tm\t1\ten\t900000000000013009\tPodagra\tc\n72\t2027\t1\tm\t9\tes\t900000000000003001\tnadie (finding)\tc\nbad\t2027\t1\tm\t1\tes\t9\tx\tc\n")},
		"x/sct2_TextDefinition_Snapshot-es_ES.txt":        {Data: []byte(head + "conceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n73\t2027\t1\tm\t1\tes\t9\tDuele.\tc\n")},
		"x/der2_cRefset_LanguageSnapshot-es_ES.txt":       {Data: []byte(head + "refsetId\treferencedComponentId\tacceptabilityId\nu\t2027\t1\tm\t450828004\t71\t900000000000548007\n")},
		"x/der2_cRefset_AssociationSnapshot_ES.txt":       {Data: []byte(head + "refsetId\treferencedComponentId\ttargetComponentId\nu\t2027\t1\tm\t900000000000527005\t2\t1\nu\t2027\t1\tm\t900000000000523009\t3\t1\n")},
		"x/der2_iisssccRefset_ExtendedMapSnapshot_ES.txt": {Data: []byte(head + "a\tb\tc\td\te\tf\tg\th\ti\nu\t2027\t1\tm\t447562003\t1\t1\t1\tTRUE\tx\tM10\t1\t1\n")},
		"x/sct2_Relationship_Snapshot_ES.txt":             {Data: []byte(head + "s\td\tg\tt\tc\tm\n51\t2027\t1\tm\t7\t1\t0\t116680003\tc\tm\n")},
	}
}

func TestExtension(t *testing.T) {
	b := terminology.NewBuilder()
	if err := Read(b, release.Of(files(), extension()), Options{}); err != nil {
		t.Fatal(err)
	}
	kb, warnings := b.Build()
	var kinds []string
	for _, w := range warnings {
		kinds = append(kinds, w.Kind)
	}
	if got := strings.Join(kinds, " "); got != "columns id no-concept" {
		t.Errorf("%s: %v", got, warnings)
	}
	i, _ := kb.Index("1")
	c := kb.Concept(i)
	if kb.Len() != 2 || kb.Has("2") || len(c.Names) != 2 || len(c.Parents) != 0 || c.Definitions[0].Text != "Duele." || c.Xrefs[0] != "ICD10:M10" {
		t.Errorf("%d concepts, %+v", kb.Len(), c)
	}
	if r, _ := kb.Retired("2"); r.Name != "Arthropathy" || len(kb.Current("2")) != 1 || len(kb.Current("3")) != 0 {
		t.Errorf("%+v, %v", r, kb.Current("3"))
	}
}

func TestFilters(t *testing.T) {
	for name, c := range map[string]struct {
		opt             Options
		concepts, names int
	}{
		"language reference set": {Options{Refsets: []string{"450828004"}}, 1, 1},
		"below":                  {Options{Below: []string{"7"}}, 1, 2},
		"below, with itself":     {Options{Below: []string{"1"}}, 2, 4},
		"tag":                    {Options{Tags: []string{"finding"}}, 0, 0},
	} {
		b := terminology.NewBuilder()
		if err := Read(b, release.Of(files(), extension()), c.opt); err != nil {
			t.Fatal(err)
		}
		if kb, _ := b.Build(); kb.Len() != c.concepts || kb.Stats().Names != c.names {
			t.Errorf("%s: %+v", name, kb.Stats())
		}
	}
}

// An invented edition: every active concept is there with its languages, every inactive one in the history.
func TestInvented(t *testing.T) {
	dir := t.TempDir()
	if err := invented.SNOMED(dir, invented.SNOMEDOptions{Concepts: 1000, Languages: []string{"en", "es"}, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	b := terminology.NewBuilder()
	if err := release.Open([]string{dir}, func(rel *release.Release) error { return Read(b, rel, Options{Languages: []string{"en", "es"}}) }); err != nil {
		t.Fatal(err)
	}
	kb, warnings := b.Build()
	s := kb.Stats()
	if kb.Len() != 800 || s.Retired != 200 || s.Languages["es"] < 800 || s.Relations == 0 || len(warnings) > 0 {
		t.Errorf("%+v, %v", s, warnings)
	}
}

func TestNoRelease(t *testing.T) {
	if err := Read(terminology.NewBuilder(), release.Of(fstest.MapFS{}), Options{}); err == nil || !strings.Contains(err.Error(), "sct2_Concept_") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(concepts, english, relations)
	f.Fuzz(func(t *testing.T, c, d, r string) {
		b := terminology.NewBuilder()
		fsys := fstest.MapFS{"sct2_Concept_Snapshot.txt": &fstest.MapFile{Data: []byte(c)}, "sct2_Description_Snapshot.txt": &fstest.MapFile{Data: []byte(d)},
			"sct2_Relationship_Snapshot.txt": &fstest.MapFile{Data: []byte(r)}}
		if Read(b, release.Of(fsys), Options{}) == nil {
			b.Build()
		}
	})
}
