package artifact

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func finished(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kb@1")
	f, err := Create(dir, Manifest{Kind: "kb", Counts: map[string]int64{"concepts": 3}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrUnfinished) {
		t.Fatalf("before Commit: %v", err)
	}
	if err := f.WriteJSON("a.json", []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFolderLifeCycle(t *testing.T) {
	dir := finished(t)
	m, err := Verify(dir)
	if err != nil || m.Counts["concepts"] != 3 || len(m.Files) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := Open(filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"missing": os.Remove,
		"bytes":   func(p string) error { return os.WriteFile(p, []byte("x"), 0o644) },
		"content": func(p string) error {
			b, err := os.ReadFile(p)
			b[0] ^= 1
			return errors.Join(err, os.WriteFile(p, b, 0o644))
		},
	} {
		dir := finished(t)
		if err := damage(filepath.Join(dir, "a.json")); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "a.json") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFullDiskLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	err := WriteWith(path, func(w io.Writer) error { return syscall.ENOSPC })
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("file holds %q", b)
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("left behind: %v", list)
	}
}

func TestKeyDependsOnEverything(t *testing.T) {
	base, _ := Key("kb", 1, map[string]int{"a": 1}, map[string]string{"in": "x"})
	for name, other := range map[string]func() (string, error){
		"kind":    func() (string, error) { return Key("corpus", 1, map[string]int{"a": 1}, map[string]string{"in": "x"}) },
		"seed":    func() (string, error) { return Key("kb", 2, map[string]int{"a": 1}, map[string]string{"in": "x"}) },
		"options": func() (string, error) { return Key("kb", 1, map[string]int{"a": 2}, map[string]string{"in": "x"}) },
		"inputs":  func() (string, error) { return Key("kb", 1, map[string]int{"a": 1}, map[string]string{"in": "y"}) },
	} {
		if k, err := other(); err != nil || k == base {
			t.Errorf("%s does not change the key", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"kind":"kb","format":1,"files":{"a.json":{"size":1,"sha256":"x"}}}`))
	f.Add([]byte(`{"format":99}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, ManifestName), b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _ = Verify(dir)
	})
}
