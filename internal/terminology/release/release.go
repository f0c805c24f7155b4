// Package release opens the folders and zips that terminologies are published in and walks the rows of their tables, with bounds on
// what a file may claim and every fault located. The readers of UMLS, SNOMED CT and tables stand on it, at the start of the chain.
package release

import (
	"archive/zip"
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds against archives that grow without end when they are unpacked. The largest release files in use have some tens of GB, and
// pack no better than 1:40.
const (
	maxFile  = 256 << 30
	maxRatio = 300
	// smallFile may pack at any ratio: it does no harm.
	smallFile = 64 << 20
	maxFiles  = 100_000
)

// ErrTooLarge says that an archive claims more than a release can hold.
var ErrTooLarge = errors.New("larger than any release: damaged or malicious archive")

// A Release is what one or several folders and archives hold together.
type Release struct{ roots []fs.FS }

// Of makes a release of open file systems.
func Of(roots ...fs.FS) *Release { return &Release{roots} }

// Open opens folders and zips (also those named .nlm) and calls f with what they hold together.
func Open(paths []string, f func(*Release) error) error {
	r := &Release{}
	for _, p := range paths {
		root, err := openOne(p)
		if err != nil {
			return err
		}
		if c, ok := root.(io.Closer); ok {
			defer c.Close()
		}
		r.roots = append(r.roots, root)
	}
	return f(r)
}

func openOne(name string) (fs.FS, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return os.DirFS(name), nil
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a folder nor a zip: %w", name, err)
	}
	if err := bounded(z.File); err != nil {
		z.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return z, nil
}

// bounded checks what an archive claims; unpacking never gives more than that.
func bounded(files []*zip.File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("%d files: %w", len(files), ErrTooLarge)
	}
	for _, e := range files {
		if size := e.UncompressedSize64; size > maxFile || size > smallFile && size/maxRatio > e.CompressedSize64 {
			return fmt.Errorf("%s unpacks from %d to %d bytes: %w", e.Name, e.CompressedSize64, size, ErrTooLarge)
		}
	}
	return nil
}

// A File is one file of a release.
type File struct {
	Path string
	root fs.FS
}

// Open opens the file.
func (f File) Open() (fs.File, error) { return f.root.Open(f.Path) }

// Find returns the files whose base name matches, by root and path, as vendors' archives have folders of their own.
func (r *Release) Find(match func(base string) bool) ([]File, error) {
	var out []File
	for _, root := range r.roots {
		err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && match(path.Base(p)) {
				out = append(out, File{p, root})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Parts opens a table that lies in one file or, as in the NLM's .nlm archives, in pieces that are compressed one by one:
// MRCONSO.RRF, MRCONSO.RRF.gz, MRCONSO.RRF.aa.gz and so on. It returns fs.ErrNotExist when there is none.
func (r *Release) Parts(base string) (io.ReadCloser, error) {
	files, err := r.Find(func(b string) bool {
		rest, ok := strings.CutPrefix(b, base)
		return ok && (rest == "" || strings.HasPrefix(rest, ".") && strings.HasSuffix(rest, ".gz"))
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s is not there: %w", base, fs.ErrNotExist)
	}
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(path.Base(a.Path), path.Base(b.Path)) })
	if path.Base(files[0].Path) == base {
		return files[0].Open()
	}
	return &parts{files: files}, nil
}

// OpenFile opens one file for f, unpacked if it is a gzip; of a zip, every file in it.
func OpenFile(name string, f func(r io.Reader, base string) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, 1<<16)
	switch head, _ := in.Peek(4); {
	case string(head) == "PK\x03\x04":
		return openZip(name, f)
	case len(head) > 1 && head[0] == 0x1f && head[1] == 0x8b:
		gz, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return f(&bounds{r: gz, packed: file, max: smallFile}, strings.TrimSuffix(path.Base(name), ".gz"))
	}
	return f(in, filepath.Base(name))
}

func openZip(name string, f func(r io.Reader, base string) error) error {
	return Open([]string{name}, func(rel *Release) error {
		files, err := rel.Find(func(base string) bool { return !strings.HasPrefix(base, ".") })
		if err != nil {
			return err
		}
		for _, entry := range files {
			in, err := entry.Open()
			if err != nil {
				return err
			}
			err = f(in, path.Base(entry.Path))
			in.Close()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// bounds ends the reading of a gzip that grows beyond all measure.
type bounds struct {
	r      io.Reader
	packed *os.File
	total  int64
	max    int64 // up to where no question is asked
}

func (b *bounds) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.total += int64(n); b.total > b.max {
		at, serr := b.packed.Seek(0, io.SeekCurrent)
		if serr != nil || b.total/maxRatio > at || b.total > maxFile {
			return n, ErrTooLarge
		}
		b.max = b.total + smallFile
	}
	return n, err
}

// parts reads compressed pieces one after the other.
type parts struct {
	files []File
	file  fs.File
	gz    *gzip.Reader
	total int64
}

func (p *parts) Read(b []byte) (int, error) {
	for {
		if p.gz == nil {
			if len(p.files) == 0 {
				return 0, io.EOF
			}
			if err := p.next(); err != nil {
				return 0, err
			}
		}
		n, err := p.gz.Read(b)
		if p.total += int64(n); p.total > maxFile {
			return n, ErrTooLarge
		}
		if err == io.EOF {
			p.Close()
			p.gz, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (p *parts) next() (err error) {
	if p.file, err = p.files[0].Open(); err != nil {
		return err
	}
	p.files = p.files[1:]
	p.gz, err = gzip.NewReader(p.file)
	return err
}

func (p *parts) Close() error {
	if p.file == nil {
		return nil
	}
	f := p.file
	p.file = nil
	return f.Close()
}
