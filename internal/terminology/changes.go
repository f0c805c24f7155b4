package terminology

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/text"
)

// ChangesName is the file of changes beside a knowledge base that was imported against an earlier release: one Change a line, by ID.
const ChangesName = "changes.jsonl"

// A Change is what became of one concept between two releases.
type Change struct {
	Kind string   `json:"kind"` // one of the kinds below
	ID   string   `json:"id"`
	Name string   `json:"name"`          // preferred name: of an added or renamed concept the new one, else the old
	Old  string   `json:"old,omitempty"` // of a renamed concept: its name before
	To   []string `json:"to,omitempty"`  // concepts of the new release that took its place
	Why  string   `json:"why,omitempty"` // "history": the release says so; "names": all its names that still exist belong to one concept now
}

// Kinds of changes.
const (
	Added   = "added"   // new
	Retired = "retired" // gone, nothing took its place
	Merged  = "merged"  // gone, one concept took its place
	Split   = "split"   // gone, several did
	Renamed = "renamed" // has another preferred name
)

// EachChange calls f with what changed from one release to the next, by ID, until it returns an error.
func EachChange(from, to *KB, f func(Change) error) error {
	i, j := 0, 0
	for i < from.Len() || j < to.Len() {
		var c Change
		switch {
		case i == from.Len() || j < to.Len() && to.ID(j) < from.ID(i):
			c = Change{Kind: Added, ID: to.ID(j), Name: to.Concept(j).PreferredName("")}
			j++
		case j == to.Len() || from.ID(i) < to.ID(j):
			c = gone(from.Concept(i), to)
			i++
		default:
			c = renamed(from.Concept(i), to.Concept(j))
			i, j = i+1, j+1
		}
		if c.Kind == "" {
			continue
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}

func renamed(old, now *Concept) Change {
	before, after := old.PreferredName(""), now.PreferredName("")
	if before == after {
		return Change{}
	}
	return Change{Kind: Renamed, ID: now.ID, Name: after, Old: before}
}

// Successors returns the concepts of a release that a code of an earlier one means: by what the releases say, else by its names.
func Successors(from, to *KB, code string) []string {
	if list := to.Current(code); len(list) > 0 {
		return list
	}
	i, ok := from.Index(code)
	if !ok {
		return nil
	}
	return to.heir(from.Concept(i))
}

// gone says what became of a concept that the new release does not have.
func gone(old *Concept, to *KB) Change {
	c := Change{Kind: Retired, ID: old.ID, Name: old.PreferredName(""), To: to.Current(old.ID), Why: "history"}
	if len(c.To) == 0 {
		c.To, c.Why = to.heir(old), "names"
	}
	switch len(c.To) {
	case 0:
		c.Why = ""
	case 1:
		c.Kind = Merged
	default:
		c.Kind = Split
	}
	return c
}

// heir returns the one concept that has the preferred name of a concept of an earlier release and none of whose other names belongs elsewhere.
func (kb *KB) heir(old *Concept) []string {
	owner := -1
	for k, n := range old.Names {
		owners := kb.Normalized(n.Text)
		switch {
		case k == 0 && len(owners) != 1, len(owners) > 1, len(owners) == 1 && owner >= 0 && owners[0] != owner:
			return nil
		case len(owners) == 1:
			owner = owners[0]
		}
	}
	return []string{kb.ID(owner)}
}

// WriteChanges writes the changes between two releases to a file and returns how many there are of each kind.
func WriteChanges(path string, from, to *KB) (map[string]int, error) {
	counts := map[string]int{}
	err := artifact.WriteWith(path, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		err := EachChange(from, to, func(c Change) error {
			counts[c.Kind]++
			return enc.Encode(c)
		})
		if err != nil {
			return err
		}
		return b.Flush()
	})
	return counts, err
}

// ReadChanges reads what WriteChanges wrote.
func ReadChanges(path string) ([]Change, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading changes: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 1<<16), 1<<24)
	var out []Change
	for line := 1; sc.Scan(); line++ {
		var c Change
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			return nil, &text.SyntaxError{File: path, Line: line, Msg: err.Error()}
		}
		if !slices.Contains([]string{Added, Retired, Merged, Split, Renamed}, c.Kind) || c.ID == "" {
			return nil, &text.SyntaxError{File: path, Line: line, Msg: fmt.Sprintf("no change: kind %q, id %q", c.Kind, c.ID)}
		}
		out = append(out, c)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("reading changes: %w", err)
	}
	return out, nil
}
