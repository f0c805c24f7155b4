package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/tokenizer"
)

// hubOf serves a model folder as the hub does.
func hubOf(t *testing.T, dir string) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/models/own/tiny/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		var files []map[string]any
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Error(err)
			}
			files = append(files, map[string]any{"rfilename": e.Name(), "size": len(b), "blobId": fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...)))})
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": strings.Repeat("0", 40), "siblings": files})
	})
	mux.HandleFunc("/api/models/own/busy/revision/main", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.Handle("/own/tiny/resolve/"+strings.Repeat("0", 40)+"/", http.StripPrefix("/own/tiny/resolve/"+strings.Repeat("0", 40)+"/", http.FileServer(http.Dir(dir))))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// TestImportModel: a model is fetched by name and described. pipeline tests what a config makes of such a folder.
func TestImportModel(t *testing.T) {
	dir := t.TempDir()
	tok, _, err := tokenizer.Adapt("../../internal/tokenizer/testdata/hf/qwen2", dir, "<|im_start|>", 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := model.Preset("tiny", tok.VocabSize()+3)
	if err != nil {
		t.Fatal(err)
	}
	c.ModelType, c.Architectures, c.BOS, c.EOS = "qwen2", []string{"Qwen2ForCausalLM"}, -1, 1
	if err := checkpoint.Save(dir, model.New(c, 1)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_ENDPOINT", hubOf(t, dir).URL)
	work := t.TempDir()
	call := func(code int, args ...string) (string, string) {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(context.Background(), args, strings.NewReader(""), &out, &errOut); got != code {
			t.Fatalf("%v: exit %d\n%s%s", args, got, &out, &errOut)
		}
		return out.String(), errOut.String()
	}
	base := filepath.Join(work, "base")
	if out, _ := call(0, "import", "model", "--json", "--out", base, "own/tiny"); !strings.Contains(out, `"kind":"base"`) || !strings.Contains(out, fmt.Sprintf(`"tokens":%d`, tok.VocabSize())) {
		t.Error(out)
	}
	if out, _ := call(0, "inspect", "--json", "--verify", base); !strings.Contains(out, `"parameters":`) {
		t.Error(out)
	}
	if _, e := call(exitPermanent, "import", "model", "--out", base+"2", "own/busy"); !strings.Contains(e, "HF_TOKEN") {
		t.Error(e)
	}
	call(exitUsage, "import", "model", "own/tiny")
}
