package shard

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func defaultCosts(t *testing.T) *Costs {
	t.Helper()
	c, err := ReadCosts(DefaultCosts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSimulation holds the simulation against what can be computed by hand.
func TestSimulation(t *testing.T) {
	c := defaultCosts(t)
	c.Kills.Value, c.Spread.Value = 0, 0
	w := &WorkerCosts{Mention: Figure{Value: 10}, Start: Figure{Value: 5}, Reads: Figure{Value: 2}, Chunk: Figure{Value: 100}, Price: Figure{Value: 2}}
	const mentions, shards = 1e6, 10
	serial := mentions * (c.Input.Value/c.Plan.Value + c.Output.Value/c.Merge.Value) / 1e6
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	one := c.Simulate(w, mentions, shards, 1, 1)
	near("one worker", one.Hours*3600, 10*(5+2/c.Single.Value+1000)+serial)
	near("its cost", one.Cost, 2*10*(5+2/c.Single.Value+1000)/3600)
	// Ten at once read 2 GB each from a storage that serves 5 GB a second: the last waits 4 s, longer than its own line takes.
	near("ten workers", c.Simulate(w, mentions, shards, 10, 1).Hours*3600, 5+10*2/c.Shared.Value+1000+serial)
	// Of three workers one takes four shards, 7 s of start and reading and 1,000 s each.
	near("three workers", c.Simulate(w, mentions, shards, 3, 1).Share[BindsTail]*c.Simulate(w, mentions, shards, 3, 1).Hours*3600, 2*1007/3.0)

	c.Kills.Value, c.Restart.Value = 1, 0 // an hour between kills: 10,000 s of work are hit about three times, with the seed
	k := c.Simulate(w, mentions, shards, 1, 1)
	near("killed", k.Hours*3600, one.Hours*3600+float64(k.Kills)*(7+0.5))
	if k.Kills == 0 {
		t.Error("nobody was killed")
	}
	for _, o := range []Outcome{one, k} {
		sum := 0.0
		for _, s := range o.Share {
			sum += s
		}
		near("shares", sum, 1)
	}
}

func TestReadCosts(t *testing.T) {
	for _, bad := range []string{"", "x = 1", "input_bytes = { value = -1 }", string(DefaultCosts) + "\n[[worker]]\nname = \"n\""} {
		if _, err := ReadCosts([]byte(bad)); err == nil {
			t.Errorf("%.40q passed", bad)
		}
	}
	for _, w := range defaultCosts(t).Workers {
		for _, f := range []Figure{w.Mention, w.Start, w.Reads, w.Chunk, w.Price} {
			if f.Source == "" {
				t.Errorf("%s: a figure without its source", w.Name)
			}
		}
	}
}

// TestSimulatedBillion keeps the published table: a billion mentions in a thousand shards, by the built-in costs.
func TestSimulatedBillion(t *testing.T) {
	var b bytes.Buffer
	c := defaultCosts(t)
	for i := range c.Workers {
		fmt.Fprintln(&b, c.Workers[i].Name)
		for n := 1; n <= 512; n *= 2 {
			o := c.Simulate(&c.Workers[i], 1e9, 1000, n, 1)
			first, second := o.Binds()
			fmt.Fprintf(&b, "%4d %7.1f h %6.0f worker hours %6.0f kills %3d %s %.0f %%, %s %.0f %%\n", n, o.Hours, o.Paid, o.Cost, o.Kills, first, 100*o.Share[first], second, 100*o.Share[second])
		}
	}
	golden := filepath.Join("testdata", "billion.txt")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s differs from what is simulated (%v); -update writes it", golden, err)
	}
}
