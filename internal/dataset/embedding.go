package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// An EmbeddingEndpoint is an OpenAI-compatible server of embeddings (vLLM, llama.cpp, ollama, hosted).
type EmbeddingEndpoint struct {
	URL    string // base, e.g. http://127.0.0.1:8000/v1
	Model  string
	KeyEnv string // environment variable that holds the key; empty: none
	Batch  int    // texts a request; default 128
	Tries  int    // of a request that the server was too busy for; default 5
}

// maxEmbeddings bounds one answer: 128 vectors of 8,192 numbers in decimal.
const maxEmbeddings = 64 << 20

// Embed asks for the vectors of texts, batch by batch.
func (e EmbeddingEndpoint) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	size, out := e.Batch, make([][]float32, 0, len(texts))
	if size == 0 {
		size = 128
	}
	for len(texts) > 0 {
		n := min(size, len(texts))
		list, err := e.patiently(ctx, texts[:n])
		if err != nil {
			return nil, err
		}
		out, texts = append(out, list...), texts[n:]
	}
	return out, nil
}

// errBusy is an answer after which the same request may succeed.
var errBusy = errors.New("the server is busy")

// patiently repeats a request while the server is busy, waiting longer each time.
func (e EmbeddingEndpoint) patiently(ctx context.Context, texts []string) ([][]float32, error) {
	tries := e.Tries
	if tries == 0 {
		tries = 5
	}
	for wait := time.Second; ; wait *= 2 {
		list, err := e.request(ctx, texts)
		if tries--; !errors.Is(err, errBusy) || tries <= 0 {
			return list, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (e EmbeddingEndpoint) request(ctx context.Context, texts []string) ([][]float32, error) {
	body, err := json.Marshal(map[string]any{"model": e.Model, "input": texts, "encoding_format": "float"})
	if err != nil {
		return nil, err
	}
	url := strings.TrimRight(e.URL, "/") + "/embeddings"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if e.KeyEnv != "" {
		req.Header.Set("Authorization", "Bearer "+os.Getenv(e.KeyEnv))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxEmbeddings))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the answer of %s: %w", url, err)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		return nil, fmt.Errorf("asking %s: %s: %w", url, res.Status, errBusy)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("asking %s: %s: %.200s", url, res.Status, b)
	}
	return vectors(b, len(texts), url)
}

// vectors puts the vectors of an answer into the order of the texts. An answer that lacks one is an error.
func vectors(b []byte, n int, url string) ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", url, err)
	}
	out := make([][]float32, n)
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= n || len(d.Embedding) == 0 {
			return nil, fmt.Errorf("%s answered with vector %d of %d numbers to %d texts", url, d.Index, len(d.Embedding), n)
		}
		out[d.Index] = d.Embedding
	}
	for i, v := range out {
		if v == nil || len(v) != len(out[0]) {
			return nil, fmt.Errorf("%s gave no vector, or one of another length, for text %d of %d", url, i, n)
		}
	}
	return out, nil
}
