package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"syncabel/internal/oracle/mock"
	"syncabel/internal/tokenizer"
)

// uniform finds every token of a vocabulary as likely as any other.
type uniform int

func (v uniform) Row([]int32) []float64 {
	out := make([]float64, v)
	for i := range out {
		out[i] = -math.Log(float64(v))
	}
	return out
}

// TestVerbsAskServers: run asks the server that its config names, link and serve the one that they are told of, and link computes where it is
// told none.
func TestVerbsAskServers(t *testing.T) {
	data, err := filepath.Abs("../../internal/pipeline/testdata/reference")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(data, "model"))
	if err != nil {
		t.Fatal(err)
	}
	m := mock.New(mock.Options{Engine: "vllm", Model: uniform(tok.VocabSize()), Vocab: tok.VocabSize(), MaxTop: 64,
		Tokenize: func(s string) []int32 { return tok.EncodeOrdinary(nil, s) }, Faults: mock.Faults{Busy: 5}})
	h := httptest.NewServer(m)
	defer h.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "c.toml")
	text := "[kb]\nformat = \"table\"\npaths = [\"kb.tsv\"]\n[[corpus]]\nformat = \"jsonl\"\nall = [\"documents.jsonl\"]\n[train]\nreleased = \"model\"\nprompt = \"reference\"\n" +
		"[link]\nmodes = [\"beam-hf\"]\n[link.oracle]\nurls = [\"http://127.0.0.1:1\"]\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run1 := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != want {
			t.Fatalf("%v ends with %d: %s", args, code, errs.String())
		}
		return out.String() + errs.String()
	}
	runDir := filepath.Join(dir, "run")
	run1(exitDone, "run", "-q", "--out", runDir, "--set", "data="+data, "--set", `link.oracle.urls=["`+h.URL+`"]`, config)
	before := m.Prefixes()
	link := []string{"link", "--run", runDir, "--mode", "beam-hf", "--text", "He had [gout]{Disorders}."}
	if out := run1(exitDone, append(link, "--oracle", h.URL)...); !strings.Contains(out, "oracle: vllm") || m.Prefixes() == before {
		t.Errorf("link did not ask the server: %s", out)
	}
	before = m.Prefixes()
	if out := run1(exitDone, append(link, "--oracle", "none")...); strings.Contains(out, "oracle:") || m.Prefixes() != before {
		t.Errorf("link asked the server although it was told to compute: %s", out)
	}
	serveOnce(t, runDir, h.URL)
	if m.Prefixes() == before {
		t.Error("serve did not ask the server")
	}
}

// serveOnce starts serve, links a sentence over HTTP and ends it.
func serveOnce(t *testing.T, runDir, oracle string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int)
	var errs bytes.Buffer
	go func() {
		code := run(ctx, []string{"serve", "-q", "--run", runDir, "--mode", "beam-hf", "--oracle", oracle, "--addr", "127.0.0.1:0"}, strings.NewReader(""), w, &errs)
		w.Close()
		done <- code
	}()
	url, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		stop()
		t.Fatalf("serve ended with %d: %s", <-done, errs.String())
	}
	res, err := http.Post(strings.TrimSpace(url)+"/api/v1/link", "application/json", strings.NewReader(`{"text":"He had [gout]{Disorders}."}`))
	if err == nil {
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || !bytes.Contains(b, []byte(`"code"`)) {
			t.Errorf("%s: %s", res.Status, b)
		}
	} else {
		t.Error(err)
	}
	stop()
	<-done
}
