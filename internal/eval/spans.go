package eval

import (
	"cmp"
	"slices"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

// FromDocuments takes the annotations of documents as predictions, as other linkers write them: alternatives are candidates in
// their order.
func FromDocuments(docs []corpus.Document) []prediction.Prediction {
	var out []prediction.Prediction
	for i := range docs {
		d := &docs[i]
		for _, m := range d.Mentions {
			p := prediction.Prediction{Document: d.ID, Mention: m.ID, Spans: m.Spans, Text: m.Text, Type: m.Type, Group: m.Type, Language: d.Language,
				Gold: [][]string{}, Candidates: []prediction.Candidate{}}
			for _, a := range m.Gold {
				c := prediction.Candidate{Code: answer(a)}
				if len(a) > 1 {
					c.Parts = a
				}
				p.Candidates = append(p.Candidates, c)
			}
			out = append(out, p)
		}
	}
	return out
}

// place is where a mention stands.
type place struct {
	doc        string
	start, end int
}

func placeOf(doc string, spans []text.Span) place {
	if len(spans) == 0 {
		return place{doc, -1, -1}
	}
	return place{doc, spans[0].Start, spans[len(spans)-1].End}
}

// Attach gives predictions the gold answers of documents: one row for every gold mention, in the order of the documents. A gold
// mention that nobody predicted is an abstention. Predictions that stand where no gold mention does are returned apart: they
// count in ScoreEndToEnd only.
func Attach(gold []corpus.Document, preds []prediction.Prediction) (joined, spurious []prediction.Prediction) {
	at := map[place][]*prediction.Prediction{}
	for i := range preds {
		k := placeOf(preds[i].Document, preds[i].Spans)
		at[k] = append(at[k], &preds[i])
	}
	for i := range gold {
		d := &gold[i]
		sentences := text.Sentences(d.Text, d.Language, d.Spans())
		for _, m := range d.Mentions {
			k := placeOf(d.ID, m.Spans)
			p := prediction.Prediction{Candidates: []prediction.Candidate{}}
			if list := at[k]; len(list) > 0 {
				p, at[k] = *list[0], list[1:]
			}
			p.Document, p.Mention, p.Spans, p.Text, p.Type, p.Language = d.ID, m.ID, m.Spans, m.Text, m.Type, d.Language
			p.Group, p.HasGold, p.Gold = cmp.Or(p.Group, m.Type), true, [][]string{}
			p.Sentence = cmp.Or(p.Sentence, text.Marked(d.Text, m.Span(), sentences))
			for _, a := range m.Gold {
				p.Gold = append(p.Gold, a)
			}
			joined = append(joined, p)
		}
	}
	for i := range preds {
		if slices.Contains(at[placeOf(preds[i].Document, preds[i].Spans)], &preds[i]) {
			spurious = append(spurious, preds[i])
		}
	}
	return joined, spurious
}
