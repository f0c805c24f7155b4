package main

import (
	"encoding/json"
	"fmt"
	"os"

	"syncabel/internal/report"
	"syncabel/internal/shard"
)

type shardSimulateCmd struct {
	Costs    string  `help:"TOML file of costs; default: the built-in ones, see --inputs." type:"existingfile" placeholder:"FILE"`
	Inputs   bool    `help:"Print the file of costs instead, every figure with its source."`
	Mentions float64 `help:"Mentions to link." default:"1e9"`
	Shards   int     `help:"Shards of the plan." default:"1000"`
	Workers  []int   `help:"Numbers of workers." default:"1,2,4,8,16,32,64,128,256,512"`
	Seed     uint64  `help:"Of speeds and kills." default:"1"`
	Format   string  `help:"text, markdown or json." enum:"text,markdown,json" default:"text"`
}

// Help shows an example.
func (shardSimulateCmd) Help() string {
	return `Time, cost and what binds, for each kind of worker and each number of them: the queue of shards is played through with starts, reading from shared
storage, unequal workers, kills with what they lose, and planning and merging by one process. Nothing is run.

Example:
  syncabel shard simulate --inputs > costs.toml
  syncabel shard simulate --costs costs.toml --mentions 2e8 --shards 400 --workers 16,64`
}

// Run simulates.
func (c *shardSimulateCmd) Run(a *app) error {
	b := shard.DefaultCosts
	if c.Costs != "" {
		var err error
		if b, err = os.ReadFile(c.Costs); err != nil {
			return fmt.Errorf("reading costs: %w", err)
		}
	}
	costs, err := shard.ReadCosts(b)
	if err != nil {
		return err
	}
	if c.Inputs {
		_, err := a.out.Write(b)
		return err
	}
	for i := range costs.Workers {
		w := &costs.Workers[i]
		var list []shard.Outcome
		for _, n := range c.Workers {
			if n < 1 || c.Shards < 1 || !(c.Mentions > 0) {
				return &usageError{"mentions, shards and workers must be above 0"}
			}
			list = append(list, costs.Simulate(w, c.Mentions, c.Shards, n, c.Seed))
		}
		if err := c.print(a, w.Name, list); err != nil {
			return err
		}
	}
	return nil
}

func (c *shardSimulateCmd) print(a *app, name string, list []shard.Outcome) error {
	if c.Format == "json" {
		return json.NewEncoder(a.out).Encode(map[string]any{"worker": name, "outcomes": list})
	}
	t := report.Table{Head: []string{"workers", "hours", "worker hours", "cost", "kills", "linking", "binds, then"}}
	for _, o := range list {
		first, second := o.Binds()
		t.Rows = append(t.Rows, []string{fmt.Sprint(o.Workers), fmt.Sprintf("%.1f", o.Hours), fmt.Sprintf("%.0f", o.Paid), fmt.Sprintf("%.0f", o.Cost), fmt.Sprint(o.Kills),
			fmt.Sprintf("%.0f %%", 100*o.Share[shard.BindsCompute]), fmt.Sprintf("%s, %s %.0f %%", first, second, 100*o.Share[second])})
	}
	text, err := t.Render(c.Format)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s: %.3g mentions in %d shards\n\n%s\n", name, c.Mentions, c.Shards, text)
	return err
}
