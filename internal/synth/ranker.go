package synth

import (
	"syncabel/internal/lexical"
	"syncabel/internal/terminology"
)

// A LexicalRanker ranks by string comparison with the names of the knowledge base: the round trip that needs no model.
type LexicalRanker struct {
	kb      *terminology.KB
	r       *lexical.Retriever
	scratch lexical.Scratch
}

// NewLexicalRanker indexes the names of kb.
func NewLexicalRanker(kb *terminology.KB) *LexicalRanker {
	return &LexicalRanker{kb: kb, r: lexical.NewRetriever(kb, lexical.Options{Names: true})}
}

// Rank returns the k concepts of a group whose names are most like the mention.
func (l *LexicalRanker) Rank(mention, group, _ string, k int) []string {
	var out []string
	for _, c := range l.r.Retrieve(&l.scratch, group, k, mention) {
		out = append(out, l.kb.ID(c.Concept))
	}
	return out
}
