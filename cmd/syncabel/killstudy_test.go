package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestKilledStudy kills a study with signal 9 at moments ever later, until it is done, and compares its report with that of a
// study nobody touched. It takes a minute and runs when SYNCABEL_SLOW is set.
func TestKilledStudy(t *testing.T) {
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("set SYNCABEL_SLOW=1 to kill a study at many points")
	}
	dir := t.TempDir()
	bin := linkBinary(t)
	study := func(name string) *exec.Cmd {
		return exec.Command(bin, "-q", "study", "run", "--out", filepath.Join(dir, name), "--set", "train.tokens=6000", "--set", "seeds=[1]",
			"--set", "study.fractions=[0, 0.5, 1]", "--set", "study.modes=['human_only', 'full']", "--set", "study.sentences=[0]", "../../configs/demo-study.toml")
	}
	if out, err := study("whole").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	kills := 0
	for wait := 50 * time.Millisecond; ; wait += 130 * time.Millisecond {
		c := study("killed")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(wait, func() { c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("after %d kills: %v", kills, err)
		}
		kills++
	}
	t.Logf("killed %d times", kills)
	for _, f := range []string{"study.json", "report/report.json", "report/index.html"} {
		a, err := os.ReadFile(filepath.Join(dir, "whole", f))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "killed", f))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs between the whole and the killed study", f)
		}
	}
	if kills < 5 {
		t.Errorf("only %d kills: too few to say anything", kills)
	}
}
