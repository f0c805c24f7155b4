package release

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"syncabel/internal/text"
)

// read returns the rows of a table, joined by commas, and the warnings.
func read(t testing.TB, table Table, in string) (rows []string, warnings []text.Warning, err error) {
	t.Helper()
	table.File = "f"
	table.Warn = func(w text.Warning) { warnings = append(warnings, w) }
	err = table.Rows(strings.NewReader(in), func(line int, cells []string) error {
		rows = append(rows, fmt.Sprint(line, ":", strings.Join(cells, ",")))
		return nil
	})
	return rows, warnings, err
}

func TestRows(t *testing.T) {
	bar := Table{Separator: '|', Columns: 2, Closed: true}
	for name, c := range map[string]struct {
		table    Table
		in       string
		rows     string
		warnings string // line and kind
	}{
		"unix":             {bar, "a|b|\nc|d|\n", "1:a,b 2:c,d", ""},
		"windows":          {bar, "a|b|\r\nc|d|\r\n", "1:a,b 2:c,d", ""},
		"no last line end": {bar, "a|b|\nc|d|", "1:a,b 2:c,d", ""},
		"empty lines":      {bar, "a|b|\n\n\r\nc|d|\n", "1:a,b 4:c,d", ""},
		"byte order mark":  {bar, "\ufeffa|b|\n", "1:a,b", ""},
		"empty cells":      {bar, "||\n", "1:,", ""},
		"unescaped bar":    {bar, "a|b|c|\nc|d|\n", "2:c,d", "1 columns"},
		"too few":          {bar, "a|\nc|d|\n", "2:c,d", "1 columns"},
		"broken UTF-8":     {bar, "a|\xff|\nc|d|\n", "2:c,d", "1 utf8"},
		"first row rules":  {Table{Separator: '\t'}, "a\tb\nc\n", "1:a,b", "2 columns"},
		"nothing":          {bar, "", "", ""},
	} {
		for _, chunk := range []int{0, 1, 3} {
			c.table.chunk = chunk
			rows, warnings, err := read(t, c.table, c.in)
			var faults []string
			for _, w := range warnings {
				faults = append(faults, fmt.Sprint(w.Line, " ", w.Kind))
			}
			if got := strings.Join(rows, " "); err != nil || got != c.rows || strings.Join(faults, " ") != c.warnings {
				t.Errorf("%s: %q, %v, %v", name, got, faults, err)
			}
		}
	}
}

// Wherever the pieces end, the rows are those of a plain split.
func TestRowsAgainstSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringMatching(`([a-c]{0,3}(\|[a-c]{0,3}){0,2}\n){0,9}[a-c|]{0,4}`).Draw(t, "in")
		table := Table{Separator: '|', Columns: 2, Warn: func(text.Warning) {}, chunk: rapid.IntRange(1, 9).Draw(t, "chunk")}
		var got, want []string
		if err := table.Rows(strings.NewReader(in), func(line int, c []string) error {
			got = append(got, fmt.Sprint(line, c))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i, l := range strings.Split(in, "\n") {
			if c := strings.Split(l, "|"); len(c) == 2 {
				want = append(want, fmt.Sprint(i+1, c))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestRowsStop(t *testing.T) {
	stop := errors.New("stop")
	table := Table{Separator: '|', chunk: 4}
	if err := table.Rows(strings.NewReader(strings.Repeat("a|b\n", 1000)), func(int, []string) error { return stop }); err != stop {
		t.Error(err)
	}
	_, _, err := read(t, Table{Separator: '|', Columns: 1}, strings.Repeat("x", maxLine+2*chunkSize))
	if err == nil || !strings.HasPrefix(err.Error(), "f:1: a row of more than 16 MB") {
		t.Error(err)
	}
}

// archive writes a zip.
func archive(t testing.TB, files map[string][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, b := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestArchives(t *testing.T) {
	good := archive(t, map[string][]byte{"2026AA/META/MRSTY.RRF": []byte(strings.Repeat("some rows\n", 10_000))})
	sum := func(path string) (n int64, err error) {
		err = Open([]string{path}, func(r *Release) error {
			in, err := r.Parts("MRSTY.RRF")
			if err != nil {
				return err
			}
			defer in.Close()
			n, err = io.Copy(io.Discard, in)
			return err
		})
		return n, err
	}
	if n, err := sum(good); n != 100_000 || err != nil {
		t.Error(n, err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(b []byte) string {
		path := filepath.Join(t.TempDir(), "d.zip")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := slices.Clone(whole)
	flipped[100] ^= 0x40
	for name, path := range map[string]string{"cut off": damaged(whole[:len(whole)/2]), "a bit flipped": damaged(flipped), "no zip": damaged([]byte("text")), "nowhere": "nowhere"} {
		if _, err := sum(path); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestBombs(t *testing.T) {
	bomb := archive(t, map[string][]byte{"MRSTY.RRF": make([]byte, smallFile+1)})
	if err := Open([]string{bomb}, func(*Release) error { return nil }); !errors.Is(err, ErrTooLarge) {
		t.Errorf("zip: %v", err)
	}
	path := filepath.Join(t.TempDir(), "b.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	gz := gzip.NewWriter(f)
	if _, err := gz.Write(make([]byte, 2*smallFile)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(gz.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	err = OpenFile(path, func(r io.Reader, _ string) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("gzip: %v", err)
	}
}

func TestParts(t *testing.T) {
	pack := func(s string) *fstest.MapFile {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return &fstest.MapFile{Data: b.Bytes()}
	}
	// the pieces of one table may lie in several archives
	r := Of(fstest.MapFS{"META/MRCONSO.RRF.ab.gz": pack("two\n")}, fstest.MapFS{"META/MRCONSO.RRF.aa.gz": pack("one\n"), "META/MRCONSO.RRF.doc": pack("no")})
	in, err := r.Parts("MRCONSO.RRF")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(in); string(b) != "one\ntwo\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := r.Parts("MRSTY.RRF"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzRows(f *testing.F) {
	f.Add("a|b|\r\nc|d\n\xff", byte('|'))
	f.Fuzz(func(t *testing.T, in string, separator byte) {
		_, _, _ = read(t, Table{Separator: separator, Closed: true, chunk: 5}, in)
	})
}
