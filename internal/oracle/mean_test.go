package oracle_test

import (
	"math"
	"slices"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/oracle"
)

const vocab = 300

func native(t *testing.T, seed uint64, nodes int) *oracle.Native {
	c, err := model.Preset("tiny", vocab)
	if err != nil {
		t.Fatal(err)
	}
	c.BOS, c.EOS = 0, 1
	return oracle.NewNative(model.NewSession(model.New(c, seed), model.SessionOptions{Nodes: nodes, Threads: 1}))
}

// The mean of three models is that of their probabilities, for wanted tokens, for the likeliest, which none of them need find likely, and for
// what is written ahead.
func TestMean(t *testing.T) {
	m := oracle.Mean{native(t, 1, 512), native(t, 2, 512), native(t, 3, 64)}
	defer m.Close()
	every := make([]int32, vocab)
	for i := range every {
		every[i] = int32(i)
	}
	row := func(prefix []int32) []float64 {
		sum := make([]float64, vocab)
		for _, n := range m {
			a, err := n.Do(t.Context(), []oracle.Query{{Prefix: prefix, Want: every}})
			if err != nil {
				t.Fatal(err)
			}
			for i, lp := range a[0].Want {
				sum[i] += math.Exp(lp) / 3
			}
		}
		return sum
	}
	near := func(p, lp float64) bool { return math.Abs(math.Log(p)-lp) < 1e-9 }
	queries := []oracle.Query{{Prefix: []int32{0}, Want: []int32{7, 3}}, {Prefix: []int32{0, 5}, Want: []int32{9}, TopK: 4}, {Prefix: []int32{0, 8}, Want: []int32{2}, TopK: 3, Roll: 3}}
	got, err := m.Do(t.Context(), queries)
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range queries {
		p := row(q.Prefix)
		if len(got[i].Want) != len(q.Want) {
			t.Fatalf("query %d: %d of %d wanted tokens", i, len(got[i].Want), len(q.Want))
		}
		for j, w := range q.Want {
			if !near(p[w], got[i].Want[j]) {
				t.Errorf("query %d, token %d: %g, want %g", i, w, got[i].Want[j], math.Log(p[w]))
			}
		}
	}
	likeliest := func(top []oracle.Token, p []float64, k int) {
		sorted := slices.Sorted(slices.Values(p))
		if len(top) != k {
			t.Fatalf("%d likeliest of %d", len(top), k)
		}
		for j, x := range top {
			if !near(p[x.ID], x.LogProb) || p[x.ID] != sorted[vocab-1-j] {
				t.Errorf("likeliest %d: %+v, %g", j, x, sorted[vocab-1-j])
			}
		}
	}
	likeliest(got[1].Top, row(queries[1].Prefix), 4)
	prefix := queries[2].Prefix
	if len(got[2].Roll) != 3 {
		t.Fatalf("%d tokens written of 3", len(got[2].Roll))
	}
	for _, w := range got[2].Roll {
		likeliest(w.Top, row(prefix), 3)
		prefix = append(prefix, w.Token)
	}
	if _, err := m.Do(t.Context(), []oracle.Query{{Prefix: make([]int32, 65)}}); err == nil {
		t.Error("a prefix longer than the smallest member reads is refused")
	}
	if c := m.Caps(); c.Vocab != vocab || !c.Exact {
		t.Errorf("%+v", c)
	}
}
