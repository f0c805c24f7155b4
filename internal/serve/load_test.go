package serve

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestLoad sends link requests at a fixed rate to a running server and reports times, processor time and memory. It needs
//
//	SYNCABEL_LOAD_URL   address of the server, e.g. http://127.0.0.1:8417
//	SYNCABEL_LOAD_PID   its process
//	SYNCABEL_LOAD_FOR   how long, default 60s
//	SYNCABEL_LOAD_RATE  requests a second, default 300
//
// Requests start on the clock, whether or not earlier ones are answered, so that a slow server cannot slow its own load down.
func TestLoad(t *testing.T) {
	url := os.Getenv("SYNCABEL_LOAD_URL")
	if url == "" {
		t.Skip("set SYNCABEL_LOAD_URL to a running server")
	}
	length, _ := time.ParseDuration(cmp.Or(os.Getenv("SYNCABEL_LOAD_FOR"), "60s"))
	rate, _ := strconv.Atoi(cmp.Or(os.Getenv("SYNCABEL_LOAD_RATE"), "300"))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DialContext: (&net.Dialer{}).DialContext}, Timeout: 10 * time.Second}
	bodies := loadBodies(t)
	var mu sync.Mutex
	var took []time.Duration
	codes := map[int]int{}
	var wg sync.WaitGroup
	var at atomic.Int64
	start, cpu, memory := time.Now(), processor(t), resident(t)
	for n := 0; time.Since(start) < length; n++ {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		wg.Go(func() {
			code := post(client, url+"/api/v1/link", bodies[int(at.Add(1))%len(bodies)])
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
			if code == 200 {
				took = append(took, time.Since(due))
			}
		})
	}
	wg.Wait()
	wall := time.Since(start)
	slices.Sort(took)
	quantile := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
	used := processor(t) - cpu
	t.Logf("%d answered in %.0f s = %.0f/s; codes %v; p50 %v p95 %v p99 %v max %v", len(took), wall.Seconds(), float64(len(took))/wall.Seconds(), codes, quantile(.5), quantile(.95), quantile(.99), took[len(took)-1])
	t.Logf("server: %.2f ms of processor a request, %.0f requests a processor second; resident %d -> %d MB; %d processors, load %s", 1000*used.Seconds()/float64(len(took)), float64(len(took))/used.Seconds(), memory>>20, resident(t)>>20, runtime.NumCPU(), loadAverage())
}

// loadBodies are the marked sentences of the demonstration's test documents: one request each with one mention.
func loadBodies(t *testing.T) [][]byte {
	var out [][]byte
	for _, language := range []string{"en", "fr", "es"} {
		b, err := os.ReadFile("../demo/data/" + language + ".test.pubtator")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(b), "\n") {
			if f := strings.Split(line, "\t"); len(f) >= 6 {
				out = append(out, fmt.Appendf(nil, `{"language":%q,"text":%q}`, language, "["+f[3]+"]{"+f[4]+"}"))
			}
		}
	}
	return out
}

func post(c *http.Client, url string, body []byte) int {
	r, err := c.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0
	}
	defer r.Body.Close()
	io.Copy(io.Discard, r.Body)
	return r.StatusCode
}

// processor returns the processor time of the server's process, resident its memory in bytes.
func processor(t *testing.T) time.Duration {
	f := strings.Fields(proc(t, "stat"))
	user, _ := strconv.Atoi(f[13])
	system, _ := strconv.Atoi(f[14])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func resident(t *testing.T) int64 {
	f := strings.Fields(proc(t, "statm"))
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(syscall.Getpagesize())
}

func proc(t *testing.T, file string) string {
	b, err := os.ReadFile("/proc/" + os.Getenv("SYNCABEL_LOAD_PID") + "/" + file)
	if err != nil {
		t.Skip("no /proc of SYNCABEL_LOAD_PID: ", err)
	}
	return string(b)
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	return string(bytes.TrimSpace(b))
}

// BenchmarkLink is one request after another over the loopback address, without a model.
func BenchmarkLink(b *testing.B) {
	_, url := start(b, options(b))
	for b.Loop() {
		if code := post(http.DefaultClient, url+"/api/v1/link", []byte(`{"text":"[fever]{Findings}"}`)); code != 200 {
			b.Fatal(code)
		}
	}
}
