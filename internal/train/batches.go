package train

import (
	"fmt"
	"maps"

	"syncabel/internal/model"
	"syncabel/internal/tokenizer"
)

// Batches packs a source's examples into the batches of steps. Whoever trains on them, here or elsewhere, gets the same ones.
type Batches struct {
	Examples map[string]int // drawn, by origin
	TooLong  int            // left out

	opt      Options
	tok      *tokenizer.Tokenizer
	bos, eos int32
	src      Source
	drawn    int
	held     [2][]int32 // example that did not fit the last batch
	heldFrom string     // its origin
	lastFrom string     // that of the last example drawn
}

// NewBatches starts with the source's next example. c says how sequences begin and end.
func NewBatches(c model.Config, tok *tokenizer.Tokenizer, src Source, opt Options) *Batches {
	return &Batches{Examples: map[string]int{}, opt: opt.Defaults(), tok: tok, bos: c.BOS, eos: c.EOS, src: src}
}

// Next fills a batch, whose memory is used again, until the next example would not fit.
func (p *Batches) Next(b *model.Batch) error {
	b.Tokens, b.Targets, b.Starts = b.Tokens[:0], b.Targets[:0], b.Starts[:0]
	for skipped := 0; ; {
		tokens, targets := p.held[0], p.held[1]
		p.held = [2][]int32{}
		if tokens == nil {
			tokens, targets = p.draw()
		}
		if len(tokens) > p.opt.MaxLength {
			p.TooLong++
			if skipped++; skipped > 10000 {
				return fmt.Errorf("10,000 examples in a row are longer than %d tokens: raise max_length or shorten the context", p.opt.MaxLength)
			}
			continue
		}
		if len(b.Tokens) > 0 && len(b.Tokens)+len(tokens) > p.opt.BatchTokens {
			p.held, p.heldFrom = [2][]int32{tokens, targets}, p.lastFrom
			return nil
		}
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		b.Tokens, b.Targets = append(b.Tokens, tokens...), append(b.Targets, targets...)
	}
}

func (p *Batches) draw() (tokens, targets []int32) {
	prompt, target, origin := p.src.Next()
	p.drawn++
	p.Examples[origin]++
	p.lastFrom = origin
	return Encode(p.tok, p.bos, p.eos, prompt, target)
}

// used returns how many examples the batches so far took, in all and by origin. The held one counts as not drawn: it is drawn again
// after a resume.
func (p *Batches) used() (int, map[string]int) {
	if p.held[0] == nil {
		return p.drawn, p.Examples
	}
	by := maps.Clone(p.Examples)
	by[p.heldFrom]--
	return p.drawn - 1, by
}

// skip passes over what an interrupted run took.
func (p *Batches) skip(drawn int, res Result) {
	p.src.Skip(drawn)
	p.drawn, p.Examples, p.TooLong = drawn, res.Examples, res.TooLong
}
