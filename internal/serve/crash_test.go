package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"syncabel/internal/pgtest"
	"syncabel/internal/review"
	"syncabel/internal/text"
)

// TestMain lets the test binary be the server that TestKilled kills.
func TestMain(m *testing.M) {
	if where := os.Getenv("SERVE_REVIEW_STORE"); where != "" {
		if err := crashServer(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// crashServer serves the review of a store until it is killed.
func crashServer(where string) error {
	kb, err := example()
	if err != nil {
		return err
	}
	store, err := review.Open(context.Background(), where)
	if err != nil {
		return err
	}
	s, err := New(Options{KB: kb, Linkers: []Linker{nil}, Store: store})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return s.Serve(context.Background(), l, nil, time.Second)
}

const writers = 1000

// Kill -9 in the middle of a thousand concurrent decisions: every decision that was acknowledged is in the store, none twice.
func TestKilled(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		where := filepath.Join(t.TempDir(), "review.db")
		killed(t, where, func() {})
	})
	t.Run("postgres", func(t *testing.T) {
		if os.Getenv("SYNCABEL_SLOW") == "" {
			t.Skip("set SYNCABEL_SLOW=1 to start a PostgreSQL server")
		}
		pg := pgtest.Start(t)
		killed(t, pg.DSN, func() { pg.Crash(t); pg.Up(t) }) // the database loses its power as well
	})
}

// killed starts a server, writes, kills it while it answers, and reads the store again.
func killed(t *testing.T, where string, between func()) {
	store, err := review.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	var items []review.Item
	for i := range writers {
		items = append(items, review.Item{ID: fmt.Sprint(i), Queue: review.Uncertain, Text: "fever", Spans: []text.Span{{End: 5}}, Mention: "fever", Group: "Findings", Code: "X"})
	}
	if _, err := store.Add(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	store.Close()
	cmd, url := serverProcess(t, where)
	acknowledged := decideAll(t, cmd, url)
	between()
	store, err = review.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log, err := store.Log(t.Context(), 0, 10*writers)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]int{}
	for _, d := range log {
		have[d.Item]++
	}
	for item := range acknowledged {
		if have[item] != 1 {
			t.Errorf("decision on item %s was acknowledged and is %d times in the log", item, have[item])
		}
	}
	t.Logf("%d of %d acknowledged when the server was killed, %d in the log", len(acknowledged), writers, len(log))
	if len(acknowledged) == 0 || len(acknowledged) == writers {
		t.Error("the server was not killed in the middle")
	}
}

func serverProcess(t *testing.T, where string) (*exec.Cmd, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env, cmd.Stderr = append(os.Environ(), "SERVE_REVIEW_STORE="+where), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(url)
}

// decideAll sends all decisions at once, kills the server when a third is acknowledged, and returns which were.
func decideAll(t *testing.T, cmd *exec.Cmd, url string) map[string]bool {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers}, Timeout: 30 * time.Second}
	var done atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	acknowledged := map[string]bool{}
	for i := range writers {
		wg.Go(func() {
			for { // a server that is full says so at once
				resp, err := client.Post(url+"/api/v1/review/decisions", "application/json", strings.NewReader(fmt.Sprintf(`{"item":"%d","reviewer":"ana","action":"accept","request":"%d"}`, i, i)))
				if err != nil {
					return // killed
				}
				var d review.Decision
				err = json.NewDecoder(resp.Body).Decode(&d)
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusServiceUnavailable {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				if resp.StatusCode == 200 && err == nil && d.Seq > 0 {
					mu.Lock()
					acknowledged[d.Item] = true
					mu.Unlock()
					if done.Add(1) == writers/3 {
						cmd.Process.Kill()
					}
				}
				return
			}
		})
	}
	wg.Wait()
	return acknowledged
}
