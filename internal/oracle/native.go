package oracle

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"syncabel/internal/model"
)

// Native answers from a model in this process. Prefixes that begin alike share their nodes in the session's arena, as in a
// radix tree: a beam that forks, and the hundred names of a mention's candidates, compute each shared token once. It is
// not safe for concurrent use.
type Native struct {
	s      *model.Session
	child  map[edge]int32
	paths  [][]int32 // by node: nodes before it, oldest first
	rows   []model.Row
	logits []float32
	at     []int32   // node after which each distinct question asks
	logZ   []float64 // of at

}

type edge struct {
	parent int32 // -1 before the first token
	token  int32
}

// logitRows bounds how many rows of logits are held at a time, logitBytes how much memory they take.
const (
	logitRows  = 128
	logitBytes = 8 << 20
)

// NewNative returns an oracle over a session, which it owns from then on.
func NewNative(s *model.Session) *Native {
	return &Native{s: s, child: map[edge]int32{}}
}

// Close ends the session.
func (n *Native) Close() { n.s.Close() }

// Caps describes the engine.
func (n *Native) Caps() Caps {
	return Caps{Name: "native", Vocab: n.s.Vocab(), Context: n.s.Context(), Exact: true}
}

// Do answers queries. When they need more nodes than the arena holds, they are answered in several goes.
func (n *Native) Do(ctx context.Context, queries []Query) ([]Answer, error) {
	out := make([]Answer, len(queries))
	for lo := 0; lo < len(queries); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hi, err := n.admit(queries, lo)
		if err != nil {
			return nil, err
		}
		if err := n.s.Run(n.rows); err != nil {
			return nil, fmt.Errorf("asking the model: %w", err)
		}
		n.answer(queries[lo:hi], out[lo:hi])
		lo = hi
	}
	return out, roll(ctx, n.Do, n.room(), queries, out)
}

// room is the longest prefix in tokens.
func (n *Native) room() int { return min(n.s.Context(), n.s.Nodes()) }

// roll writes ahead, in prefixes of so much room: a round for each token, all queries at once.
func roll(ctx context.Context, do func(context.Context, []Query) ([]Answer, error), room int, queries []Query, out []Answer) error {
	for {
		var steps []Query
		var of []int
		for i, q := range queries {
			at := len(q.Prefix) + len(out[i].Roll)
			if len(out[i].Roll) == q.Roll || at > room && len(out[i].Roll) > 0 {
				continue
			}
			step := Query{Prefix: slices.Clone(q.Prefix), TopK: max(1, q.TopK)}
			for _, w := range out[i].Roll {
				step.Prefix = append(step.Prefix, w.Token)
			}
			steps, of = append(steps, step), append(of, i)
		}
		if len(steps) == 0 {
			return nil
		}
		answers, err := do(ctx, steps)
		if err != nil {
			return err
		}
		for k, a := range answers {
			out[of[k]].Roll = append(out[of[k]].Roll, Written{a.Top[0].ID, a.Top})
		}
	}
}

// admit finds or makes the nodes of as many queries from lo on as fit, and leaves the new rows in n.rows.
func (n *Native) admit(queries []Query, lo int) (int, error) {
	n.rows, n.at = n.rows[:0], n.at[:0]
	for i := lo; i < len(queries); i++ {
		q := &queries[i]
		if len(q.Prefix) == 0 || len(q.Prefix) > n.room() {
			return 0, fmt.Errorf("prefix of %d tokens: the model reads 1 to %d", len(q.Prefix), n.room())
		}
		if len(n.paths)+len(q.Prefix) > n.s.Nodes() {
			if i > lo {
				return i, nil
			}
			n.forget()
		}
		n.at = append(n.at, n.insert(q.Prefix))
	}
	return len(queries), nil
}

func (n *Native) forget() {
	clear(n.child)
	n.paths = n.paths[:0]
}

// insert returns the node of a prefix's last token.
func (n *Native) insert(prefix []int32) int32 {
	at := int32(-1)
	for pos, tok := range prefix {
		next, ok := n.child[edge{at, tok}]
		if !ok {
			next = int32(len(n.paths))
			n.child[edge{at, tok}] = next
			var path []int32
			if at >= 0 {
				path = append(append(make([]int32, 0, pos), n.paths[at]...), at)
			}
			n.paths = append(n.paths, path)
			n.rows = append(n.rows, model.Row{Token: tok, Pos: int32(pos), Node: next, Path: path})
		}
		at = next
	}
	return at
}

// answer computes each distinct node's logits once, a block at a time.
func (n *Native) answer(queries []Query, out []Answer) {
	var nodes []int32
	byNode := map[int32][]int{}
	for i, node := range n.at {
		if len(byNode[node]) == 0 {
			nodes = append(nodes, node)
		}
		byNode[node] = append(byNode[node], i)
	}
	v := n.s.Vocab()
	for len(nodes) > 0 {
		k := min(len(nodes), logitRows, max(1, logitBytes/4/v))
		if need := k * v; len(n.logits) < need {
			n.logits, n.logZ = make([]float32, need), make([]float64, logitRows)
		}
		n.s.Logits(nodes[:k], n.logits)
		n.s.LogZ(n.logits, n.logZ[:k])
		for j, node := range nodes[:k] {
			row := n.logits[j*v : (j+1)*v]
			for _, i := range byNode[node] {
				out[i] = read(&queries[i], row, n.logZ[j])
			}
		}
		nodes = nodes[k:]
	}
}

func read(q *Query, row []float32, logZ float64) Answer {
	a := Answer{Want: make([]float64, len(q.Want))}
	for i, t := range q.Want {
		a.Want[i] = float64(row[t]) - logZ
	}
	if q.TopK > 0 && q.Roll == 0 {
		a.Top = top(row, logZ, q.TopK)
	}
	return a
}

// top returns the k most likely tokens.
func top[F float32 | float64](row []F, logZ float64, k int) []Token {
	out := make([]Token, 0, k+1)
	for t, x := range row {
		lp := float64(x) - logZ
		if len(out) == k && lp <= out[k-1].LogProb {
			continue
		}
		i, _ := slices.BinarySearchFunc(out, Token{int32(t), lp}, func(a, b Token) int {
			return cmp.Or(cmp.Compare(b.LogProb, a.LogProb), cmp.Compare(a.ID, b.ID))
		})
		out = slices.Insert(out, i, Token{int32(t), lp})[:min(len(out)+1, k)]
	}
	return out
}
