package exchange

import (
	"archive/zip"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/bigbio"
	"syncabel/internal/corpus/brat"
	"syncabel/internal/corpus/cas"
	"syncabel/internal/text"
)

// maxExpanded bounds what a gzipped file or the files of a zip may expand to: eight gigabytes are twice the largest corpus we
// know of; a bomb has no end.
const maxExpanded = 8 << 30

// ReadPath reads a corpus: a file, which may be gzipped, or for brat and cas also a folder or a zip. The files of format table are
// beside their texts unless opt.Texts says otherwise.
func ReadPath(name, format string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	if _, err := Lookup(format); err != nil {
		return nil, nil, err
	}
	switch format {
	case "brat":
		var docs []corpus.Document
		var warnings []text.Warning
		err := openFS(name, func(fsys fs.FS) (err error) {
			docs, warnings, err = brat.Read(fsys, opt)
			return err
		})
		return docs, warnings, err
	case "cas-xmi", "cas-json":
		return readCAS(name, format, opt)
	case "bigbio-parquet":
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return nil, nil, err
		}
		return bigbio.ReadParquet(f, st.Size(), filepath.Base(name), opt)
	case "table", "csv":
		if opt.Texts == nil {
			var err error
			if opt.Texts, err = OpenTexts(filepath.Dir(name)); err != nil {
				return nil, nil, err
			}
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	in, base, err := expand(f, filepath.Base(name))
	if err != nil {
		return nil, nil, &text.SyntaxError{File: base, Msg: err.Error()}
	}
	return read(in, format, base, opt)
}

// OpenTexts opens what holds the texts of a table's documents: a folder of .txt files, or a corpus in PubTator format, whose annotations
// are passed over.
func OpenTexts(name string) (corpus.Texts, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return os.DirFS(name).(fs.ReadFileFS), nil // as its documentation promises
	}
	docs, _, err := ReadPath(name, "pubtator", corpus.ReadOptions{})
	if err != nil {
		return nil, err
	}
	out := texts{}
	for i := range docs {
		out[docs[i].ID+".txt"] = docs[i].Text
	}
	return out, nil
}

// texts are documents' texts by name.
type texts map[string]string

// ReadFile returns a text.
func (t texts) ReadFile(name string) ([]byte, error) {
	s, ok := t[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(s), nil
}

// expand unpacks a gzipped file, recognised by its first bytes, and drops the ending .gz of its name.
func expand(f *os.File, name string) (io.Reader, string, error) {
	var magic [2]byte
	if n, err := f.ReadAt(magic[:], 0); n < 2 || magic != [2]byte{0x1f, 0x8b} {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, name, err
		}
		return f, name, nil
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
	return &bounded{r: z, left: maxExpanded}, strings.TrimSuffix(name, ".gz"), err
}

// errTooLarge ends the reading of what expands without end.
var errTooLarge = fmt.Errorf("expands to more than %d bytes", int64(maxExpanded))

// bounded fails, where io.LimitReader would end quietly.
type bounded struct {
	r    io.Reader
	left int64
}

// Read reads until the bound.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// openFS opens a folder or a zip whose files do not expand to more than maxExpanded.
func openFS(name string, f func(fs.FS) error) error {
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return f(os.DirFS(name))
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return fmt.Errorf("%s is neither a folder nor a zip: %w", name, err)
	}
	defer z.Close()
	var total uint64
	for _, x := range z.File {
		if total += x.UncompressedSize64; total > maxExpanded {
			return fmt.Errorf("%s: %w", name, errTooLarge)
		}
	}
	return f(z)
}

// readCAS reads one file, or every file of a folder or zip with the format's ending.
func readCAS(name, format string, opt corpus.ReadOptions) ([]corpus.Document, []text.Warning, error) {
	one, ending := cas.ReadXMI, ".xmi"
	if format == "cas-json" {
		one, ending = cas.ReadJSON, ".json"
	}
	if lower := strings.ToLower(name); strings.HasSuffix(lower, ending) || strings.HasSuffix(lower, ".xml") {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		d, warnings, err := one(f, filepath.Base(name), opt)
		return []corpus.Document{d}, warnings, err
	}
	var docs []corpus.Document
	var warnings []text.Warning
	err := openFS(name, func(fsys fs.FS) error {
		return fs.WalkDir(fsys, ".", func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || strings.ToLower(path.Ext(p)) != ending {
				return err
			}
			f, err := fsys.Open(p)
			if err != nil {
				return err
			}
			defer f.Close()
			d, w, err := one(f, p, opt)
			docs, warnings = append(docs, d), append(warnings, w...)
			return err
		})
	})
	if err == nil && len(docs) == 0 {
		err = fmt.Errorf("%s holds no file that ends in %s: %w", name, ending, fs.ErrNotExist)
	}
	return docs, warnings, err
}

// casFiles hands over a file a document, and the type system of XMI.
func casFiles(format string, docs []corpus.Document, opt corpus.WriteOptions, file func(name, content string) error) ([]text.Warning, error) {
	write, ending := cas.WriteXMI, ".xmi"
	if format == "cas-json" {
		write, ending = cas.WriteJSON, ".json"
	}
	var warnings []text.Warning
	seen := map[string]bool{}
	for i := range docs {
		name, err := corpus.FileOf(docs[i].ID)
		if err == nil && seen[name] {
			err = fmt.Errorf("two documents are called %q", docs[i].ID)
		}
		if err != nil {
			return nil, fmt.Errorf("writing CAS: %w", err)
		}
		seen[name] = true
		var b strings.Builder
		w, err := write(&b, docs[i:i+1], opt)
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, w...)
		if err := file(name+ending, b.String()); err != nil {
			return nil, err
		}
	}
	if format == "cas-xmi" {
		return warnings, file("TypeSystem.xml", cas.TypeSystem())
	}
	return warnings, nil
}

// WritePath writes a corpus to a file or, for brat, cas and table, to a folder: .ann or CAS files and texts.
func WritePath(name, format string, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	file := func(n, content string) error {
		return artifact.WriteFile(filepath.Join(name, n), []byte(content))
	}
	switch {
	case strings.HasSuffix(name, ".zip"):
	case format == "brat":
		return brat.Files(docs, opt, file)
	case format == "cas-xmi" || format == "cas-json":
		return casFiles(format, docs, opt, file)
	case format == "table":
		for i := range docs {
			n := docs[i].ID + ".txt"
			if !fs.ValidPath(n) {
				return nil, fmt.Errorf("writing texts: document ID %q is no file name", docs[i].ID)
			}
			if err := file(n, docs[i].Text); err != nil {
				return nil, err
			}
		}
		name = filepath.Join(name, "mentions.tsv")
	}
	var warnings []text.Warning
	err := artifact.WriteWith(name, func(w io.Writer) (err error) {
		warnings, err = Write(w, format, docs, opt)
		return err
	})
	return warnings, err
}
