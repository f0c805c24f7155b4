package link

import (
	"math"

	"syncabel/internal/oracle"
	"syncabel/internal/trie"
)

// view is what is known of a node's children: all of them, or those among the likeliest tokens with bounds for the others.
type view struct {
	node   trie.Node
	known  []child
	sum    float64 // logarithm of the probability of the known ones together
	width  float64 // by how much the logarithm of all can be larger; 0: all are known
	unseen float64 // log-probability that no unknown child exceeds; -Inf: there is none
}

type child struct {
	node trie.Node
	logp float64
}

// newView takes the log-probabilities of all children, in their order.
func newView(t *trie.Trie, n trie.Node, lps []float64) view {
	lo, _ := t.Children(n)
	v := view{node: n, known: make([]child, len(lps)), sum: logSumExp(lps), unseen: math.Inf(-1)}
	for i, lp := range lps {
		v.known[i] = child{lo + trie.Node(i), lp}
	}
	return v
}

// leftOver is the logarithm of what the likeliest tokens leave to all others together.
func leftOver(top []oracle.Token) float64 {
	mass := 0.0
	for _, x := range top {
		mass += math.Exp(x.LogProb)
	}
	return math.Log(max(1-mass, lostMass))
}

// topView takes the likeliest tokens of the vocabulary, most likely first: a child that is not among them is no likelier than the last of
// them, and all such children together have no more than what they leave over.
func topView(t *trie.Trie, n trie.Node, top []oracle.Token) view {
	v := view{node: n, unseen: math.Inf(-1)}
	var lps []float64
	for _, x := range top {
		if c, ok := t.Child(n, x.ID); ok {
			v.known, lps = append(v.known, child{c, x.LogProb}), append(lps, x.LogProb)
		}
	}
	v.sum = logSumExp(lps)
	lo, hi := t.Children(n)
	if missing := int(hi-lo) - len(v.known); missing > 0 {
		left := leftOver(top)
		v.unseen = min(top[len(top)-1].LogProb, left)
		v.width = math.Log1p(math.Exp(min(left, v.unseen+math.Log(float64(missing))) - v.sum))
	}
	return v
}
