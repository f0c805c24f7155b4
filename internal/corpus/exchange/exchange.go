// Package exchange reads and writes corpora in any of the formats, chosen by name: the switch between the readers and writers of
// corpus/* and everyone who gets a format as a word (import, convert, export, the server). Paths may be files, gzipped files,
// folders or zips.
package exchange

import (
	"fmt"
	"io"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/corpus/annotator"
	"syncabel/internal/corpus/bigbio"
	"syncabel/internal/corpus/bioc"
	"syncabel/internal/corpus/brat"
	"syncabel/internal/corpus/pubtator"
	"syncabel/internal/corpus/table"
	"syncabel/internal/text"
)

// A Format is what can be said about one of the names.
type Format struct {
	Name      string
	Extension string // of a file
	MediaType string // of what Write gives
	About     string
	Reads     bool
	Writes    bool
}

// Formats returns all formats in the order of help texts.
func Formats() []Format {
	return []Format{
		{"pubtator", ".pubtator", "text/plain; charset=utf-8", "PubTator; MedMentions full and ST21pv", true, true},
		{"brat", ".zip", "application/zip", "BRAT standoff, folder or zip; QUAERO", true, true},
		{"bioc", ".xml", "application/xml", "BioC, XML or JSON read, XML written", true, true},
		{"bioc-json", ".json", "application/json", "BioC JSON", true, true},
		{"bigbio", ".jsonl", "application/x-ndjson", "BigBio knowledge-base schema, JSON", true, true},
		{"bigbio-parquet", ".parquet", "application/vnd.apache.parquet", "the same as Parquet, as the Hugging Face hub serves it", true, true},
		{"table", ".tsv", "text/tab-separated-values; charset=utf-8", "mentions in TSV, CSV or JSONL beside texts or with them; SPACCC, DisTEMIST, SympTEMIST, MedProcNER", true, true},
		{"csv", ".csv", "text/csv; charset=utf-8", "one mention a row, text in the row", true, true},
		{"cas-xmi", ".zip", "application/zip", "UIMA CAS XMI (INCEpTION), file, folder or zip", true, true},
		{"cas-json", ".zip", "application/zip", "UIMA CAS JSON (INCEpTION), file, folder or zip", true, true},
		{"labelstudio", ".json", "application/json", "Label Studio tasks", true, true},
		{"doccano", ".jsonl", "application/x-ndjson", "doccano lines", true, true},
		{"prodigy", ".jsonl", "application/x-ndjson", "Prodigy lines", true, true},
		{"spacy", ".jsonl", "application/x-ndjson", "spaCy Doc JSON lines", true, true},
		{"medcat", ".json", "", "export of MedCATtrainer", true, false},
		{"jsonl", ".jsonl", "application/x-ndjson", "one document a line, our own", true, true},
	}
}

// Lookup returns a format by its name.
func Lookup(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("unknown format %q of a corpus: have %s", name, strings.Join(names, ", "))
}

// Write writes documents in a format to w. Formats of several files (brat, cas) are written as a zip; of table only the table is
// written, not the texts. The warnings, of kind "lossy", say what the format cannot hold.
func Write(w io.Writer, format string, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	switch format {
	case "pubtator":
		return pubtator.Write(w, docs, opt)
	case "brat":
		return brat.Write(w, docs, opt)
	case "bioc":
		return bioc.WriteXML(w, docs, opt)
	case "bioc-json":
		return bioc.WriteJSON(w, docs, opt)
	case "bigbio":
		return bigbio.Write(w, docs, opt)
	case "bigbio-parquet":
		return bigbio.WriteParquet(w, docs, opt)
	case "table":
		return table.WriteTSV(w, docs, opt)
	case "csv":
		return table.WriteCSV(w, docs, opt)
	case "cas-xmi", "cas-json":
		return corpus.WriteZip(w, func(file func(name, content string) error) ([]text.Warning, error) {
			return casFiles(format, docs, opt, file)
		})
	case "labelstudio":
		return annotator.WriteLabelStudio(w, docs, opt)
	case "doccano":
		return annotator.WriteDoccano(w, docs, opt)
	case "prodigy":
		return annotator.WriteProdigy(w, docs, opt)
	case "spacy":
		return annotator.WriteSpaCy(w, docs, opt)
	case "jsonl":
		return nil, corpus.Write(w, docs)
	}
	return nil, unwritable(format)
}

func unwritable(format string) error {
	if _, err := Lookup(format); err != nil {
		return err
	}
	return fmt.Errorf("format %q is read only", format)
}

// read reads documents of a format that is one file.
func read(r io.Reader, format, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	switch format {
	case "pubtator":
		return pubtator.Read(r, file, opt)
	case "bioc", "bioc-json":
		return bioc.Read(r, file, opt)
	case "bigbio":
		return bigbio.Read(r, file, opt)
	case "table":
		return table.Read(r, file, opt)
	case "csv":
		return table.Read(r, strings.TrimSuffix(file, ".csv")+".csv", opt)
	case "labelstudio":
		return annotator.ReadLabelStudio(r, file, opt)
	case "doccano":
		return annotator.ReadDoccano(r, file, opt)
	case "prodigy":
		return annotator.ReadProdigy(r, file, opt)
	case "spacy":
		return annotator.ReadSpaCy(r, file, opt)
	case "medcat":
		return annotator.ReadMedCAT(r, file, opt)
	case "jsonl":
		return readOwn(r, file, opt)
	}
	_, err := Lookup(format)
	if err == nil {
		err = fmt.Errorf("format %q is not read from one file", format)
	}
	return nil, nil, err
}

// readOwn fills in the split and language that a document does not name; a split that is asked for wins.
func readOwn(r io.Reader, file string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	docs, err := corpus.Read(r, file)
	for i := range docs {
		if opt.Split != "" {
			docs[i].Split = opt.Split
		}
		if docs[i].Language == "" {
			docs[i].Language = opt.Language
		}
	}
	return docs, nil, err
}
