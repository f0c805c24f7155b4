package snomed

import (
	"strings"
	"testing"
	"testing/fstest"

	"syncabel/internal/terminology"
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
