package link

import (
	"context"
	"math"
	"net/http/httptest"
	"sync"
	"testing"

	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
)

// rows serves a native oracle's log-probabilities.
type rows struct {
	mu    sync.Mutex
	o     *oracle.Native
	every []int32
}

func newRows(o *oracle.Native) *rows {
	r := &rows{o: o}
	for i := range int32(o.Caps().Vocab) {
		r.every = append(r.every, i)
	}
	return r
}

func (r *rows) Row(prefix []int32) []float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, err := r.o.Do(context.Background(), []oracle.Query{{Prefix: prefix, Want: r.every}})
	if err != nil {
		panic(err)
	}
	return a[0].Want
}

// overProtocols returns an oracle that speaks to a native one through each engine's protocol.
func overProtocols(t testing.TB, o *oracle.Native) map[string]remote.Engine {
	out := map[string]remote.Engine{}
	for _, name := range []string{sglang.Name, vllm.Name, llamacpp.Name} {
		h := httptest.NewServer(mock.New(mock.Options{Engine: name, Model: newRows(o), Vocab: o.Caps().Vocab, Context: o.Caps().Context + 1,
			MaxTop: 64, Faults: mock.Faults{Busy: 7, Reorder: true}}))
		t.Cleanup(h.Close)
		p, err := remote.New(remote.Options{URLs: []string{h.URL}, Model: "toy", Vocab: o.Caps().Vocab, Context: o.Caps().Context, Wait: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		switch name {
		case sglang.Name:
			out[name] = sglang.New(p)
		case vllm.Name:
			out[name] = vllm.New(p)
		default:
			out[name] = llamacpp.New(p)
		}
	}
	return out
}

// TestBeamHFOverProtocols: the golden cases of the native oracle hold for servers, and the certified search, which asks them for rollouts,
// gives what it gives natively.
func TestBeamHFOverProtocols(t *testing.T) {
	file := readHF(t)
	natives, oracles := map[string]*oracle.Native{}, map[string]map[string]remote.Engine{}
	proofs, rounds, natively := 0, 0, 0
	for i, c := range file.Cases {
		if i%8 != 0 {
			continue
		}
		if oracles[c.Model] == nil {
			natives[c.Model] = nativeHF(t, c.Model)
			oracles[c.Model] = overProtocols(t, natives[c.Model])
		}
		for name, o := range oracles[c.Model] {
			t.Run(name, func(t *testing.T) {
				checkHF(t, &c, o, file.EOS)
				if len(c.Names) == 0 {
					return
				}
				for _, mean := range []bool{false, true} {
					n, m := sameProof(t, &c, file.EOS, natives[c.Model], o, mean)
					proofs, rounds, natively = proofs+1, rounds+m, natively+n
				}
			})
		}
	}
	if rounds >= natively {
		t.Errorf("%d proofs took %d rounds, step by step %d", proofs, rounds, natively)
	}
}

// sameProof compares certified searches and returns the rounds of each.
func sameProof(t *testing.T, c *hfCase, eos int32, native, server Oracle, mean bool) (rounds, ahead int) {
	t.Helper()
	tr, at := c.trie(t, eos)
	var best [2]whole
	var n [2]int
	for k, o := range []Oracle{native, server} {
		s, counted := newCertified(o, c.Prompt, at, mean), &countedRounds{Oracle: o}
		if err := certify(context.Background(), tr, counted, []*certifiedSearch{s}, 10_000); err != nil {
			t.Fatal(err)
		}
		best[k], n[k] = s.best, counted.rounds
	}
	if best[0].leaf != best[1].leaf || math.Abs(best[0].score-best[1].score) > looseEnough {
		t.Errorf("%s, mean %v: %+v natively, %+v over the protocol", c.Kind, mean, best[0], best[1])
	}
	return n[0], n[1]
}
