package eval

import (
	"slices"

	"syncabel/internal/prediction"
)

// Ambiguity is how a system chooses between the concepts that a string may mean.
type Ambiguity struct {
	N      int     `json:"n"`
	Right  int     `json:"right"`
	Chance float64 `json:"chance"`          // that a fair draw would have right, expected
	Usual  int     `json:"usual,omitempty"` // of the training annotations: that the most frequent meaning in training would have right
}

// Ambiguous counts mentions whose string means several concepts, of which one is meant.
type Ambiguous struct {
	Named  Ambiguity `json:"named"`  // of the knowledge base: they share it as a name
	Taught Ambiguity `json:"taught"` // of the training annotations
}

// count adds an evaluated mention of these meanings.
func (a *Ambiguous) count(m *prediction.Meanings, right bool) {
	if m == nil {
		return
	}
	a.Named.add(m.Named, right, false)
	a.Taught.add(m.Taught, right, m.Usual)
}

func (a *Ambiguity) add(of int, right, usual bool) {
	if of == 0 {
		return
	}
	a.N++
	a.Chance += 1 / float64(of)
	if right {
		a.Right++
	}
	if usual {
		a.Usual++
	}
}

// meanings counts what the text of a prediction may mean, where that is several things and gold is just one of them.
func (t *Tagger) meanings(p *prediction.Prediction, surface string) *prediction.Meanings {
	var named []int
	if t.kb != nil {
		named = t.kb.Owners(p.Text, p.Group)
	}
	taught, most := t.meant[surface], 0
	for _, n := range taught {
		most = max(most, n)
	}
	var m prediction.Meanings
	inNames, inTraining := 0, 0
	for _, g := range p.Gold {
		if n := taught[answer(g)]; n > 0 {
			inTraining++
			m.Usual = m.Usual || n == most
		}
		if len(g) == 1 && len(named) > 1 {
			if i, ok := t.kb.Index(g[0]); ok && slices.Contains(named, i) {
				inNames++
			}
		}
	}
	if inNames == 1 {
		m.Named = len(named)
	}
	if inTraining == 1 && len(taught) > 1 {
		m.Taught = len(taught)
	}
	if m.Named == 0 && m.Taught == 0 {
		return nil
	}
	return &m
}
