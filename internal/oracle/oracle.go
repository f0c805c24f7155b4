// Package oracle answers one question: how likely is each of these tokens after this prefix. The search in link owns trie
// and beams and asks; whoever owns the network answers. It stands between model and link, so that the search is written
// once for the native engine and for servers.
package oracle

// A Query asks for log-probabilities of what follows a prefix.
type Query struct {
	Prefix []int32 // all tokens so far, the prompt included; at least one
	Want   []int32 // tokens whose log-probability is asked for
	TopK   int     // besides, the most likely tokens of the whole vocabulary; 0: none
	Roll   int     // besides, so many tokens are written greedily, with the TopK (at least one) most likely at each; 0: none
}

// A Token is one token with its natural log-probability.
type Token struct {
	ID      int32
	LogProb float64
}

// An Answer belongs to the Query of the same index.
type Answer struct {
	Want []float64 // natural log-probabilities over the whole vocabulary, in the order of Query.Want
	Top  []Token   // most likely first; between equals the smaller ID; nil with a Roll
	Roll []Written // at least one, at most Query.Roll: engines stop at their end token and where their context ends
}

// Written is one token of a rollout.
type Written struct {
	Token int32   // the most likely one, or one that is as likely within the engine's precision
	Top   []Token // of its position, as in Answer; fewer than TopK where the engine tells no more
}

// Caps says what an oracle can do.
type Caps struct {
	Name    string
	Vocab   int
	Context int  // longest prefix in tokens, what it asks about included
	Exact   bool // answers do not depend on what else is in the batch
	Ahead   int  // TopK that suits a Roll; 0: a round costs nothing, so that a search had better not look ahead
	Apart   bool // wanted tokens are no part of a Roll's request and cost requests of their own
}
