package lexicon

import (
	"embed"
	"io/fs"
	"strings"
)

// tables are the lexicons that come with the program, a table for each language of texts: what clinicians write for what names of
// terminologies say. They were written for it from general knowledge of clinical language (README says with what in view) and hold
// nothing of a terminology, a dictionary or a corpus.
//
//go:embed shipped/*.tsv
var tables embed.FS

// Shipped returns the table of that name ("es-clinical") as a file holds it, and whether there is one.
func Shipped(name string) ([]byte, bool) {
	b, err := tables.ReadFile("shipped/" + name + ".tsv")
	return b, err == nil
}

// ShippedNames are the names that Shipped knows, in order.
func ShippedNames() []string {
	files, _ := fs.Glob(tables, "shipped/*.tsv") // in order; the pattern is well formed
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(f, "shipped/"), ".tsv")
	}
	return names
}
