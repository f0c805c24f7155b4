package terminology

import (
	"iter"
	"slices"
	"sort"
)

// A Retirement is an ID that is no longer a concept.
type Retirement struct {
	ID   string        `json:"id"`
	Name string        `json:"name,omitempty"` // what it was called, where the source says
	To   []Replacement `json:"to,omitempty"`   // none: nothing took its place
}

// A Replacement is a concept that took the place of a retired one.
type Replacement struct {
	ID       string `json:"id"`
	Relation string `json:"relation"` // "replaced", "same", "moved", "alternate": the same meaning; "possible", "was-a", "broader", "narrower", "related", "consider": not quite
}

// Same reports whether the replacement means what the retired concept meant, so that annotations may move there unread.
func (r Replacement) Same() bool {
	return slices.Contains([]string{"replaced", "same", "moved", "alternate"}, r.Relation)
}

// Retired returns what is known of an ID that is no longer a concept.
func (kb *KB) Retired(id string) (Retirement, bool) {
	n := kb.historyAt.len() - 1
	i := sort.Search(n, func(i int) bool { s := kb.retirement(i); return s.str() >= id })
	if i >= n {
		return Retirement{}, false
	}
	s := kb.retirement(i)
	if r := readRetirement(&s); r.ID == id {
		return r, true
	}
	return Retirement{}, false
}

func (kb *KB) retirement(i int) scanner {
	return scanner{b: cut(kb.history, kb.historyAt.at(i), kb.historyAt.at(i+1))}
}

func readRetirement(s *scanner) Retirement {
	r := Retirement{ID: s.str(), Name: s.str()}
	for range s.list() {
		r.To = append(r.To, Replacement{s.str(), s.str()})
	}
	return r
}

// Retirements returns all retired IDs in their order.
func (kb *KB) Retirements() iter.Seq[Retirement] {
	return func(yield func(Retirement) bool) {
		for i := range max(kb.historyAt.len()-1, 0) {
			if s := kb.retirement(i); !yield(readRetirement(&s)) {
				return
			}
		}
	}
}

// Current returns the concepts of this knowledge base that an ID means today: itself, or those that took its place by replacements
// of the same meaning, through any number of releases, sorted. It is empty for an ID that is unknown or has no such successor.
func (kb *KB) Current(id string) []string {
	if kb.Has(id) {
		return []string{id}
	}
	var out []string
	seen := map[string]bool{id: true}
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		r, _ := kb.Retired(queue[0])
		for _, to := range r.To {
			if seen[to.ID] || !to.Same() {
				continue
			}
			seen[to.ID] = true
			if kb.Has(to.ID) {
				out = append(out, to.ID)
			} else {
				queue = append(queue, to.ID)
			}
		}
	}
	slices.Sort(out)
	return out
}
