package pipeline

import (
	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
)

// memoryFolds is in how many parts the training documents are predicted from the others.
const memoryFolds = 5

// remembered predicts, for every training mention, the concept that an imperfect linker would have given it: stage 0 with the
// annotations of the other folds' documents. What training puts in front of a prompt is then as wrong as what linking will. Taking
// stage 0 for the model itself costs nothing and errs about as often.
func (r *runner) remembered(d *data) (func(doc, mention string) string, error) {
	out := map[[2]string]string{}
	parts := corpus.Folds(d.train, memoryFolds)
	for k, held := range parts {
		rest := corpus.Others(parts, k)
		stage0 := lexical.NewRetriever(d.k, lexical.Options{Names: true, Training: observations(d.k, rest, r.cfg.Link)})
		l := r.cfg.Link
		linker, err := link.New(link.Parts{KB: d.k, Stage0: stage0},
			link.Options{Mode: link.Lexical, Expand: l.Expand, GroupMap: l.GroupMap, Keep: 1})
		if err != nil {
			return nil, err
		}
		preds, err := linker.Link(r.ctx, linkable(d, held, l))
		if err != nil {
			return nil, err
		}
		for _, p := range preds {
			out[[2]string{p.Document, p.Mention}] = first(p)
		}
	}
	return func(doc, mention string) string { return out[[2]string{doc, mention}] }, nil
}

func first(p prediction.Prediction) string {
	if len(p.Candidates) == 0 {
		return ""
	}
	return p.Candidates[0].Code
}

// linkable leaves out mentions whose type is no semantic group, which training skips as well.
func linkable(d *data, docs []corpus.Document, l Link) []corpus.Document {
	out := make([]corpus.Document, len(docs))
	for i, doc := range docs {
		out[i] = doc
		out[i].Mentions = nil
		for _, m := range doc.Mentions {
			if dataset.GroupOf(d.k, m.Type, l.GroupMap) != "" {
				out[i].Mentions = append(out[i].Mentions, m)
			}
		}
	}
	return out
}
