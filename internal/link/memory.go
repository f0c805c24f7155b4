package link

import (
	"cmp"
	"context"
	"slices"

	"syncabel/internal/corpus"
	"syncabel/internal/markup"
)

// remembers reports whether earlier links of a document enter the prompts of later ones.
func (l *Linker) remembers() bool {
	return l.opt.Markup.Memory > 0 && l.opt.Mode != Lexical && l.opt.Mode != Ranked
}

// inReadingOrder scores tasks wave by wave: the first mention of every document, then the second, each prompt holding the names
// that the mentions before it were linked to, as training showed them (LongBEL, arXiv 2605.13451). A document's mentions wait for each
// other, documents do not.
func (l *Linker) inReadingOrder(ctx context.Context, tasks []*task) error {
	done := map[*corpus.Document][]markup.Link{}
	for _, wave := range waves(tasks) {
		for batch := range slices.Chunk(wave, l.opt.Batch) {
			asked := withMembers(batch)
			for _, t := range asked {
				l.render(t, done[t.doc])
			}
			if err := l.score(ctx, asked); err != nil {
				return linkError(batch, err)
			}
			for _, t := range batch {
				if name := l.remembered(t); name != "" {
					done[t.doc] = append(done[t.doc], markup.Link{Surface: t.mention.Text, Names: []string{name}})
				}
			}
		}
	}
	return nil
}

// waves sorts tasks by their place among the mentions of their document.
func waves(tasks []*task) [][]*task {
	var out [][]*task
	place := map[*corpus.Document]int{}
	for _, t := range tasks {
		n := place[t.doc]
		place[t.doc]++
		if n == len(out) {
			out = append(out, nil)
		}
		out[n] = append(out[n], t)
	}
	return out
}

// remembered returns the name of a task's best candidate as a model would be taught to write it, empty where it has none.
func (l *Linker) remembered(t *task) string {
	best := -1
	for i := range t.cands {
		if best < 0 || cmp.Or(cmp.Compare(l.value(t, &t.cands[i]), l.value(t, &t.cands[best])), cmp.Compare(t.cands[best].concept, t.cands[i].concept)) > 0 {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	c := t.cands[best].concept
	if names := l.nearest(t, c); len(names) > 0 {
		return l.kb.TargetForm(c, names[0], t.group)
	}
	return ""
}
