package dataset

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestEmbeddingEndpoint talks to a server that is busy once, answers out of order, and fails in the ways servers do.
func TestEmbeddingEndpoint(t *testing.T) {
	asked, mode := 0, "good"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var in struct {
			Model string
			Input []string
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/embeddings" || in.Model != "m" || r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("%v %s %+v", err, r.URL, in)
		}
		var data []string
		for i := len(in.Input) - 1; i >= 0; i-- {
			data = append(data, fmt.Sprintf(`{"index":%d,"embedding":[%d,1]}`, i, len(in.Input[i])))
		}
		switch mode {
		case "short":
			data = data[1:]
		case "denied":
			w.WriteHeader(http.StatusUnauthorized)
		case "broken":
			data = []string{"{"}
		}
		fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(data, ","))
	}))
	defer srv.Close()
	t.Setenv("EMBEDDING_KEY", "k")
	e := EmbeddingEndpoint{URL: srv.URL + "/v1/", Model: "m", KeyEnv: "EMBEDDING_KEY", Batch: 2}
	got, err := e.Embed(t.Context(), []string{"a", "bbb", "cc"})
	if err != nil || len(got) != 3 || got[1][0] != 3 || got[2][0] != 2 || asked != 3 {
		t.Error(got, err, asked)
	}
	for _, mode = range []string{"short", "denied", "broken"} {
		if _, err := e.Embed(t.Context(), []string{"a", "b"}); err == nil {
			t.Errorf("%s: no error", mode)
		}
	}
}
