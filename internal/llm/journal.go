package llm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"syncabel/internal/text"
)

// An Entry is one line of a journal: a request that was answered, or why it was not.
type Entry struct {
	Key      Key     `json:"key"`
	Answer   string  `json:"answer,omitempty"`
	Error    string  `json:"error,omitempty"`    // a Kind: the request is missing
	Detail   string  `json:"detail,omitempty"`   // the last failure in words
	Raw      string  `json:"raw,omitempty"`      // the last unusable answer, for reading
	Final    bool    `json:"final,omitempty"`    // of an error: asking again will not help
	Endpoint string  `json:"endpoint,omitempty"` // who answered
	Model    string  `json:"model,omitempty"`    // as the server names it
	Asked    int     `json:"asked,omitempty"`    // answers that were paid for, unusable ones included; more than 1 is noted
	Usage    Usage   `json:"usage"`              // of all of them
	Cost     float64 `json:"cost,omitempty"`
}

// maxLine bounds one line of a journal or result file.
const maxLine = 16 << 20

// ErrLocked is the answer to a second process on one journal.
var ErrLocked = errors.New("another process is writing this journal")

// syncEvery is how often written entries are forced to the disk: what a power failure can cost. A killed process costs nothing
// that was written.
const syncEvery = time.Second

// A Journal is an append-only file of entries, one JSON line each, locked while it is open. A later entry of a key replaces an
// earlier one.
type Journal struct {
	Torn int64 // bytes of a half-written last line that were cut off when it was opened

	mu      sync.Mutex
	f       *os.File
	lock    *flock.Flock
	done    map[Key]state
	ledger  map[string]Totals // by endpoint
	written time.Time         // of the last sync
	broken  error             // a write that failed
}

// Totals sum up entries.
type Totals struct {
	Requests int64
	Usage    Usage
	Cost     float64
}

func (t *Totals) add(e *Entry) {
	t.Requests++
	t.Usage.Add(e.Usage)
	t.Cost += e.Cost
}

// OpenJournal opens or makes a journal, locks it, repairs a torn last line and reads which requests it has.
func OpenJournal(path string) (*Journal, error) {
	lock := flock.New(path + ".lock")
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking journal %s: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("opening journal %s: %w: wait for it or stop it", path, ErrLocked)
	}
	j := &Journal{lock: lock, done: map[Key]state{}, ledger: map[string]Totals{}, written: time.Now()}
	if err := j.open(path); err != nil {
		lock.Unlock()
		return nil, fmt.Errorf("opening journal: %w", err)
	}
	return j, nil
}

func (j *Journal) open(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	end, torn, err := scanEntries(f, path, func(e *Entry, _ int64) { j.note(e) })
	if err == nil && torn > 0 {
		j.Torn = torn
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return err
	}
	j.f = f
	return nil
}

func (j *Journal) note(e *Entry) {
	j.done[e.Key] = e.state()
	t := j.ledger[e.Endpoint]
	t.add(e)
	j.ledger[e.Endpoint] = t
}

// Ledger returns what every endpoint was paid, by its name; "" stands for requests that none answered.
func (j *Journal) Ledger() map[string]Totals {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.ledger)
}

// Spent returns what all endpoints were paid.
func (j *Journal) Spent() Totals {
	var out Totals
	for _, t := range j.Ledger() {
		out.Usage.Add(t.Usage)
		out.Cost += t.Cost
		out.Requests += t.Requests
	}
	return out
}

// state is what a journal knows of a request. A higher state is worth more.
type state uint8

const (
	failed state = iota + 1 // asking again may help
	final                   // failed for good
	answered
)

func (e *Entry) state() state {
	switch {
	case e.Error == "":
		return answered
	case e.Final:
		return final
	}
	return failed
}

// Expect makes room for n requests at once, so that memory does not grow while a run goes on.
func (j *Journal) Expect(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n <= len(j.done) {
		return
	}
	done := make(map[Key]state, n)
	for k, v := range j.done {
		done[k] = v
	}
	j.done = done
}

// Has reports whether a request is answered or failed for good.
func (j *Journal) Has(k Key) bool { return j.has(k, false) }

// has is Has; with again, what failed for good does not count.
func (j *Journal) has(k Key, again bool) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.done[k]
	return s == answered || s == final && !again
}

// Append writes an entry in one piece. After a failed write every further one fails: the file then ends in a torn line, which
// the next opening cuts off.
func (j *Journal) Append(e Entry) error {
	b, err := encodeLine(&e)
	if err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	if _, err := j.f.Write(b); err != nil {
		j.broken = fmt.Errorf("writing journal: %w", err)
		return j.broken
	}
	j.note(&e)
	if now := time.Now(); now.Sub(j.written) > syncEvery {
		j.written = now
		if err := j.f.Sync(); err != nil {
			j.broken = fmt.Errorf("writing journal: %w", err)
		}
	}
	return j.broken
}

func encodeLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// Close forces what was written to the disk and gives the lock back.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := errors.Join(j.f.Sync(), j.f.Close(), j.lock.Unlock())
	if err != nil {
		return fmt.Errorf("closing journal: %w", err)
	}
	return nil
}

// scanEntries calls f for every whole line with its offset. It returns where the last whole line ends and how many bytes of a
// half-written one follow; a broken line before the last is an error.
func scanEntries(r io.Reader, name string, f func(e *Entry, at int64)) (end, torn int64, err error) {
	err = scanLines(r, name, func(b []byte, line int, at int64, last bool) error {
		var e Entry
		err := json.Unmarshal(b, &e)
		switch {
		case err == nil && b[len(b)-1] == '\n' && e.Key != Key{}:
			end = at + int64(len(b))
			f(&e, at)
			return nil
		case last && b[len(b)-1] != '\n':
			torn = int64(len(b))
			return nil
		case err == nil:
			err = errors.New("no key of a request")
		}
		return &text.SyntaxError{File: name, Line: line, Msg: err.Error() + ": the journal is damaged before its end; move the line away to have its request sent again"}
	})
	return end, torn, err
}

// scanLines calls f for every line that is not blank, with its break, number, offset and whether the file ends with it.
func scanLines(r io.Reader, name string, f func(b []byte, line int, at int64, last bool) error) error {
	in := bufio.NewReaderSize(r, 1<<16)
	var at int64
	var b []byte
	for line := 1; ; line++ {
		b = b[:0]
		var err error
		for {
			var part []byte
			part, err = in.ReadSlice('\n')
			b = append(b, part...)
			if err != bufio.ErrBufferFull || len(b) > maxLine {
				break
			}
		}
		switch {
		case len(b) > maxLine:
			return &text.SyntaxError{File: name, Line: line, Msg: fmt.Sprintf("longer than %d bytes", maxLine)}
		case err != nil && err != io.EOF:
			return fmt.Errorf("reading %s: %w", name, err)
		case len(bytes.TrimSpace(b)) > 0:
			if err := f(b, line, at, err == io.EOF); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		at += int64(len(b))
	}
}
