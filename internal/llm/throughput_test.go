package llm

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"syncabel/internal/llm/fake"
)

// TestMain serves when it is told to: the throughput test runs its server in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("SYNCABEL_FAKE_SERVER") != "" {
		serveForever()
		return
	}
	os.Exit(m.Run())
}

func serveForever() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	latency, _ := time.ParseDuration(os.Getenv("SYNCABEL_FAKE_LATENCY"))
	fmt.Println(l.Addr())
	http.Serve(l, fake.New(fake.Options{Latency: latency}))
}

// startServer runs a fake server in another process and returns its address.
func startServer(t testing.TB, latency time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "SYNCABEL_FAKE_SERVER=1", "SYNCABEL_FAKE_LATENCY="+latency.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + strings.TrimSpace(line)
}

// TestThroughput measures a run with 512 requests in flight against the fake server in another process, and how memory grows:
//
//	SYNCABEL_LLM_REQUESTS=1000000 go test ./internal/llm -run Throughput -v -timeout 30m
func TestThroughput(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SYNCABEL_LLM_REQUESTS"))
	if n == 0 {
		t.Skip("SYNCABEL_LLM_REQUESTS says how many; it is not set")
	}
	url := startServer(t, 20*time.Millisecond)
	j := journal(t, filepath.Join(t.TempDir(), "j"))
	defer j.Close()
	c := client(t, Options{}, Endpoint{URL: url + "/v1", InFlight: 512})
	start := time.Now()
	last, lastDone := start, int64(0)
	run := Run{Client: c, Journal: j, Total: n, Progress: func(s Status) {
		if s.Done%int64(max(n/10, 1)) == 0 {
			now := time.Now()
			t.Logf("%8d answered  %6.0f/s  heap %4d MB  resident %4d MB", s.Done, float64(s.Done-lastDone)/now.Sub(last).Seconds(), heap(), resident())
			last, lastDone = now, s.Done
		}
	}}
	st, err := run.Do(t.Context(), requests(n))
	if err != nil || st.Done != int64(n) {
		t.Errorf("%+v %v", st, err)
	}
	t.Logf("%d requests, 512 in flight, %d processors: %.0f completions/s", n, runtime.GOMAXPROCS(0), float64(n)/time.Since(start).Seconds())
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse >> 20
}

// resident reads the resident set size of this process; 0 where there is no /proc.
func resident() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	pages, _ := strconv.Atoi(f[1])
	return pages * os.Getpagesize() >> 20
}
