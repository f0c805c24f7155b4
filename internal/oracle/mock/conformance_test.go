package mock_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"syncabel/internal/model"
	"syncabel/internal/oracle"
	"syncabel/internal/oracle/llamacpp"
	"syncabel/internal/oracle/mock"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/oracle/sglang"
	"syncabel/internal/oracle/vllm"
)

// toy is the native engine behind the mock's protocols, so that every difference is the protocol's.
type toy struct {
	mu    sync.Mutex
	o     *oracle.Native
	every []int32
	known map[string][]float64
}

func (m *toy) Row(prefix []int32) []float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprint(prefix)
	if row, ok := m.known[key]; ok {
		return row
	}
	a, err := m.o.Do(context.Background(), []oracle.Query{{Prefix: prefix, Want: m.every}})
	if err != nil {
		panic(err)
	}
	m.known[key] = a[0].Want
	return a[0].Want
}

const vocab = 700

func native(t testing.TB) *oracle.Native {
	c, err := model.Preset("tiny", vocab)
	if err != nil {
		t.Fatal(err)
	}
	c.BOS, c.EOS = 0, 1
	o := oracle.NewNative(model.NewSession(model.New(c, 5), model.SessionOptions{Nodes: 4096, Threads: 1}))
	t.Cleanup(o.Close)
	return o
}

func newToy(t testing.TB) *toy {
	m := &toy{o: native(t), known: map[string][]float64{}}
	for i := range int32(vocab) {
		m.every = append(m.every, i)
	}
	return m
}

// client returns the oracle of an engine with one mock server for each set of faults.
func client(t testing.TB, engine string, m mock.Model, opt remote.Options, faults ...mock.Options) (remote.Engine, []*mock.Server) {
	var servers []*mock.Server
	for _, o := range faults {
		o.Engine, o.Model, o.Vocab = engine, m, vocab
		s := mock.New(o)
		h := httptest.NewServer(s)
		t.Cleanup(h.Close)
		servers = append(servers, s)
		opt.URLs = append(opt.URLs, h.URL)
	}
	opt.Vocab, opt.Model, opt.Wait = vocab, "toy", time.Millisecond
	p, err := remote.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	switch engine {
	case sglang.Name:
		return sglang.New(p), servers
	case vllm.Name:
		return vllm.New(p), servers
	}
	return llamacpp.New(p), servers
}

var engines = []string{llamacpp.Name, vllm.Name, sglang.Name}

// questions of a search: a root with many children, nodes with few, none wanted but the most likely.
func questions(n int) []oracle.Query {
	rng := rand.New(rand.NewPCG(7, 7))
	var out []oracle.Query
	for i := range n {
		q := oracle.Query{Prefix: []int32{0}}
		for range 1 + rng.IntN(24) {
			q.Prefix = append(q.Prefix, rng.Int32N(40))
		}
		switch i % 4 {
		case 0:
			for _, k := range rng.Perm(vocab)[:300] {
				q.Want = append(q.Want, int32(k))
			}
		case 1, 2:
			for _, k := range rng.Perm(vocab)[:1+rng.IntN(10)] {
				q.Want = append(q.Want, int32(k))
			}
		}
		if i%4 >= 2 {
			q.TopK = 1 + rng.IntN(20)
		}
		if i%8 > 5 {
			q.Roll = 1 + rng.IntN(6)
		}
		out = append(out, q)
	}
	return out
}

// TestConformance: every engine answers as the native oracle does, without faults and with each.
func TestConformance(t *testing.T) {
	m, queries := newToy(t), questions(60)
	want, err := native(t).Do(context.Background(), queries)
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]mock.Options{
		"none":    {},
		"busy":    {Faults: mock.Faults{Busy: 3}},
		"broken":  {Faults: mock.Faults{Broken: 4}},
		"cut":     {Faults: mock.Faults{Cut: 3}},
		"missing": {Faults: mock.Faults{Missing: 3}},
		"reorder": {Faults: mock.Faults{Reorder: true}},
		"slow":    {Faults: mock.Faults{Slow: 5 * time.Millisecond}},
		"few ids": {MaxIDs: 20},
		"few top": {MaxTop: 20}, // as many as questions of one token want; rollouts of the search want more
		"partial": {Partial: 3},
		"end":     {EOS: 41},
		"key":     {Key: "s3cret"},
	}
	t.Setenv("ORACLE_TEST_KEY", "s3cret")
	for _, e := range engines {
		for name, f := range faults {
			t.Run(e+"/"+name, func(t *testing.T) {
				opt := remote.Options{KeyEnv: "ORACLE_TEST_KEY", Batch: 7, InFlight: 4, Tries: 40} // requests in step can meet the same fault often
				o, _ := client(t, e, m, opt, f)
				got, err := o.Do(context.Background(), queries)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, queries, want, got)
				if name == "none" {
					wholeRolls(t, queries, got)
				}
			})
		}
	}
}

func wholeRolls(t *testing.T, queries []oracle.Query, got []oracle.Answer) {
	t.Helper()
	rolls := 0
	for i, q := range queries {
		if len(got[i].Roll) != q.Roll {
			t.Errorf("query %d: %d tokens of %d were written", i, len(got[i].Roll), q.Roll)
		}
		rolls += q.Roll
	}
	if rolls < 30 {
		t.Errorf("only %d tokens were written", rolls)
	}
}

// TestRollLearnsWidth: rollouts ask for fewer tokens where a server tells no more, and say so by what they hold.
func TestRollLearnsWidth(t *testing.T) {
	m := newToy(t)
	queries := []oracle.Query{{Prefix: []int32{0, 5}, TopK: remote.RollTop, Roll: 3}}
	want, err := native(t).Do(context.Background(), queries)
	if err != nil {
		t.Fatal(err)
	}
	o, servers := client(t, vllm.Name, m, remote.Options{}, mock.Options{MaxTop: 20})
	for range 2 {
		got, err := o.Do(context.Background(), queries)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, queries, want, got)
		if n := len(got[0].Roll[2].Top); n != 16 {
			t.Errorf("%d tokens a position", n)
		}
	}
	if n := servers[0].Requests(); n != 5 { // 128, 64, 32, 16, and 16 again
		t.Errorf("%d requests", n)
	}
}

// epsilon: servers send 32-bit floats.
const epsilon = 1e-5

func compare(t *testing.T, queries []oracle.Query, want, got []oracle.Answer) {
	t.Helper()
	for i := range want {
		if len(want[i].Want) != len(got[i].Want) || len(want[i].Top) != len(got[i].Top) {
			t.Fatalf("query %d %+v: %d and %d answers, %d and %d are wanted", i, queries[i], len(got[i].Want), len(got[i].Top), len(want[i].Want), len(want[i].Top))
		}
		for k, lp := range want[i].Want {
			if math.Abs(lp-got[i].Want[k]) > epsilon {
				t.Fatalf("query %d: token %d has %g instead of %g", i, queries[i].Want[k], got[i].Want[k], lp)
			}
		}
		compareTop(t, i, want[i].Top, got[i].Top)
		compareRoll(t, i, want[i].Roll, got[i].Roll)
	}
}

func compareTop(t *testing.T, query int, want, got []oracle.Token) {
	t.Helper()
	for k, y := range got {
		x := want[k]
		if d := math.Abs(x.LogProb - y.LogProb); d > epsilon {
			t.Fatalf("query %d: place %d is %v instead of %v", query, k, y, x)
		}
	}
}

// compareRoll takes what an engine wrote as far as it told of it.
func compareRoll(t *testing.T, query int, want, got []oracle.Written) {
	t.Helper()
	if (len(want) == 0) != (len(got) == 0) || len(got) > len(want) {
		t.Fatalf("query %d: %d tokens written instead of %d", query, len(got), len(want))
	}
	for k, y := range got {
		if y.Token != want[k].Token || len(y.Top) < 1 || len(y.Top) > len(want[k].Top) {
			t.Fatalf("query %d: token %d written is %d with %d likely ones, instead of %d with %d", query, k, y.Token, len(y.Top), want[k].Token, len(want[k].Top))
		}
		compareTop(t, query, want[k].Top, y.Top)
	}
}

// TestReplicas: a prefix and its continuations stay on one replica, a dead one's work is done by the others.
func TestReplicas(t *testing.T) {
	m, queries := newToy(t), questions(60)
	want, err := native(t).Do(context.Background(), queries)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		o, servers := client(t, e, m, remote.Options{Batch: 5}, mock.Options{}, mock.Options{Faults: mock.Faults{Down: true}}, mock.Options{})
		got, err := o.Do(context.Background(), queries)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, queries, want, got)
		if servers[0].Prefixes() == 0 || servers[2].Prefixes() == 0 {
			t.Errorf("%s: %d and %d prefixes: one replica had nothing to do", e, servers[0].Prefixes(), servers[2].Prefixes())
		}
		long := queries[0].Prefix
		for len(long) < 20 {
			long = append(long, 3)
		}
		if p := o.Pool(); p.Route(long) != p.Route(append(slices.Clone(long), 9, 9)) {
			t.Errorf("%s: a continuation goes elsewhere", e)
		}
	}
}

// TestFailures end with what the caller must know: whether trying again makes sense.
func TestFailures(t *testing.T) {
	m := newToy(t)
	tests := map[string]struct {
		server mock.Options
		query  oracle.Query
		want   error
	}{
		"down":     {mock.Options{Faults: mock.Faults{Down: true}}, oracle.Query{Prefix: []int32{1}, Want: []int32{2}}, remote.ErrUnavailable},
		"busy":     {mock.Options{Faults: mock.Faults{Busy: 1}}, oracle.Query{Prefix: []int32{1}, Want: []int32{2}}, remote.ErrUnavailable},
		"too long": {mock.Options{Context: 4}, oracle.Query{Prefix: []int32{1, 1, 1, 1}, Want: []int32{2}}, remote.ErrRefused},
		"no key":   {mock.Options{Key: "x"}, oracle.Query{Prefix: []int32{1}, Want: []int32{2}}, remote.ErrRefused},
		"missing":  {mock.Options{Faults: mock.Faults{Missing: 1}}, oracle.Query{Prefix: []int32{1}, Want: []int32{2, 3}}, remote.ErrProtocol},
	}
	for _, e := range engines {
		for name, c := range tests {
			t.Run(e+"/"+name, func(t *testing.T) {
				o, _ := client(t, e, m, remote.Options{Tries: 3}, c.server)
				if _, err := o.Do(context.Background(), []oracle.Query{c.query}); !errors.Is(err, c.want) {
					t.Errorf("%v instead of %v", err, c.want)
				}
			})
		}
	}
}

func TestCancelledAtOnce(t *testing.T) {
	m := newToy(t)
	for _, e := range engines {
		o, _ := client(t, e, m, remote.Options{}, mock.Options{Faults: mock.Faults{Slow: 300 * time.Millisecond}})
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if _, err := o.Do(ctx, questions(4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", e, err)
		}
		cancel()
	}
}

// cutter is a toy tokenizer: a token a byte, moved by shift.
type cutter struct{ shift int32 }

func (c cutter) EncodeOrdinary(dst []int32, s string) []int32 {
	for _, b := range []byte(s) {
		dst = append(dst, int32(b)+c.shift)
	}
	return dst
}

func (c cutter) tokenize(s string) []int32 { return c.EncodeOrdinary(nil, s) }

// TestProbe measures the noise of batches and refuses other tokenizers and what are no raw log-probabilities.
func TestProbe(t *testing.T) {
	m := newToy(t)
	for _, e := range engines {
		o, _ := client(t, e, m, remote.Options{}, mock.Options{Noise: 0.01, Tokenize: cutter{}.tokenize})
		p, err := remote.Check(context.Background(), o, cutter{})
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if p.Epsilon < 0.009 || p.Epsilon > 0.021 || p.Tokenizer != "same" || p.Engine != e {
			t.Errorf("%+v", p)
		}
		if p, err = remote.Check(context.Background(), mustClient(t, e, m, mock.Options{}), cutter{}); err != nil || p.Tokenizer != "unchecked" || p.Epsilon > epsilon {
			t.Errorf("%s: %+v, %v", e, p, err)
		}
		if _, err = remote.Check(context.Background(), mustClient(t, e, m, mock.Options{Tokenize: cutter{1}.tokenize}), cutter{}); !errors.Is(err, remote.ErrRefused) {
			t.Errorf("%s: another tokenizer: %v", e, err)
		}
		if _, err = remote.Check(context.Background(), mustClient(t, e, m, mock.Options{Noise: 0.3}), nil); !errors.Is(err, remote.ErrProtocol) {
			t.Errorf("%s: noise: %v", e, err)
		}
	}
}

func mustClient(t *testing.T, engine string, m mock.Model, opt mock.Options) remote.Engine {
	o, _ := client(t, engine, m, remote.Options{}, opt)
	return o
}

// TestSharedRequests: questions that fit share requests.
func TestSharedRequests(t *testing.T) {
	m := newToy(t)
	var queries []oracle.Query
	for i := range int32(32) {
		queries = append(queries, oracle.Query{Prefix: []int32{0, i}, Want: []int32{i, i + 1, i + 2}})
	}
	for _, e := range engines {
		o, servers := client(t, e, m, remote.Options{}, mock.Options{})
		if _, err := o.Do(context.Background(), queries); err != nil {
			t.Fatal(err)
		}
		if n := servers[0].Requests(); n != 1 && e != llamacpp.Name || n > 2 {
			t.Errorf("%s: %d requests for 32 questions", e, n)
		}
		if s := o.Pool().Stats(); s.Rounds != 1 || s.Queries != 32 || s.Requests != int64(servers[0].Requests()) {
			t.Errorf("%s: %+v", e, s)
		}
	}
}
