package llamacpp_test

import (
	"context"
	"math"
	"os"
	"strconv"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/remote"
)

// TestRealServer runs against a llama-server with any model: SYNCABEL_LLAMA_SERVER is its address, SYNCABEL_LLAMA_VOCAB the size of
// the model's vocabulary.
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
}
