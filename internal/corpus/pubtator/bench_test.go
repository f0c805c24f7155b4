//go:build unix

package pubtator

import (
	"bytes"
	"os"
	"syscall"
	"testing"

	"syncabel/internal/corpus"
)

// BenchmarkRead gives bytes a second of one core on BC5CDR.
func BenchmarkRead(b *testing.B) {
	data, err := os.ReadFile("../../../../shared/bench/bc5cdr/train.pubtator")
	if err != nil {
		b.Skip("the benchmark data is not here")
	}
	b.SetBytes(int64(len(data)))
	start := cpu(b)
	for b.Loop() {
		docs, warnings, err := Read(bytes.NewReader(data), "train", corpus.ReadOptions{Language: "en"})
		if err != nil || len(warnings) > 0 || len(docs) != 500 {
			b.Fatal(len(docs), warnings, err)
		}
	}
	b.ReportMetric(float64(len(data)*b.N)/1e6/(cpu(b)-start), "MB/cpu-s") // what a neighbour on the machine does not change
}

// cpu returns the seconds of processor time that this process has used, garbage collection included.
func cpu(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
