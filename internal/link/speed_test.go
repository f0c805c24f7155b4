//go:build unix

package link

import (
	"context"
	"math/rand/v2"
	"testing"

	"syncabel/internal/model"
	"syncabel/internal/oracle"
)

// BenchmarkBeamTrie searches with five beams among twenty thousand names by an untrained model of the preset tiny, whose beams stay
// apart longer than a trained one's. ns/mention is processor time.
func BenchmarkBeamTrie(b *testing.B) {
	tok := inventedTokenizer(b)
	tr := inventedTrie(b, tok, 20_000)
	c, err := model.Preset("tiny", tok.VocabSize())
	if err != nil {
		b.Fatal(err)
	}
	c.BOS, c.EOS = 0, 1
	o := oracle.NewNative(model.NewSession(model.New(c, 1), model.SessionOptions{Nodes: 16384}))
	defer o.Close()
	rng := rand.New(rand.NewPCG(1, 9))
	root, _ := tr.Root("G")
	const batch = 16
	mentions := 0
	start := cpuTime()
	for b.Loop() {
		searches := make([]*search, batch)
		for i := range searches {
			prompt := []int32{0, 5, 6, 7, 8}
			for range 6 {
				prompt = append(prompt, 10+rng.Int32N(1000))
			}
			searches[i] = &search{prompt: prompt, live: []hypothesis{{node: root}}}
		}
		if err := beamTrie(context.Background(), tr, o, searches, 5); err != nil {
			b.Fatal(err)
		}
		mentions += batch
	}
	b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(mentions), "cpu-ns/mention")
}
