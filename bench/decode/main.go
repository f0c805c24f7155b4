// Command decode measures prefill and decoding against llama.cpp in float32 on the same shape (d 256, 6 layers, V 8192),
// alternating in one run:
//
//	cd bench && go run ./decode -llama DIR [-threads 2]
//
// DIR holds llama.cpp v0.4.0 as the npm package @node-llama-cpp/linux-x64 3.21.1 ships it (bins/linux-x64), with links
// libllama.so and libggml.so to the versioned files; libffi must be installed. Without it syncabel is measured alone. A ratio
// is the peer's time over ours, the median over rounds. With -bandwidth it compares decoding with a loop that reads memory.
package main

import (
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"syncabel/internal/kernel"
	"syncabel/internal/model"
)

// A job is a number of prompts to read, or of rows to decode one token each after a shared prompt.
type job struct {
	name          string
	prompts, rows int
}

var jobs = []job{{"prefill 64", 1, 0}, {"prefill 8x64", 8, 0}, {"decode 1 row", 0, 1}, {"decode 5 rows", 0, 5}, {"decode 20 rows", 0, 20}}

const prompt = 64 // tokens

// An engine does jobs; rest is called outside the measurement.
type engine interface {
	rest(j job)
	do(j job)
}

func main() {
	threads := flag.Int("threads", runtime.NumCPU(), "threads of both")
	libs := flag.String("llama", "", "folder with llama.cpp's libraries")
	rounds := flag.Int("rounds", 9, "alternations")
	onlyBandwidth := flag.Bool("bandwidth", false, "compare decoding with bfloat16 weights with a loop that reads memory, and nothing else")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	if *onlyBandwidth {
		bandwidth(*threads)
		return
	}
	c, err := model.Preset("base", 8192)
	if err != nil {
		log.Fatal(err)
	}
	c.Hidden, c.Context = 704, 1024
	us, them := newOurs(c, *threads), newLlama(*libs, c, *threads)
	fmt.Printf("d 256, 6 layers, V 8192, float32, %d threads, variant %s, best of %d rounds\n", *threads, kernel.Variant(), *rounds)
	for _, j := range jobs {
		var a, b, r []float64
		for range *rounds {
			a = append(a, fastest(us, j))
			if them != nil {
				b = append(b, fastest(them, j))
				r = append(r, b[len(b)-1]/a[len(a)-1])
			}
		}
		tokens := float64(j.prompts*prompt + j.rows)
		fmt.Printf("%-15s syncabel %7.3f ms %8.0f tokens/s", j.name, slices.Min(a)/1e6, tokens/slices.Min(a)*1e9)
		if them != nil {
			slices.Sort(r)
			fmt.Printf("   llama.cpp %7.3f ms %8.0f tokens/s   ratio %.2f (%.2f to %.2f)", slices.Min(b)/1e6, tokens/slices.Min(b)*1e9, r[len(r)/2], r[0], r[len(r)-1])
		}
		fmt.Println()
	}
}

// fastest is the best of some calls, in nanoseconds.
func fastest(e engine, j job) float64 {
	best := math.Inf(1)
	for range 6 {
		e.rest(j)
		start := time.Now()
		e.do(j)
		best = min(best, float64(time.Since(start)))
	}
	return best
}

type ours struct {
	s      *model.Session
	rows   []model.Row
	nodes  []int32
	logits []float32
}

func newOurs(c model.Config, threads int) *ours {
	return &ours{s: model.NewSession(model.New(c, 1), model.SessionOptions{Nodes: 1024, Threads: threads}), logits: make([]float32, 20*c.Vocab)}
}

// rest lays out the rows: a prompt's tokens one after the other, or rows that fork from a prompt that is there.
func (o *ours) rest(j job) {
	o.rows, o.nodes = o.rows[:0], o.nodes[:0]
	path := make([]int32, 0, prompt)
	for p := range max(j.prompts, 1) {
		path = path[:0:0]
		for i := range prompt {
			node := int32(p*prompt + i)
			o.rows = append(o.rows, model.Row{Token: int32(i + 7*p), Pos: int32(i), Node: node, Path: slices.Clone(path)})
			path = append(path, node)
		}
		o.nodes = append(o.nodes, path[prompt-1])
	}
	if j.rows == 0 {
		return
	}
	o.do(j)
	o.rows, o.nodes = o.rows[:0], o.nodes[:0]
	for i := range j.rows {
		o.rows = append(o.rows, model.Row{Token: int32(i + 100), Pos: prompt, Node: int32(prompt + i), Path: path})
		o.nodes = append(o.nodes, int32(prompt+i))
	}
}

func (o *ours) do(job) {
	if err := o.s.Run(o.rows); err != nil {
		log.Fatal(err)
	}
	o.s.Logits(o.nodes, o.logits)
}

type peer struct {
	ctx   llama.Context
	mem   llama.Memory
	batch llama.Batch
	vocab int
}

func newLlama(libs string, c model.Config, threads int) engine {
	if libs == "" {
		fmt.Println("peer llama.cpp is absent: -llama DIR")
		return nil
	}
	dir, err := os.MkdirTemp("", "decode")
	check(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "random.gguf")
	check(writeGGUF(path, c))
	check(llama.Load(libs))
	llama.LogSet(llama.LogSilent())
	llama.Init()
	llama.GGMLBackendLoadAllFromPath(libs)
	m, err := llama.ModelLoadFromFile(path, llama.ModelDefaultParams())
	check(err)
	p := llama.ContextDefaultParams()
	p.NCtx, p.NBatch, p.NUbatch, p.NSeqMax, p.NThreads, p.NThreadsBatch = 1024, 1024, 1024, 32, int32(threads), int32(threads)
	p.TypeK, p.TypeV, p.KVUnified = llama.GGMLTypeF32, llama.GGMLTypeF32, 1
	ctx, err := llama.InitFromModel(m, p)
	check(err)
	mem, err := llama.GetMemory(ctx)
	check(err)
	fmt.Println(llama.PrintSystemInfo())
	return &peer{ctx, mem, llama.BatchInit(1024, 0, 32), c.Vocab}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func (p *peer) rest(j job) {
	check(llama.MemoryClear(p.mem, true))
	p.prompts(max(j.prompts, 1))
	if j.rows == 0 {
		return
	}
	p.do(j)
	check(p.batch.Clear())
	for i := range j.rows {
		if i > 0 {
			check(llama.MemorySeqCp(p.mem, 0, llama.SeqId(i), -1, -1))
		}
		check(p.batch.Add(llama.Token(i+100), prompt, []llama.SeqId{llama.SeqId(i)}, true))
	}
}

func (p *peer) prompts(n int) {
	check(p.batch.Clear())
	for s := range n {
		for i := range prompt {
			check(p.batch.Add(llama.Token(i+7*s), llama.Pos(i), []llama.SeqId{llama.SeqId(s)}, i == prompt-1))
		}
	}
}

func (p *peer) do(job) {
	_, err := llama.Decode(p.ctx, p.batch)
	check(err)
	_, err = llama.GetLogitsIth(p.ctx, -1, p.vocab)
	check(err)
}
