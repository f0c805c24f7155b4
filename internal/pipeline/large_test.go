package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
)

// TestLargeDocument links notes of 1 and 10 MB from plain text: what they cost must grow with the text, not with its square. SYNCABEL_RUN
// names a finished run, whose own documents make the text; SYNCABEL_MODE one mode.
func TestLargeDocument(t *testing.T) {
	dir := os.Getenv("SYNCABEL_RUN")
	if dir == "" {
		t.Skip("SYNCABEL_RUN names no finished run")
	}
	modes := []string{link.BeamTrie, link.Ranked, link.Hybrid}
	if m := os.Getenv("SYNCABEL_MODE"); m != "" {
		modes = []string{m}
	}
	for _, mode := range modes {
		o, err := OpenRun(context.Background(), dir, OpenOptions{Mode: mode, Keep: 5})
		if err != nil {
			t.Fatal(err)
		}
		docs, err := corpus.ReadFile(filepath.Join(dir, o.Record.Corpus, corpus.FileName))
		if err != nil {
			t.Fatal(err)
		}
		var before time.Duration
		for _, size := range []int{1 << 20, 10 << 20} {
			d := note(docs, size)
			start := processor(t)
			d.Mentions = o.Detect.Detect(&d)
			found := processor(t)
			preds, err := o.Linker.Link(context.Background(), []corpus.Document{d})
			if err != nil || len(preds) != len(d.Mentions) {
				t.Fatal(err, len(preds))
			}
			cost := processor(t) - start
			t.Logf("%s, %d MB: %d mentions found in %.1f s of processor, found and linked in %.1f s; peak memory %d MB",
				mode, size>>20, len(preds), (found - start).Seconds(), cost.Seconds(), peakMemory(t))
			if before > 0 && cost > 15*before {
				t.Errorf("%s: ten times the text cost %.1f times as much", mode, cost.Seconds()/before.Seconds())
			}
			before = cost
		}
		o.Close()
	}
}

// note strings the texts of documents together until there are so many bytes.
func note(docs []corpus.Document, size int) corpus.Document {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		b.WriteString(docs[i%len(docs)].Text)
		b.WriteByte('\n')
	}
	return corpus.Document{ID: "note", Language: docs[0].Language, Text: b.String()}
}

func usage(t *testing.T) unix.Rusage {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// processor is the time the process has used of any processor.
func processor(t *testing.T) time.Duration {
	u := usage(t)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the most that was resident at a time, in MB.
func peakMemory(t *testing.T) int { return int(usage(t).Maxrss >> 10) }
