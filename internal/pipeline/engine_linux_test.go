package pipeline

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKillEndsEngine: an engine that was started here ends with this program, however that ends.
func TestKillEndsEngine(t *testing.T) {
	if os.Getenv("SYNCABEL_TEST_OWNER") != "" {
		own(t)
		return
	}
	owner := exec.Command(os.Args[0], "-test.run=^TestKillEndsEngine$")
	owner.Env = append(os.Environ(), "SYNCABEL_TEST_OWNER=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	engine, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !lives(engine) {
		t.Fatalf("no engine %q: %v", line, err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	owner.Wait()
	for until := time.Now().Add(10 * time.Second); lives(engine); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the engine outlives its owner")
		}
	}
}

// own starts an engine, says its number, and waits to be killed.
func own(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	endWithUs(cmd)
	if _, err := watch(cmd, io.NopCloser(nil)); err != nil {
		t.Fatal(err)
	}
	fmt.Println(cmd.Process.Pid)
	time.Sleep(time.Minute)
}

// lives reports whether a process is there and more than a record that nobody has read.
func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}
