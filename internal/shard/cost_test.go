//go:build unix

package shard

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkPlanMerge reports the megabytes that planning reads and merging writes in a second of processor time: what one process
// does before and after all workers.
func BenchmarkPlanMerge(b *testing.B) {
	in, dir := writeInput(b, 1_000_000), b.TempDir()
	p, err := Make([]string{in}, 64, 1<<20, nil, "test")
	if err != nil {
		b.Fatal(err)
	}
	whole := func(_ context.Context, lines []Line) (rows []byte, _ []Fault, _ error) {
		for _, l := range lines {
			rows = append(append(rows, l.Text...), '\n')
		}
		return rows, nil, nil
	}
	for id := range p.Shards {
		if _, err := (&Worker{Plan: p, Dir: dir, Do: whole}).Run(context.Background(), id); err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]func() error{
		"plan":  func() error { _, err := Make([]string{in}, 64, 200, nil, "test"); return err },
		"merge": func() error { _, err := p.Merge(dir, filepath.Join(dir, "out"), ""); return err },
	} {
		b.Run(name, func(b *testing.B) {
			before := processorTime(b)
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(p.Inputs[0].Size)/1e6*float64(b.N)/(processorTime(b)-before).Seconds(), "MB/cpu-s")
		})
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Skip("no processor time here: ", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
