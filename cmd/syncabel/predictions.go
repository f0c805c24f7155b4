package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/eval"
	"syncabel/internal/pipeline"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

// Formats of files that hold mentions, as sniff tells them apart and exchange calls them.
const (
	ourPredictions = "predictions"
	referenceTable = "reference"
	pubtatorFile   = "pubtator"
	bigbioFile     = "bigbio"
	ourDocuments   = "jsonl"
)

// sniff recognises a file by its first bytes.
func sniff(in *bufio.Reader) string {
	head, _ := in.Peek(1 << 14)
	head = bytes.TrimLeft(head, "\ufeff \t\r\n")
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case prediction.IsReference(string(line)):
		return referenceTable
	case looksPubTatorLine(string(line)):
		return pubtatorFile
	case bytes.HasPrefix(head, []byte("[")), bytes.Contains(head, []byte(`"normalized"`)), bytes.Contains(head, []byte(`"passages"`)) && bytes.Contains(head, []byte(`"document_id"`)):
		return bigbioFile
	case bytes.Contains(line, []byte(`"candidates"`)):
		return ourPredictions
	case bytes.Contains(line, []byte(`"mentions"`)):
		return ourDocuments
	}
	return ourPredictions
}

// looksPubTatorLine: id|t|title.
func looksPubTatorLine(line string) bool {
	parts := strings.SplitN(line, "|", 3)
	return len(parts) == 3 && (parts[1] == "t" || parts[1] == "a")
}

// openSniffed opens a file, or the predictions of a stage folder.
func openSniffed(path, inFolder string) (*os.File, *bufio.Reader, string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, inFolder)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, "", err
	}
	in := bufio.NewReaderSize(f, 1<<16)
	return f, in, sniff(in), nil
}

// readPredictions reads predictions: our JSONL, the table released with arXiv 2601.19667, or the annotations of PubTator and
// BigBio files, as other linkers write them.
func (a *app) readPredictions(path string) ([]prediction.Prediction, error) {
	f, in, kind, err := openSniffed(path, prediction.FileName)
	if err != nil {
		return nil, fmt.Errorf("reading predictions: %w", err)
	}
	defer f.Close()
	switch kind {
	case referenceTable:
		return prediction.ReadReference(in, path)
	case ourPredictions:
		return prediction.Read(in, path)
	}
	docs, err := a.documents(path, kind)
	if err != nil {
		return nil, err
	}
	return eval.FromDocuments(docs), nil
}

// readDocuments reads annotated documents of any format that sniff knows.
func (a *app) readDocuments(paths ...string) ([]corpus.Document, error) {
	var out []corpus.Document
	for _, path := range paths {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			path = filepath.Join(path, corpus.FileName)
		}
		f, _, kind, err := openSniffed(path, "")
		if err != nil {
			return nil, fmt.Errorf("reading documents: %w", err)
		}
		f.Close()
		docs, err := a.documents(path, kind)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

func (a *app) documents(path, kind string) ([]corpus.Document, error) {
	if kind == ourPredictions || kind == referenceTable {
		return nil, &usageError{fmt.Sprintf("%s holds no documents: PubTator, BigBio JSON or %s is expected", path, corpus.FileName)}
	}
	docs, warnings, err := exchange.ReadPath(path, kind, corpus.ReadOptions{Language: "en"})
	a.report(warnings)
	return docs, err
}

// readKB opens a knowledge base: the folder that `import kb` or a run made, or a table.
func (a *app) readKB(path string) (*terminology.KB, error) {
	if rec, err := pipeline.ReadRun(path); err == nil {
		path = filepath.Join(path, rec.KB)
	}
	if _, err := artifact.Open(path); err == nil {
		return terminology.Open(filepath.Join(path, terminology.FileName))
	}
	kb, warnings, err := pipeline.ReadKB(pipeline.KB{Format: "table", Paths: []string{path}}, func(p string) string { return p })
	a.report(warnings)
	return kb, err
}
