package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = `
name = "x"
[kb]
paths = ["kb.tsv"]
[[corpus]]
train = ["a"]
[[corpus]]
train = ["b"]
[train]
tokens = 5
noisy = 1.5
[[model]]
name = "one"
[[model]]
name = "two"
noisy = 0
`

func TestModelsInherit(t *testing.T) {
	c, err := ParseConfig([]byte(sample), "x.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Models[0].Tokens != 5 || c.Models[0].Noisy != 1.5 || c.Models[1].Noisy != 0 || c.Models[1].Tokens != 5 {
		t.Errorf("%+v", c.Models)
	}
	if c.Link.Split != "test" || len(c.Seeds) != 1 {
		t.Errorf("defaults: %+v", c)
	}
}

func TestSet(t *testing.T) {
	c, err := ParseConfig([]byte(sample), "x.toml", []string{"train.tokens=7", "seeds=[1, 2]", "link.expand=true", "link.group_map.Disease=Disorders",
		"corpus.1.language=fr", "model.0.noisy=2.5", "name=y z"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Train.Tokens != 7 || len(c.Seeds) != 2 || !c.Link.Expand || c.Link.GroupMap["Disease"] != "Disorders" || c.Corpus[1].Language != "fr" ||
		c.Corpus[0].Language != "" || c.Models[0].Noisy != 2.5 || c.Models[1].Tokens != 7 || c.Name != "y z" {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"tokens", "train.tokns=1", "corpus.9.language=fr", "train.tokens=many", "name.x=1"} {
		if _, err := ParseConfig([]byte(sample), "x.toml", []string{bad}); err == nil {
			t.Errorf("--set %s succeeded", bad)
		}
	}
}

// Members of one seed are not another's, and what cannot be averaged says so.
func TestMembers(t *testing.T) {
	if _, err := ParseConfig([]byte(sample), "x.toml", []string{"train.members=3", "seeds=[7, 1, 4]"}); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]string{{"train.members=3", "seeds=[1, 3]"}, {"train.members=-1"}, {"train.members=2", `link.oracle.urls=["http://127.0.0.1:1"]`}} {
		if _, err := ParseConfig([]byte(sample), "x.toml", bad); err == nil || !strings.Contains(err.Error(), "train.members") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// With refit the development documents are training documents, and nobody can take them for a test.
func TestRefit(t *testing.T) {
	docs := func(refit string) (train, dev, test int) {
		cfg, err := LoadConfig("../demo/data/demo.toml", []string{"refit=" + refit})
		if err != nil {
			t.Fatal(err)
		}
		r := &runner{ctx: t.Context(), cfg: cfg, opt: Options{Out: t.TempDir(), Log: t.Logf}}
		d, err := r.prepare()
		if err != nil {
			t.Fatal(err)
		}
		defer d.k.Close()
		return len(d.train), len(d.dev), len(d.test)
	}
	train, dev, test := docs("false")
	all, none, same := docs("true")
	if dev == 0 || all != train+dev || none != 0 || same != test {
		t.Errorf("%d, %d, %d documents, refitted %d, %d, %d", train, dev, test, all, none, same)
	}
	if _, err := ParseConfig([]byte(sample), "x.toml", []string{"refit=true", "link.split=dev"}); err == nil || !strings.Contains(err.Error(), "refit") {
		t.Errorf("development documents that were trained on are linked: %v", err)
	}
}

// Every config that is shipped decodes.
func TestShippedConfigs(t *testing.T) {
	paths, err := filepath.Glob("../../configs/*.toml")
	if err != nil || len(paths) < 6 {
		t.Fatalf("%v %v", paths, err)
	}
	for _, p := range append(paths, "../demo/data/demo.toml") {
		if _, err := LoadConfig(p, nil); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(sample, "train.tokens=7")
	f.Fuzz(func(t *testing.T, s, setting string) {
		if strings.HasPrefix(setting, "data=") {
			return
		}
		_, _ = ParseConfig([]byte(s), "x", []string{setting})
	})
}

func TestOutFolderIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	r := &runner{opt: Options{Out: dir}}
	if err := r.checkOut(); err != nil {
		t.Errorf("empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.doc"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.checkOut(); err == nil {
		t.Error("a folder with other files was taken")
	}
}

// Two commands do not write into one folder; when the first is done, or killed, the next goes on.
func TestOutFolderIsOneCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	claim := func() (func(), error) { return (&runner{opt: Options{Out: dir}}).claim() }
	release, err := claim()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("claimed twice: %v", err)
	}
	release()
	again, err := claim()
	if err != nil {
		t.Fatal(err)
	}
	again()
}
