package corpus

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMigrate(t *testing.T) {
	table := map[string][]string{"D1": {"D1"}, "D2": {"D3"}, "D3": {"D3"}, "D4": {"D1", "D3"}}
	for name, c := range map[string]struct {
		in, want []Answer
		moves    []Move
	}{
		"same":         {[]Answer{{"D1"}}, []Answer{{"D1"}}, nil},
		"moved":        {[]Answer{{"D2"}}, []Answer{{"D3"}}, []Move{{Code: "D2", To: []string{"D3"}, Kind: "moved"}}},
		"split":        {[]Answer{{"D4"}}, []Answer{{"D4"}}, []Move{{Code: "D4", To: []string{"D1", "D3"}, Kind: "split"}}},
		"lost":         {[]Answer{{"D5"}}, []Answer{{"D5"}}, []Move{{Code: "D5", Kind: "lost"}}},
		"composite":    {[]Answer{{"D2", "D3"}}, []Answer{{"D3"}}, []Move{{Code: "D2", To: []string{"D3"}, Kind: "moved"}}},
		"alternatives": {[]Answer{{"D2"}, {"D3"}}, []Answer{{"D3"}}, []Move{{Code: "D2", To: []string{"D3"}, Kind: "moved"}}},
		"nil":          {nil, nil, nil},
	} {
		docs := []Document{{ID: "1", Mentions: []Mention{{ID: "T1", Text: "gout", Gold: c.in}}}}
		var moves []Move
		Migrate(docs, func(code string) []string { return table[code] }, func(m Move) { moves = append(moves, m) })
		for i := range c.moves {
			c.moves[i].Document, c.moves[i].Mention, c.moves[i].Text = "1", "T1", "gout"
		}
		if diff := cmp.Diff(c.want, docs[0].Mentions[0].Gold) + cmp.Diff(c.moves, moves); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
