package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"syncabel/internal/terminology"
)

func sample() *terminology.KB {
	b := terminology.NewBuilder()
	b.Add(terminology.Concept{ID: "D1", Types: []terminology.SemanticType{{Name: "Disease", Group: "Disorders"}}, Xrefs: []string{"ICD10:M10"}, Parents: []string{"D2"},
		Names: []terminology.Name{{Text: "Goutte", Language: "fr", Preferred: true}, {Text: "Podagre aiguë", Language: "fr", Licence: "open"}}, Definitions: []terminology.Definition{{Text: "Painful."}}})
	b.Add(terminology.Concept{ID: "D2", Names: []terminology.Name{{Text: "Arthritis"}}})
	b.Retire("D9", "old", terminology.Replacement{ID: "D1", Relation: "same"})
	b.AddVocabulary(terminology.Vocabulary{Code: "MSH", Version: "2026"})
	kb, _ := b.Build()
	return kb
}

// The database that a real SQLite reads holds everything.
func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kb.sqlite")
	if err := Write(t.Context(), path, sample(), nil); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		"SELECT count(*) FROM concepts": "2",
		"SELECT concept FROM names WHERE rowid IN (SELECT rowid FROM names_fts WHERE names_fts MATCH 'aigue')":                                    "D1",
		"SELECT licence FROM names WHERE name = 'Podagre aiguë'":                                                                                  "open",
		"SELECT preferred FROM concepts JOIN parents ON parent = id WHERE parents.concept = 'D1'":                                                 "Arthritis",
		"SELECT semantic_group || xref || definition FROM types JOIN xrefs USING (concept) JOIN definitions USING (concept) WHERE concept = 'D1'": "DisordersICD10:M10Painful.",
		"SELECT replacement || relation FROM retired WHERE id = 'D9'":                                                                             "D1same",
		"SELECT version FROM vocabularies":                                                                                                        "2026",
	} {
		var got string
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
	if err := Write(t.Context(), path, sample(), nil); err == nil {
		t.Error("an existing file was overwritten")
	}
}

func TestInterruptedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, filepath.Join(dir, "kb.sqlite"), sample(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("left behind: %v", list)
	}
}
