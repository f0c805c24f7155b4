package corpus

import "slices"

// A Move is what a migration did with one code of one mention.
type Move struct {
	Document string   `json:"document"`
	Mention  string   `json:"mention"`
	Text     string   `json:"text"`
	Code     string   `json:"code"`
	To       []string `json:"to,omitempty"` // what the code means now
	Kind     string   `json:"kind"`         // "moved"; "split": several concepts took its place; "lost": none did; the latter two keep the old code
}

// Migrate moves the codes of annotations to another release of their knowledge base and calls report for every code that is not
// the same there. Now returns what a code means in that release: itself, one or several concepts that took its place, or nothing. Codes with
// exactly one successor are replaced in docs; a person must look at the others.
func Migrate(docs []Document, now func(code string) []string, report func(Move)) {
	for i := range docs {
		d := &docs[i]
		for j := range d.Mentions {
			m := &d.Mentions[j]
			for k, answer := range m.Gold {
				m.Gold[k] = migrate(answer, now, func(v Move) {
					v.Document, v.Mention, v.Text = d.ID, m.ID, m.Text
					report(v)
				})
			}
			m.Gold = unique(m.Gold)
		}
	}
}

func migrate(a Answer, now func(string) []string, report func(Move)) Answer {
	out := make(Answer, 0, len(a))
	for _, code := range a {
		to := now(code)
		switch {
		case len(to) == 1 && to[0] == code:
		case len(to) == 1:
			report(Move{Code: code, To: to, Kind: "moved"})
			code = to[0]
		case len(to) > 1:
			report(Move{Code: code, To: to, Kind: "split"})
		default:
			report(Move{Code: code, Kind: "lost"})
		}
		out = append(out, code)
	}
	slices.Sort(out)
	return slices.Compact(out) // two parts of a composite may have become one concept
}

// unique drops alternatives that have become the same.
func unique(list []Answer) []Answer {
	var out []Answer
	for _, a := range list {
		if !slices.ContainsFunc(out, func(b Answer) bool { return slices.Equal(a, b) }) {
			out = append(out, a)
		}
	}
	return out
}
