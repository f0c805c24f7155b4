package review

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// A Summary says how far a review is.
type Summary struct {
	Queues    []QueueSummary `json:"queues"`
	Agreement []Agreement    `json:"agreement"` // of every pair of reviewers who both judged some item
}

// QueueSummary counts one queue.
type QueueSummary struct {
	Queue     string         `json:"queue"`
	Items     int            `json:"items"`
	Decided   int            `json:"decided"`   // items with at least one decision other than skip
	Conflicts int            `json:"conflicts"` // items on which reviewers disagree
	Reviewers map[string]int `json:"reviewers"` // decisions by reviewer, skips included
	Actions   map[string]int `json:"actions"`
}

// Agreement of two reviewers over the items both judged. A judgement is the concept that remains: the proposed one for
// accept, the corrected one for correct, none for reject.
type Agreement struct {
	Queue    string  `json:"queue,omitempty"` // Audit, where verdicts are compared, two an item; empty: the other queues
	A        string  `json:"a"`
	B        string  `json:"b"`
	Items    int     `json:"items"`
	Observed float64 `json:"observed"` // share on which they agree
	// Kappa is Cohen's (Educational and Psychological Measurement 20, 1960) over accept, correct and reject, where two
	// corrections agree only when they name the same concept; of Audit over the verdicts. It is 1 when chance alone already agrees.
	Kappa float64 `json:"kappa"`
}

// A Judgement is what one reviewer finally says about one item.
type Judgement struct {
	Item     *Item
	Decision Decision
	Code     string // the concept that remains, of Audit the two verdicts; empty for reject and skip
}

// judgements returns the last live decision of every reviewer on every item, in the order of items.
func (s *Store) judgements(ctx context.Context) ([]Item, map[string][]Judgement, error) {
	items, err := s.items(ctx, "SELECT body FROM review_items ORDER BY ord")
	if err != nil {
		return nil, nil, err
	}
	decisions, err := s.decisions(ctx, "SELECT "+columns+" FROM review_decisions d WHERE "+live+" ORDER BY d.seq")
	if err != nil {
		return nil, nil, err
	}
	byID := make(map[string]*Item, len(items))
	for i := range items {
		byID[items[i].ID] = &items[i]
	}
	out := map[string][]Judgement{}
	for _, d := range decisions {
		it := byID[d.Item]
		if it == nil {
			continue // added after the items were read
		}
		j := Judgement{Item: it, Decision: d}
		switch d.Action {
		case Accept:
			j.Code = it.Code
		case Correct, Judge:
			j.Code = d.Code
		}
		list := out[d.Item]
		if k := slices.IndexFunc(list, func(x Judgement) bool { return x.Decision.Reviewer == d.Reviewer }); k >= 0 {
			list[k] = j
		} else {
			out[d.Item] = append(list, j)
		}
	}
	return items, out, nil
}

// opinions leaves out skips.
func opinions(list []Judgement) []Judgement {
	return slices.DeleteFunc(slices.Clone(list), func(j Judgement) bool { return j.Decision.Action == Skip })
}

// conflict reports whether opinions differ.
func conflict(list []Judgement) bool {
	return slices.ContainsFunc(list, func(j Judgement) bool { return j.Code != list[0].Code })
}

// Summary counts items and decisions and computes the agreement of reviewers.
func (s *Store) Summary(ctx context.Context) (*Summary, error) {
	items, judged, err := s.judgements(ctx)
	if err != nil {
		return nil, err
	}
	out := &Summary{Agreement: []Agreement{}}
	for _, q := range []string{Synthetic, Uncertain, Audit} {
		sum := QueueSummary{Queue: q, Reviewers: map[string]int{}, Actions: map[string]int{}}
		for i := range items {
			if items[i].Queue == q {
				sum.add(judged[items[i].ID])
			}
		}
		out.Queues = append(out.Queues, sum)
	}
	out.Agreement = agreements(items, judged)
	return out, nil
}

func (q *QueueSummary) add(list []Judgement) {
	q.Items++
	for _, j := range list {
		q.Reviewers[j.Decision.Reviewer]++
		q.Actions[j.Decision.Action]++
	}
	if list = opinions(list); len(list) > 0 {
		q.Decided++
		if conflict(list) {
			q.Conflicts++
		}
	}
}

func agreements(items []Item, judged map[string][]Judgement) []Agreement {
	type pair struct{ queue, a, b string }
	pairs := map[pair][][2]Judgement{}
	for i := range items {
		list := opinions(judged[items[i].ID])
		slices.SortFunc(list, func(x, y Judgement) int { return cmp.Compare(x.Decision.Reviewer, y.Decision.Reviewer) })
		for x := range list {
			for y := x + 1; y < len(list); y++ {
				p := pair{"", list[x].Decision.Reviewer, list[y].Decision.Reviewer}
				if items[i].Queue == Audit {
					p.queue = Audit
				}
				pairs[p] = append(pairs[p], compared(list[x], list[y])...)
			}
		}
	}
	out := []Agreement{}
	for p, both := range pairs {
		observed, kappa := cohen(both)
		out = append(out, Agreement{p.queue, p.a, p.b, len(both), observed, kappa})
	}
	slices.SortFunc(out, func(x, y Agreement) int {
		return cmp.Or(cmp.Compare(x.Queue, y.Queue), cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B))
	})
	return out
}

// compared returns what two judgements on one item have to agree on: the concept, or the verdict on each of two concepts.
func compared(x, y Judgement) [][2]Judgement {
	if x.Decision.Action != Judge {
		return [][2]Judgement{{x, y}}
	}
	first, second := [2]Judgement{x, y}, [2]Judgement{x, y}
	for i, j := range []Judgement{x, y} {
		first[i].Code, second[i].Code, _ = strings.Cut(j.Code, "/")
	}
	return [][2]Judgement{first, second}
}

// category is what chance is computed over.
func (j *Judgement) category() string {
	if j.Decision.Action == Judge {
		return j.Code
	}
	return j.Decision.Action
}

// cohen returns observed agreement and kappa.
func cohen(both [][2]Judgement) (observed, kappa float64) {
	n := float64(len(both))
	var count [2]map[string]float64
	count[0], count[1] = map[string]float64{}, map[string]float64{}
	for _, j := range both {
		if j[0].Code == j[1].Code {
			observed += 1 / n
		}
		count[0][j[0].category()]++
		count[1][j[1].category()]++
	}
	chance := 0.0
	for category, c := range count[0] {
		chance += c / n * count[1][category] / n
	}
	if chance >= 1 {
		return observed, observed
	}
	return observed, (observed - chance) / (1 - chance)
}
