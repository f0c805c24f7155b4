package main

import (
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"time"

	"syncabel/internal/kernel"
	"syncabel/internal/model"
)

// bandwidth compares decoding one row with bfloat16 weights of 0.3 GB with a plain loop of loads over as much memory. The
// weights of the embedding are not counted on the way in, only as the head.
func bandwidth(threads int) {
	c, err := model.Preset("base", 8192)
	if err != nil {
		log.Fatal(err)
	}
	c.Width, c.Hidden, c.Layers, c.Heads, c.KVHeads, c.HeadWidth = 1024, 2816, 12, 16, 8, 64
	bytes := 0
	f, err := model.NewFrozen(c, func(_ string, rows, cols int) (kernel.Matrix, error) {
		data := make([]byte, 2*rows*cols)
		for i := 0; i < len(data); i += 2 {
			data[i], data[i+1] = byte(rand.Uint32()), 0x3c // about 0.01
		}
		bytes += len(data)
		return kernel.NewMatrix(kernel.BF16, rows, cols, data)
	})
	if err != nil {
		log.Fatal(err)
	}
	s := model.NewFrozenSession(f, model.SessionOptions{Nodes: 256, Threads: threads})
	defer s.Close()
	pool := kernel.NewPool(threads)
	defer pool.Close()
	words := make([]uint64, bytes/8)
	for i := range words {
		words[i] = uint64(i)
	}
	row, logits := []model.Row{{Token: 1}}, make([]float32, c.Vocab)
	read, decode := math.Inf(1), math.Inf(1)
	for range 8 {
		read = min(read, seconds(func() { readAll(pool, words) }))
		decode = min(decode, seconds(func() {
			if err := s.Run(row); err != nil {
				log.Fatal(err)
			}
			s.Logits([]int32{0}, logits)
		}))
	}
	gb := float64(bytes) / 1e9
	fmt.Printf("%.2f GB of bfloat16 weights, %d threads, variant %s: decoding one row reads %.1f GB/s, a plain loop %.1f GB/s, ratio %.2f\n", gb, threads,
		kernel.Variant(), gb/decode, gb/read, read/decode)
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}

var sink uint64

// readAll loads every word once.
func readAll(p *kernel.Pool, words []uint64) {
	const block = 1 << 13
	sums := make([]uint64, len(words)/block)
	p.Begin()
	defer p.End()
	p.For(len(sums), func(i int) {
		var a, b, c, d uint64
		for x := words[i*block : (i+1)*block]; len(x) >= 8; x = x[8:] {
			a, b, c, d = a+x[0]+x[4], b+x[1]+x[5], c+x[2]+x[6], d+x[3]+x[7]
		}
		sums[i] = a + b + c + d
	})
	sink = sums[0]
}
