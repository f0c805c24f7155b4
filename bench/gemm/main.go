// Command gemm measures kernel.Gemm against OpenBLAS and gonum, alternating in one run:
//
//	cd bench && go run ./gemm [-threads 1] [-variant avx512|avx2|go] [-rounds 7] [-shapes step|all] [-cores SkylakeX,Zen]
//
// It compiles a small C program with the system's cc and -lopenblas, once for every core type asked for; without them it
// says so and measures syncabel alone. A ratio is the peer's fastest call over our fastest, of all rounds, against whichever
// core type was fastest on that shape; above 1 syncabel is faster. The fastest call is what a busy machine disturbs least.
package main

import (
	"bufio"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"syncabel/internal/kernel"
)

// A shape is m, n, k of a product.
type shape [3]int

// stepShapes are products of a training step: the rows of docs/results.md.
var stepShapes = []shape{{64, 64, 64}, {128, 128, 128}, {256, 256, 256}, {512, 192, 192}, {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048},
	{512, 768, 192}, {512, 192, 768}, {2048, 256, 256}, {2048, 1024, 256}, {2048, 256, 1024}, {4096, 768, 768}, {4096, 3072, 768}, {2048, 8192, 256},
	{1024, 32768, 512}}

// A contender multiplies and says how long the fastest of some calls took.
type contender struct {
	name    string
	measure func(op kernel.Op, s shape, calls int) time.Duration
}

func main() {
	threads := flag.Int("threads", 1, "threads of both")
	variant := flag.String("variant", "", "instruction set: avx512, avx2, go; empty for the best")
	rounds := flag.Int("rounds", 7, "alternations")
	only := flag.String("only", "", "one shape, as 512x768x192")
	cores := flag.String("cores", "SkylakeX,Cooperlake,Zen", "core types of OpenBLAS to try")
	gonum := flag.Bool("gonum", false, "compare with gonum's blas32 instead of OpenBLAS")
	flag.Parse()
	if err := kernel.SetVariant(*variant); err != nil {
		log.Fatal(err)
	}
	runtime.GOMAXPROCS(*threads)
	pool := kernel.NewPool(*threads)
	defer pool.Close()
	peers := []contender{{"gonum", measureGonum}}
	if !*gonum {
		dir, err := os.MkdirTemp("", "gemm")
		if err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(dir)
		peers = openblas(dir, strings.Split(*cores, ","), *threads)
	}
	shapes := stepShapes
	if *only != "" {
		var s shape
		if _, err := fmt.Sscanf(*only, "%dx%dx%d", &s[0], &s[1], &s[2]); err != nil {
			log.Fatalf("shape %q: %v", *only, err)
		}
		shapes = []shape{s}
	}
	fmt.Printf("variant %s, %d threads\n%-16s %24s %24s %24s\n", kernel.Variant(), *threads, "m x n x k", "NN", "NT", "TN")
	compare(own(pool), peers, shapes, *rounds, *threads)
}

// compare prints a table of GF/s and ratios, and their geometric means.
func compare(us contender, peers []contender, shapes []shape, rounds, threads int) {
	var logs [3]float64
	worst := math.Inf(1)
	for _, s := range shapes {
		fmt.Printf("%-16s", fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2]))
		for op := kernel.NN; op <= kernel.TN; op++ {
			ratio, mine, theirs, who := duel(us, peers, op, s, rounds, threads)
			logs[op] += math.Log(ratio)
			worst = min(worst, ratio)
			fmt.Printf("  %6.1f/%6.1f %5.2f %.4s", mine, theirs, ratio, who)
		}
		fmt.Println()
	}
	if len(peers) == 0 {
		return
	}
	n := float64(len(shapes))
	fmt.Printf("geometric mean: NN %.3f  NT %.3f  TN %.3f  all %.3f; worst %.2f\n", math.Exp(logs[0]/n), math.Exp(logs[1]/n), math.Exp(logs[2]/n),
		math.Exp((logs[0]+logs[1]+logs[2])/(3*n)), worst)
}

// duel alternates and returns the ratio of the fastest calls and both GF/s.
func duel(us contender, peers []contender, op kernel.Op, s shape, rounds, threads int) (ratio, mine, theirs float64, who string) {
	flops := 2 * float64(s[0]) * float64(s[1]) * float64(s[2])
	calls := min(max(int(4e8/flops), 1), 200) + threads - 1
	own, other := math.Inf(1), make([]float64, len(peers))
	for range rounds {
		own = min(own, float64(us.measure(op, s, calls)))
		for i, p := range peers {
			ns := float64(p.measure(op, s, calls))
			if other[i] == 0 || ns < other[i] {
				other[i] = ns
			}
			if threads > 1 {
				time.Sleep(25 * time.Millisecond) // OpenBLAS's threads spin that long
			}
		}
	}
	ratio = math.Inf(1)
	for i, p := range peers {
		if r := other[i] / own; r < ratio {
			ratio, theirs, who = r, flops/other[i], p.name
		}
	}
	return ratio, flops / own, theirs, who
}

func randoms(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = rand.Float32()*2 - 1
	}
	return x
}

// operands keeps the matrices of the last shape.
type operands struct {
	s       shape
	a, b, c []float32
}

func (o *operands) prepare(s shape) {
	if o.s != s {
		*o = operands{s, randoms(s[0] * s[2]), randoms(s[1] * s[2]), randoms(s[0] * s[1])}
	}
}

func leads(op kernel.Op, s shape) (lda, ldb int) {
	switch op {
	case kernel.NT:
		return s[2], s[2]
	case kernel.TN:
		return s[0], s[1]
	}
	return s[2], s[1]
}

func own(pool *kernel.Pool) contender {
	var o operands
	return contender{"syncabel", func(op kernel.Op, s shape, calls int) time.Duration {
		o.prepare(s)
		lda, ldb := leads(op, s)
		pool.Begin()
		defer pool.End()
		multiply := func() { kernel.Gemm(pool, op, false, s[0], s[1], s[2], o.a, lda, o.b, ldb, o.c, s[1]) }
		for start := time.Now(); pool.Threads() > 1 && time.Since(start) < 10*time.Millisecond; {
			multiply() // until parked workers are awake
		}
		return fastest(calls, multiply)
	}}
}

func fastest(calls int, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for range calls + 1 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

var gonumOperands operands

func measureGonum(op kernel.Op, s shape, calls int) time.Duration {
	o := &gonumOperands
	o.prepare(s)
	ta, tb := blas.NoTrans, blas.NoTrans
	a, b := blas32.General{Rows: s[0], Cols: s[2], Stride: s[2], Data: o.a}, blas32.General{Rows: s[2], Cols: s[1], Stride: s[1], Data: o.b}
	switch op {
	case kernel.NT:
		tb, b = blas.Trans, blas32.General{Rows: s[1], Cols: s[2], Stride: s[2], Data: o.b}
	case kernel.TN:
		ta, a = blas.Trans, blas32.General{Rows: s[2], Cols: s[0], Stride: s[0], Data: o.a}
	}
	return fastest(calls, func() {
		blas32.Gemm(ta, tb, 1, a, b, 0, blas32.General{Rows: s[0], Cols: s[1], Stride: s[1], Data: o.c})
	})
}

//go:embed peer/openblas.c
var peerSource []byte

// openblas starts one peer for every core type, or says why there is none.
func openblas(dir string, cores []string, threads int) []contender {
	bin := filepath.Join(dir, "openblas")
	if err := os.WriteFile(bin+".c", peerSource, 0o600); err != nil {
		log.Fatal(err)
	}
	if out, err := exec.Command("cc", "-O2", "-o", bin, bin+".c", "-lopenblas").CombinedOutput(); err != nil {
		fmt.Printf("peer OpenBLAS is absent (apt-get install gcc libopenblas-dev): %v %s\n", err, out)
		return nil
	}
	var peers []contender
	for _, core := range cores {
		cmd := exec.Command(bin)
		cmd.Env = append(os.Environ(), "OPENBLAS_CORETYPE="+core, fmt.Sprint("OPENBLAS_NUM_THREADS=", threads))
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			log.Fatal(err)
		}
		r := bufio.NewReader(out)
		name, _ := r.ReadString('\n')
		peers = append(peers, contender{strings.TrimSpace(name), func(op kernel.Op, s shape, calls int) time.Duration { return ask(in, r, op, s, calls) }})
	}
	return peers
}

func ask(in io.Writer, out *bufio.Reader, op kernel.Op, s shape, calls int) time.Duration {
	var ns int64
	fmt.Fprintln(in, int(op), s[0], s[1], s[2], calls)
	if _, err := fmt.Fscan(out, &ns); err != nil {
		log.Fatalf("the OpenBLAS peer stopped: %v", err)
	}
	return time.Duration(ns)
}
