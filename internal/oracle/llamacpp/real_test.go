package llamacpp_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/tokenizer"
)

// TestRealServer runs against a llama-server with any model: SYNCABEL_LLAMA_SERVER is its address, SYNCABEL_LLAMA_VOCAB the size of
// the model's vocabulary, SYNCABEL_LLAMA_MODEL, if set, the same model as a Hugging Face folder.
func TestRealServer(t *testing.T) {
	url := os.Getenv("SYNCABEL_LLAMA_SERVER")
	if url == "" {
		t.Skip("SYNCABEL_LLAMA_SERVER names no llama-server")
	}
	vocab, err := strconv.Atoi(os.Getenv("SYNCABEL_LLAMA_VOCAB"))
	if err != nil {
		t.Fatal("SYNCABEL_LLAMA_VOCAB: ", err)
	}
	p, err := remote.New(remote.Options{URLs: []string{url}, Vocab: vocab, Context: 512, InFlight: 4, Batch: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	says, err := p.Ask(context.Background())
	if err != nil || says.Engine != llamacpp.Name || says.Context == 0 {
		t.Fatalf("%+v, %v", says, err)
	}
	o := llamacpp.New(p)
	probe, err := remote.Check(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", probe)
	rare := oracle.Query{Prefix: []int32{1, 5, 6, 7}, TopK: 5}
	for i := range int32(300) {
		rare.Want = append(rare.Want, (i*7919+11)%int32(vocab))
	}
	got, err := o.Do(context.Background(), []oracle.Query{rare, {Prefix: rare.Prefix, TopK: vocab}})
	if err != nil {
		t.Fatal(err)
	}
	sum, all := 0.0, map[int32]float64{}
	for _, x := range got[1].Top {
		all[x.ID] = x.LogProb
		sum += math.Exp(x.LogProb)
	}
	if math.Abs(sum-1) > 1e-3 {
		t.Errorf("the vocabulary's probabilities sum to %g", sum)
	}
	for i, w := range rare.Want {
		if math.Abs(got[0].Want[i]-all[w]) > 1e-3 {
			t.Errorf("token %d: %g and %g", w, got[0].Want[i], all[w])
		}
	}
	t.Logf("%+v", p.Stats())
	if dir := os.Getenv("SYNCABEL_LLAMA_MODEL"); dir != "" {
		asNative(t, o, dir)
	}
}

// asNative compares with the native engine over the same weights, as a Hugging Face folder.
func asNative(t *testing.T, o *llamacpp.Oracle, dir string) {
	m, err := checkpoint.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := oracle.NewNative(model.NewSession(m, model.SessionOptions{Threads: 1, Nodes: 4096}))
	defer n.Close()
	rng := rand.New(rand.NewPCG(3, 3))
	var queries []oracle.Query
	for range 40 {
		q := oracle.Query{TopK: 10}
		for range 2 + rng.IntN(30) {
			q.Prefix = append(q.Prefix, rng.Int32N(int32(n.Caps().Vocab)))
		}
		queries = append(queries, q)
	}
	want, err := n.Do(context.Background(), queries)
	if err != nil {
		t.Fatal(err)
	}
	for i := range queries { // now for certain tokens, in another order
		for k := range want[i].Top {
			queries[i].Want = append(queries[i].Want, want[i].Top[len(want[i].Top)-1-k].ID)
		}
	}
	got, err := o.Do(context.Background(), queries)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i := range want {
		for k, x := range want[i].Top {
			worst = max(worst, math.Abs(x.LogProb-got[i].Want[len(want[i].Top)-1-k]))
			if y := got[i].Top[k]; x.ID != y.ID && math.Abs(x.LogProb-y.LogProb) > 5e-3 {
				t.Errorf("query %d, place %d: %v natively, %v there", i, k, x, y)
			}
		}
	}
	t.Logf("largest difference from the native engine: %.2g", worst)
	if worst > 5e-3 {
		t.Error("these are other log-probabilities")
	}
	for i := range queries {
		queries[i].Roll, queries[i].Want = 1+i%8, nil
	}
	rollsAsNative(t, o, n, queries)
	keptBack(t, o, n, dir)
}

// both asks the native engine and the server.
func both(t *testing.T, o *llamacpp.Oracle, n *oracle.Native, queries []oracle.Query) (want, got []oracle.Answer) {
	t.Helper()
	want, err := n.Do(context.Background(), queries)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = o.Do(context.Background(), queries); err != nil {
		t.Fatal(err)
	}
	return want, got
}

// rollsAsNative compares what is written ahead, up to where two tokens are about as likely.
func rollsAsNative(t *testing.T, o *llamacpp.Oracle, n *oracle.Native, queries []oracle.Query) {
	t.Helper()
	want, got := both(t, o, n, queries)
	written, worst := 0, 0.0
	for i := range want {
		for k, w := range got[i].Roll {
			v := want[i].Roll[k]
			for j := range w.Top {
				worst = max(worst, math.Abs(w.Top[j].LogProb-v.Top[j].LogProb))
			}
			written++
			if w.Token != v.Token {
				if v.Top[0].LogProb-v.Top[1].LogProb > 5e-3 {
					t.Errorf("query %d writes %d at %d, natively %d", i, w.Token, k, v.Token)
				}
				break
			}
		}
	}
	t.Logf("%d tokens written ahead, largest difference from the native engine: %.2g", written, worst)
	if worst > 5e-3 {
		t.Error("these are other log-probabilities")
	}
}

// keptBack asks for what follows prefixes after which the likeliest token ends within a character. The server sends nothing of it.
func keptBack(t *testing.T, o *llamacpp.Oracle, n *oracle.Native, dir string) {
	t.Helper()
	tok, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 4))
	var queries []oracle.Query
	for range 20_000 {
		q := oracle.Query{Prefix: []int32{rng.Int32N(int32(n.Caps().Vocab)), rng.Int32N(int32(n.Caps().Vocab))}, TopK: 10}
		a, err := n.Do(context.Background(), []oracle.Query{q})
		if err != nil {
			t.Fatal(err)
		}
		if text := tok.Decode([]int32{a[0].Top[0].ID}, false); strings.Contains(text, "\uFFFD") {
			queries = append(queries, q)
		}
	}
	t.Logf("%d prefixes whose likeliest continuation ends within a character", len(queries))
	if len(queries) == 0 {
		return
	}
	want, got := both(t, o, n, queries)
	for i := range want {
		for k, x := range want[i].Top {
			if math.Abs(x.LogProb-got[i].Top[k].LogProb) > 5e-3 {
				t.Errorf("prefix %v, place %d: %v natively, %v there", queries[i].Prefix, k, x, got[i].Top[k])
			}
		}
		queries[i].Roll = 3
	}
	rollsAsNative(t, o, n, queries)
}
