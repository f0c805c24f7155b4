package link

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
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

// TestBeamHFOverProtocols: the golden cases of the native oracle hold for servers.
func TestBeamHFOverProtocols(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(hfCases, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		EOS   int32
		Cases []hfCase
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	oracles := map[string]map[string]remote.Engine{}
	for i, c := range file.Cases {
		if i%8 != 0 {
			continue
		}
		if oracles[c.Model] == nil {
			m, err := checkpoint.Load(filepath.Join(hfCases, c.Model))
			if err != nil {
				t.Fatal(err)
			}
			o := oracle.NewNative(model.NewSession(m, model.SessionOptions{Threads: 1}))
			defer o.Close()
			oracles[c.Model] = overProtocols(t, o)
		}
		for name, o := range oracles[c.Model] {
			t.Run(name, func(t *testing.T) { checkHF(t, &c, o, file.EOS) })
		}
	}
}
