package link

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
)

// A Memo holds what one model said after each prompt, by prompt and root: a string that stands in a hundred documents, or is linked again
// under other settings, is asked about once. It is not safe for concurrent use.
type Memo map[string]*heard

// heard is what the model said after one prompt about the names of one group. Mentions with the same prompt share it.
type heard struct {
	searched bool               // the beams ran
	done     []finished         // names that they ended on
	beams    []leafPath         // the same as whole token sequences
	names    map[int][2]float64 // by leaf: log-probability, renormalised over the trie's children and over the whole vocabulary
}

// maxHeard prompts of some hundred bytes each are remembered before all are forgotten.
const maxHeard = 1 << 15

// gather makes the candidates of Ranked and Hybrid: what stage 0 proposes and, in Hybrid, what the beams found, with the exact score of each
// one's names.
func (l *Linker) gather(ctx context.Context, batch []*task) error {
	if l.opt.Mode == Hybrid {
		if err := l.found(ctx, batch); err != nil {
			return err
		}
	}
	for _, t := range batch {
		if l.ranker != nil {
			l.proposed(t)
		} else {
			l.listed(t, l.opt.Candidates)
		}
	}
	if l.opt.Mode == Hybrid {
		return l.names(ctx, batch)
	}
	return nil
}

// found makes the concepts that the beams end on candidates.
func (l *Linker) found(ctx context.Context, batch []*task) error {
	if err := l.hear(ctx, batch); err != nil || l.opt.Narrow {
		return err
	}
	for _, t := range batch {
		for _, p := range t.heard.beams {
			for _, c := range l.trie.Concepts(p.leaf) {
				t.candidate(int(c)).beam = true
			}
		}
	}
	return nil
}

// hear gives every task what the memo knows of its prompt, and runs the beams where they did not run before.
func (l *Linker) hear(ctx context.Context, batch []*task) error {
	if len(l.memo) > maxHeard {
		clear(l.memo)
	}
	var ask []*task
	for _, t := range batch {
		key := memoKey(t)
		if t.heard = l.memo[key]; t.heard == nil {
			t.heard = &heard{names: map[int][2]float64{}}
			l.memo[key] = t.heard
		}
		if !t.heard.searched && !l.opt.Narrow {
			t.heard.searched = true
			ask = append(ask, t)
		}
	}
	searches := make([]*search, len(ask))
	for i, t := range ask {
		searches[i] = &search{prompt: t.prompt, live: []hypothesis{{node: t.root}}}
	}
	if err := beamTrie(ctx, l.trie, l.oracle, searches, l.opt.Beams); err != nil {
		clear(l.memo) // searches are half done
		return err
	}
	for i, t := range ask {
		searches[i].complete(l.trie)
		t.heard.done, t.heard.beams = searches[i].done, searches[i].paths
	}
	return nil
}

func memoKey(t *task) string {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+4*len(t.prompt)), uint32(t.root))
	return string(appendKey(b, t.prompt))
}

// appendKey appends tokens to a key.
func appendKey(b []byte, tokens []int32) []byte {
	for _, x := range tokens {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

// names scores the names of every candidate exactly, those that the beams ended on and those nearest to the mention.
func (l *Linker) names(ctx context.Context, batch []*task) error {
	list := make([]*scoring, 0, len(batch))
	at := map[*heard]*scoring{}
	of := make([][]int, len(batch))
	for i, t := range batch {
		q := at[t.heard]
		if q == nil {
			q = &scoring{prompt: t.prompt, root: t.root}
			at[t.heard], list = q, append(list, q)
		}
		var want []leafPath
		if !l.opt.Narrow {
			want = slices.Clone(t.heard.beams)
		}
		for c := range t.cands {
			want = append(want, l.nameLeaves(t, t.cands[c].concept)...)
		}
		for _, p := range want {
			same := func(o leafPath) bool { return o.leaf == p.leaf }
			if _, ok := t.heard.names[p.leaf]; !ok && !slices.ContainsFunc(q.leaves, same) {
				q.leaves = append(q.leaves, p)
			}
			if !slices.Contains(of[i], p.leaf) {
				of[i] = append(of[i], p.leaf)
			}
		}
	}
	if err := scoreNames(ctx, l.trie, l.oracle, list); err != nil {
		return err
	}
	for h, q := range at {
		for k, p := range q.leaves {
			h.names[p.leaf] = [2]float64{q.logp[k], q.raw[k]}
		}
	}
	for i, t := range batch {
		for _, leaf := range of[i] {
			l.credit(t, leaf, t.heard.names[leaf])
		}
	}
	return nil
}

// credit adds what the model said of a name to its concepts; a name that several share is split evenly among them.
func (l *Linker) credit(t *task, leaf int, said [2]float64) {
	concepts := l.trie.Concepts(leaf)
	share := math.Log(float64(len(concepts)))
	for _, c := range concepts {
		s := t.candidate(int(c))
		s.add(said[0]-share, l.trie.Text(leaf))
		s.raw = logSumExp([]float64{s.raw, said[1] - share})
	}
}
