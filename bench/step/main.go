// Command step measures a training step (forward, backward, AdamW) of a Llama-style model of d 256, 6 layers, 4 heads against
// PyTorch and karpathy/llm.c, alternating in one run:
//
//	cd bench && go run ./step [-vocab 4096] [-llmc DIR] [-python /usr/bin/python3,/path/to/venv/bin/python] [-threads 2]
//
// DIR is a checkout of llm.c. A peer that is missing is named and left out. The ratio is the median over rounds of the peer's
// time over ours; above 1 syncabel is faster.
package main

import (
	"bufio"
	_ "embed"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"syncabel/internal/kernel"
	"syncabel/internal/model"
)

//go:embed peer/step_torch.py
var torchSource []byte

//go:embed peer/step_llmc.c
var llmcSource []byte

type shape struct{ vocab, tokens, length, threads int }

func (s shape) args() []string { return strings.Fields(fmt.Sprint(s.vocab, s.tokens, s.length)) }

// A peer is another program that makes one step a line.
type peer struct {
	name string
	in   *bufio.Writer
	out  *bufio.Reader
	ns   []float64
}

func main() {
	var s shape
	flag.IntVar(&s.vocab, "vocab", 4096, "vocabulary")
	flag.IntVar(&s.tokens, "tokens", 2048, "tokens of a step")
	flag.IntVar(&s.length, "length", 128, "tokens of an example")
	flag.IntVar(&s.threads, "threads", runtime.NumCPU(), "threads of all")
	llmc := flag.String("llmc", "", "checkout of karpathy/llm.c")
	pythons := flag.String("python", "/usr/bin/python3", "interpreters with torch")
	rounds := flag.Int("rounds", 5, "alternations")
	flag.Parse()
	dir, err := os.MkdirTemp("", "step")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	peers := append(startTorch(dir, strings.Split(*pythons, ","), s), startLLMC(dir, *llmc, s)...)
	runtime.GOMAXPROCS(s.threads)
	step, params := ours(s)
	var own []float64
	for range *rounds {
		own = append(own, step())
		for _, p := range peers {
			p.ns = append(p.ns, p.step())
			time.Sleep(30 * time.Millisecond) // the peer's threads spin a while
		}
	}
	rate := func(ns []float64) float64 { return float64(s.tokens) / slices.Min(ns) * 1e9 }
	fmt.Printf("d 256, 6 layers, V %d, %d tokens in examples of %d, %d threads, variant %s, best of %d rounds\n", s.vocab, s.tokens, s.length, s.threads, kernel.Variant(), *rounds)
	fmt.Printf("%-44s %7.0f tokens/s  (%.0f GF/s by 6 x parameters)\n", "syncabel", rate(own), rate(own)*6*float64(params)/1e9)
	fmt.Printf("%-44s %.0f M parameters, peak resident memory %s\n", "", float64(params)/1e6, peakMemory())
	for _, p := range peers {
		var r []float64
		for i := range own {
			r = append(r, p.ns[i]/own[i])
		}
		slices.Sort(r)
		fmt.Printf("%-44s %7.0f tokens/s  ratio %.2f (%.2f to %.2f)\n", p.name, rate(p.ns), r[len(r)/2], r[0], r[len(r)-1])
	}
}

// peakMemory is this process's, where the system tells.
func peakMemory() string {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// ours returns a function that makes a step and says its nanoseconds.
func ours(s shape) (func() float64, int) {
	c, err := model.Preset("base", s.vocab)
	if err != nil {
		log.Fatal(err)
	}
	c.Hidden = 704
	m := model.New(c, 1)
	tr := model.NewTrainer(m, model.TrainerOptions{Threads: s.threads})
	b := &model.Batch{}
	for i := range s.tokens {
		if i%s.length == 0 {
			b.Starts = append(b.Starts, int32(i))
		}
		b.Tokens, b.Targets = append(b.Tokens, rand.Int32N(int32(s.vocab))), append(b.Targets, rand.Int32N(int32(s.vocab)))
	}
	step := func() float64 {
		start := time.Now()
		if _, err := tr.Step(b, 1e-3); err != nil {
			log.Fatal(err)
		}
		return float64(time.Since(start))
	}
	step()
	return step, m.Params()
}

func (p *peer) step() float64 {
	var ns float64
	fmt.Fprintln(p.in, "step")
	p.in.Flush()
	if _, err := fmt.Fscan(p.out, &ns); err != nil {
		log.Fatalf("peer %s stopped: %v", p.name, err)
	}
	return ns
}

// start runs a peer and waits for the line with its name; nil when there is none.
func start(what string, cmd *exec.Cmd) []*peer {
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Start()
	if err == nil {
		r := bufio.NewReader(out)
		var name string
		if name, err = r.ReadString('\n'); err == nil {
			return []*peer{{name: strings.TrimSpace(name), in: bufio.NewWriter(in), out: r}}
		}
		cmd.Wait()
	}
	message := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	fmt.Printf("peer %s is absent: %v: %s\n", what, err, message[len(message)-1])
	return nil
}

// startTorch starts every configuration that might be the best: threads of PyTorch, or of the BLAS under it, eager or compiled.
func startTorch(dir string, pythons []string, s shape) (peers []*peer) {
	script := filepath.Join(dir, "step_torch.py")
	if err := os.WriteFile(script, torchSource, 0o600); err != nil {
		log.Fatal(err)
	}
	for _, python := range pythons {
		if python == "" {
			continue
		}
		for _, mode := range []string{"eager", "compile"} {
			for _, threads := range slices.Compact([]int{1, s.threads}) {
				cmd := exec.Command(python, append([]string{script}, append(s.args(), fmt.Sprint(threads), mode)...)...)
				cmd.Env = append(os.Environ(), fmt.Sprint("OPENBLAS_NUM_THREADS=", s.threads/threads), "OMP_WAIT_POLICY=PASSIVE")
				peers = append(peers, start(python+" "+mode, cmd)...)
			}
		}
	}
	return peers
}

func startLLMC(dir, source string, s shape) []*peer {
	if source == "" {
		fmt.Println("peer llm.c is absent: -llmc DIR")
		return nil
	}
	bin := filepath.Join(dir, "step_llmc")
	if err := os.WriteFile(bin+".c", llmcSource, 0o600); err != nil {
		log.Fatal(err)
	}
	cc := exec.Command("cc", "-Ofast", "-march=native", "-fopenmp", "-DOMP", "-I", source, "-o", bin, bin+".c", "-lm")
	if out, err := cc.CombinedOutput(); err != nil {
		fmt.Printf("peer llm.c is absent: %v %.200s\n", err, out)
		return nil
	}
	cmd := exec.Command(bin, append([]string{bin + ".bin"}, s.args()...)...)
	cmd.Env = append(os.Environ(), fmt.Sprint("OMP_NUM_THREADS=", s.threads))
	return start("llm.c", cmd)
}
