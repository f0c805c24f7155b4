package internal

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// ranks is the chain: data flows down this list, imports point up it, to a lower rank. A package that is not here has no
// place in the design.
var ranks = map[string]int{
	"text": 0, "artifact": 0, "stat": 0, "kernel": 0, "pgtest": 0,
	"terminology": 1, "terminology/release": 1, "terminology/invented": 1, "lexicon": 1, "tokenizer": 1, "model": 1, "hub": 1,
	"terminology/gazetteer": 2, "terminology/obo": 2, "terminology/umls": 2, "terminology/snomed": 2, "terminology/mesh": 2, "terminology/paper": 2, "terminology/sqlite": 2, "model/checkpoint": 2, "corpus": 2,
	"corpus/pubtator": 3, "corpus/brat": 3, "corpus/bioc": 3, "corpus/bigbio": 3, "corpus/table": 3, "lexical": 3, "markup": 3, "prediction": 3, "trie": 3,
	"synth": 4, "dataset": 4, "ranker": 4, "oracle": 4, "detect": 4, "review": 4, "fhir": 4, "omop": 4,
	"train": 5, "train/torchrun": 6, "link": 5,
	"judge": 4, "eval": 6, "study": 7, "report": 7, "pipeline": 8, "serve": 8, "demo": 9,
	"corpus/annotator": 3, "corpus/cas": 3, "corpus/exchange": 4, "export": 6,
	"oracle/remote": 5, "oracle/mock": 5, "oracle/sglang": 6, "oracle/vllm": 6, "oracle/llamacpp": 6, // the second a server for tests
	"shard": 1, "llm": 0, "llm/fake": 1, // the latter a server for tests
	"kernel/gen": 9, "demo/gen": 9, "terminology/invented/gen": 9, // programs of go generate
}

// sideways are imports between equal ranks that the design allows: everyone may locate errors and write artefacts, and link
// renders its prompts through train so that the two cannot drift apart.
var sideways = map[string]bool{"artifact text": true, "link train": true, "eval prediction": true, "report study": true,
	"llm text": true, "llm artifact": true}

func TestImportsPointUpTheChain(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		rank, ok := ranks[pkg]
		if !ok {
			t.Errorf("package %s has no rank: give it a place in the chain or move its code", pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			to, _ := strconv.Unquote(imp.Path.Value)
			to, own := strings.CutPrefix(to, "syncabel/internal/")
			if !own {
				continue
			}
			if r, ok := ranks[to]; (!ok || r >= rank) && !sideways[pkg+" "+to] {
				t.Errorf("%s (rank %d) imports %s (rank %d): data flows down only", path, rank, to, r)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryRankedPackageExists(t *testing.T) {
	for pkg := range ranks {
		if _, err := os.Stat(pkg); err != nil {
			t.Errorf("ranked package %s does not exist", pkg)
		}
	}
}
