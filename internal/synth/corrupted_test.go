package synth

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestCorrupted spoils the demonstration's sentences, which were not written for the gates: the mark moves to another word of the
// sentence, or the sentence goes to another concept of its group.
func TestCorrupted(t *testing.T) {
	kb := demoKB(t)
	f, err := os.Open("../demo/data/journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, _, err := ReadJournal(f, "journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	byGroup := map[string][]string{}
	for i := range kb.Len() {
		c := kb.Concept(i)
		byGroup[c.Groups()[0]] = append(byGroup[c.Groups()[0]], c.ID)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, mode := range []string{MentionNear, MentionPlausible} {
		kept, whole, moved, movedOut, swapped, swappedOut := 0, 0, 0, 0, 0, 0
		g := NewGates(kb, nil, Options{Mention: mode})
		passes := func(rec Record) bool { // each as if it were the first
			clear(g.seen)
			clear(g.frames)
			g.concept = nil
			docs, _ := g.Record(rec)
			return len(docs) == 1
		}
		for _, rec := range records {
			for _, l := range Lines(rec.Answer) {
				one := rec
				one.Answer = l
				whole++
				if passes(one) {
					kept++
				}
				i, _ := kb.Index(rec.Concept)
				list := byGroup[kb.Concept(i).Groups()[0]]
				if one.Concept = list[r.IntN(len(list))]; one.Concept != rec.Concept {
					swapped++
					if !passes(one) {
						swappedOut++
					}
				}
				one.Concept = rec.Concept
				if one.Answer = moveMark(r, l); one.Answer != "" {
					moved++
					if !passes(one) {
						movedOut++
					}
				}
			}
		}
		t.Logf("mention = %q: %d of %d sentences pass; rejected: %d of %d with the mark moved, %d of %d given to another concept of the group",
			mode, kept, whole, movedOut, moved, swappedOut, swapped)
		if mode == MentionNear && (kept < whole*97/100 || movedOut < moved*9/10 || swappedOut < swapped*9/10) {
			t.Error("the gates are worse than they were")
		}
	}
}

// moveMark marks another word of at least four letters; "" when there is none.
func moveMark(r *rand.Rand, line string) string {
	s, sp, _ := Parse(line)
	var at []int
	fields := strings.Fields(s[:sp.Start] + " \x00 " + s[sp.End:])
	for i, w := range fields {
		if len(strings.Trim(w, ".,;:()")) >= 4 {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return ""
	}
	i := at[r.IntN(len(at))]
	fields[i] = "[" + strings.Trim(fields[i], ".,;:()'") + "]"
	return strings.ReplaceAll(strings.Join(fields, " "), "\x00", s[sp.Start:sp.End])
}
