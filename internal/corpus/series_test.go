package corpus

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Documents of a series stay together wherever documents are divided, and a series in two splits is found.
func TestSeries(t *testing.T) {
	var docs []Document
	for i := range 60 {
		docs = append(docs, Document{ID: fmt.Sprintf("P%d-%d", i/4, i), Text: fmt.Sprint("text ", i)})
	}
	docs = append(docs, Document{ID: "alone", Text: "text"})
	SetSeries(docs, regexp.MustCompile("^(P[0-9]+)-"))
	if docs[0].Series != "P0" || docs[60].Series != "" || docs[60].Whole() != "alone" {
		t.Fatalf("%q, %q", docs[0].Series, docs[60].Whole())
	}
	together := func(name string, of func(*Document) string) {
		part := map[string]string{}
		parts := map[string]bool{}
		for i := range docs {
			p := of(&docs[i])
			if old, ok := part[docs[i].Whole()]; ok && old != p {
				t.Errorf("%s: %s is in %s and %s", name, docs[i].Whole(), old, p)
			}
			part[docs[i].Whole()], parts[p] = p, true
		}
		if len(parts) != 3 {
			t.Errorf("%s: %d parts", name, len(parts))
		}
	}
	in := map[string]string{}
	for k, p := range Folds(docs, 3) {
		for _, d := range p {
			in[d.ID] = fmt.Sprint(k)
		}
	}
	together("folds", func(d *Document) string { return in[d.ID] })
	if err := Divide(docs, 1, 1, 1, 1); err != nil {
		t.Fatal(err)
	}
	together("splits", func(d *Document) string { return d.Split })
	if w := Audit(docs, nil); len(w) > 0 {
		t.Error(w)
	}
	docs[1].Split, docs[2].Split = "x", "y"
	if w := Audit(docs, nil); len(w) != 1 || w[0].Kind != "leakage" || !strings.Contains(w[0].Msg, `"P0"`) {
		t.Error(w)
	}
}
