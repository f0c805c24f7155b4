// Package artifact keeps the run folders that stages write: work/<stage>/<name>@<hash>/ with manifest.json written last.
// A folder without a manifest is unfinished, and is resumed or redone; a folder with one is complete and can be reused
// by anyone who asks for the same inputs and options. It is the lowest room of the chain: every stage writes through it.
//
// The hash in a folder's name covers the kind, the format version, all options and the hashes of all inputs, so equal
// names mean equal content. What may differ between runs that give the same bytes (parallelism, progress) is excluded by
// name at the caller, who leaves it out of Options.
package artifact

import (
	"bufio"
	"crypto/rand" // a process's number is no name: in containers every worker is process 1
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ManifestName is the file whose presence makes a folder complete.
const ManifestName = "manifest.json"

// FormatVersion is the version of the manifest itself.
//
//	1  2026-11: first
const FormatVersion = 1

// maxManifest bounds what Open reads: manifests list files and options, never records.
const maxManifest = 64 << 20

// ErrUnfinished marks a folder that has no manifest: its stage was interrupted and must be run again.
var ErrUnfinished = errors.New("unfinished (no manifest)")

// ErrDamaged marks a folder whose files do not match its manifest.
var ErrDamaged = errors.New("damaged")

// A Manifest says what a folder holds and how it came to be.
type Manifest struct {
	Kind     string             `json:"kind"`    // "kb", "corpus", "dataset", "model", "predictions", "evaluation", "report"
	Format   int                `json:"format"`  // FormatVersion
	Program  string             `json:"program"` // version of the program that wrote it
	Seed     uint64             `json:"seed"`
	Key      string             `json:"key"` // hash of kind, options and inputs: the part after @
	Options  json.RawMessage    `json:"options,omitempty"`
	Inputs   map[string]string  `json:"inputs,omitempty"` // name -> hash
	Counts   map[string]int64   `json:"counts,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
	Warnings []Warning          `json:"warnings,omitempty"`
	Files    map[string]File    `json:"files"`
	Times    Times              `json:"times"` // excluded from every hash
}

// A Warning is a fault that did not stop the stage: a kind, how often it happened, and the first few in words.
type Warning struct {
	Kind     string   `json:"kind"`
	Count    int64    `json:"count"`
	Examples []string `json:"examples,omitempty"`
}

// A File is one file of the folder.
type File struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Times say when the stage ran. They are the only part of a folder that differs between two equal runs.
type Times struct {
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
}

// Key returns the hash that names a folder: kind, options and the hashes of the inputs.
func Key(kind string, seed uint64, options any, inputs map[string]string) (string, error) {
	opt, err := json.Marshal(options)
	if err != nil {
		return "", fmt.Errorf("hashing options of %s: %w", kind, err)
	}
	b, err := json.Marshal(struct {
		Kind    string
		Format  int
		Seed    uint64
		Options json.RawMessage
		Inputs  map[string]string
	}{kind, FormatVersion, seed, opt, inputs})
	if err != nil {
		return "", fmt.Errorf("hashing inputs of %s: %w", kind, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6]), nil
}

// A Folder is a run folder that is being written.
type Folder struct {
	Dir      string
	Manifest Manifest
}

// Create makes (or re-enters, when an earlier run was interrupted) the folder dir for a stage and removes nothing: the
// stage decides whether what it finds there can be resumed. Commit completes it.
func Create(dir string, m Manifest) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating run folder: %w", err)
	}
	m.Format = FormatVersion
	if m.Times.Started.IsZero() {
		m.Times.Started = time.Now().UTC()
	}
	return &Folder{Dir: dir, Manifest: m}, nil
}

// Path returns the path of a file inside the folder.
func (f *Folder) Path(elem ...string) string {
	return filepath.Join(append([]string{f.Dir}, elem...)...)
}

// WriteJSON writes v as indented JSON to a file of the folder.
func (f *Folder) WriteJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	return WriteFile(f.Path(name), append(b, '\n'))
}

// Commit hashes every file of the folder and writes the manifest last, atomically.
func (f *Folder) Commit() error {
	files, err := hashTree(f.Dir)
	if err != nil {
		return fmt.Errorf("completing %s: %w", f.Dir, err)
	}
	f.Manifest.Files = files
	f.Manifest.Times.Seconds = time.Since(f.Manifest.Times.Started).Seconds()
	if err := f.WriteJSON(ManifestName, f.Manifest); err != nil {
		return fmt.Errorf("completing %s: %w", f.Dir, err)
	}
	return nil
}

// Open reads the manifest of a complete folder and checks that every file is there with its size. It does not hash:
// Verify does.
func Open(dir string) (*Manifest, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if m.Format > FormatVersion {
		return nil, fmt.Errorf("opening %s: manifest format %d is newer than this program's %d: update syncabel", dir, m.Format, FormatVersion)
	}
	for _, name := range sortedKeys(m.Files) {
		st, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, fmt.Errorf("opening %s: file %s is missing: %w", dir, name, ErrDamaged)
		}
		if st.Size() != m.Files[name].Size {
			return nil, fmt.Errorf("opening %s: file %s has %d bytes, its manifest says %d: %w", dir, name, st.Size(), m.Files[name].Size, ErrDamaged)
		}
	}
	return m, nil
}

func readManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, derr := os.Stat(dir); derr != nil {
			return nil, fmt.Errorf("opening %s: %w", dir, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("opening %s: %w", dir, ErrUnfinished)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", dir, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("reading %s: %w (%v)", path, ErrDamaged, err)
	}
	return &m, nil
}

// Verify opens dir and compares the content of every file with its manifest.
func Verify(dir string) (*Manifest, error) {
	return VerifyBut(dir, func(string) bool { return false })
}

// VerifyBut is Verify without the content of the files that skip names; their sizes are compared.
func VerifyBut(dir string, skip func(name string) bool) (*Manifest, error) {
	m, err := Open(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range sortedKeys(m.Files) {
		if skip(name) {
			continue
		}
		got, err := HashFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, fmt.Errorf("verifying %s: %w", dir, err)
		}
		if got.SHA256 != m.Files[name].SHA256 {
			return nil, fmt.Errorf("verifying %s: the content of %s is not what its manifest says: %w: delete the folder and run the stage again", dir, name, ErrDamaged)
		}
	}
	return m, nil
}

// Hash returns one hash over the content of the folder's files, independent of times.
func (m *Manifest) Hash() string {
	h := sha256.New()
	for _, name := range sortedKeys(m.Files) {
		fmt.Fprintf(h, "%s\x00%s\x00", name, m.Files[name].SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// HashFile returns the size and SHA-256 of a file.
func HashFile(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return File{}, fmt.Errorf("hashing %s: %w", path, err)
	}
	return File{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// HashPath is HashFile for a file, and for a folder the hash over the names and hashes of all its files.
func HashPath(path string) (File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return File{}, err
	}
	if !st.IsDir() {
		return HashFile(path)
	}
	var total File
	h := sha256.New()
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := HashFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(path, p)
		total.Size += f.Size
		fmt.Fprintf(h, "%s\x00%s\x00", filepath.ToSlash(name), f.SHA256)
		return err
	})
	total.SHA256 = hex.EncodeToString(h.Sum(nil))
	return total, err
}

// WriteFile writes data to path by way of a temporary file in the same folder, synced and renamed, so that path is never
// half-written.
func WriteFile(path string, data []byte) error {
	return WriteWith(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteWith is WriteFile for content that is produced piece by piece. Where the system can, the file has no name until it is complete,
// so that not even a killed program leaves a piece of it.
func WriteWith(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	tmp, err := newTemp(path)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			tmp.drop()
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if err = write(tmp.f); err != nil {
		return err
	}
	if err = tmp.f.Sync(); err != nil {
		return err
	}
	return tmp.keep(path)
}

// WriteLines writes a list as JSON, one element a line.
func WriteLines[T any](path string, list []T) error {
	return WriteWith(path, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		for i := range list {
			if err := enc.Encode(&list[i]); err != nil {
				return err
			}
		}
		return b.Flush()
	})
}

// temp is a file on its way to its place.
type temp struct {
	f    *os.File
	name string // empty while it has none
}

func newTemp(path string) (*temp, error) {
	if f, err := unnamed(filepath.Dir(path)); err == nil {
		return &temp{f: f}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp*")
	if err != nil {
		return nil, err
	}
	return &temp{f, f.Name()}, f.Chmod(0o644)
}

func (t *temp) keep(path string) error {
	if t.name == "" {
		t.name = filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp"+rand.Text())
		if err := give(t.f, t.name); err != nil {
			return err
		}
	}
	if err := t.f.Close(); err != nil {
		return err
	}
	return os.Rename(t.name, path)
}

func (t *temp) drop() {
	t.f.Close()
	if t.name != "" {
		os.Remove(t.name)
	}
}

// hashTree hashes every regular file below dir but the manifest and temporary files, which it removes.
func hashTree(dir string) (map[string]File, error) {
	files := map[string]File{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if name == ManifestName {
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") && strings.Contains(d.Name(), ".tmp") {
			return os.Remove(path)
		}
		files[filepath.ToSlash(name)], err = HashFile(path)
		return err
	})
	return files, err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
