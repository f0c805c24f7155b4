package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// meter shows progress: a bar on a terminal, one plain line every 30 seconds elsewhere.
type meter struct {
	mu      sync.Mutex
	w       io.Writer
	quiet   bool
	tty     bool
	stage   string
	started time.Time
	last    time.Time
	first   int64 // work that was done before, by a resumed run
	drawn   bool
	extra   string // shown behind the rate
}

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 30 * time.Second
	barWidth  = 30
)

func newMeter(w io.Writer, quiet bool) *meter {
	f, ok := w.(*os.File)
	return &meter{w: w, quiet: quiet, tty: ok && term.IsTerminal(int(f.Fd()))}
}

// note sets what is shown behind the rate of the stage at hand.
func (m *meter) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.extra = s
}

// progress notes that done of total units of a stage are finished.
func (m *meter) progress(stage string, done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quiet {
		return
	}
	now := time.Now()
	if stage != m.stage {
		m.stage, m.started, m.last, m.first, m.extra = stage, now, now, done, ""
	}
	every := lineEvery
	if m.tty {
		every = barEvery
	}
	if now.Sub(m.last) < every && (done < total || total == 0) {
		return
	}
	if !m.tty && done == total && now.Sub(m.started) < lineEvery {
		return
	}
	m.last = now
	m.show(done, total, now.Sub(m.started))
}

// rows notes how many rows of a file of unknown length are read.
func (m *meter) rows(file string, done int64) { m.progress(file, done, 0) }

func (m *meter) show(done, total int64, spent time.Duration) {
	left := "?"
	if done > m.first {
		left = (time.Duration(float64(spent) * float64(total-done) / float64(done-m.first))).Round(time.Second).String()
	}
	line := fmt.Sprintf("%s  %d of %d  %.0f/s  %s left", m.stage, done, total, float64(done-m.first)/max(spent.Seconds(), 1e-3), left)
	if total == 0 {
		line = fmt.Sprintf("%s  %d  %.0f/s", m.stage, done, float64(done-m.first)/max(spent.Seconds(), 1e-3))
	}
	if m.extra != "" {
		line += "  " + m.extra
	}
	if !m.tty {
		fmt.Fprintln(m.w, line)
		return
	}
	n := int(barWidth * done / max(total, 1))
	fmt.Fprintf(m.w, "\r\x1b[K[%s%s] %s", strings.Repeat("=", n), strings.Repeat(" ", barWidth-n), line)
	m.drawn = true
}

// log prints a line above the bar.
func (m *meter) log(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quiet {
		return
	}
	m.wipe()
	fmt.Fprintf(m.w, format+"\n", args...)
}

func (m *meter) wipe() {
	if m.drawn {
		fmt.Fprint(m.w, "\r\x1b[K")
		m.drawn = false
	}
}

// end takes the bar away.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipe()
}
