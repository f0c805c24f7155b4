package obo

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// graphsFile is OBO Graphs JSON (github.com/geneontology/obographs), as far as it is read.
type graphsFile struct {
	Graphs []struct {
		Nodes []graphNode `json:"nodes"`
		Edges []struct {
			Sub  string `json:"sub"`
			Pred string `json:"pred"`
			Obj  string `json:"obj"`
		} `json:"edges"`
	} `json:"graphs"`
}

type graphNode struct {
	ID    string `json:"id"`
	Label string `json:"lbl"`
	Type  string `json:"type"`
	Meta  struct {
		Definition struct {
			Val string `json:"val"`
		} `json:"definition"`
		Synonyms []struct {
			Pred string `json:"pred"`
			Val  string `json:"val"`
		} `json:"synonyms"`
		Xrefs []struct {
			Val string `json:"val"`
		} `json:"xrefs"`
		Properties []struct {
			Pred string `json:"pred"`
			Val  string `json:"val"`
		} `json:"basicPropertyValues"`
		Deprecated bool `json:"deprecated"`
	} `json:"meta"`
}

// maxGraphs bounds a file: the largest published ontologies have some hundred MB.
const maxGraphs = 4 << 30

// ReadGraphs adds the classes of an OBO Graphs JSON file to b.
func ReadGraphs(b *terminology.Builder, r io.Reader, file string, opt Options) error {
	var g graphsFile
	if err := json.NewDecoder(io.LimitReader(r, maxGraphs)).Decode(&g); err != nil {
		return &text.SyntaxError{File: file, Msg: "no OBO Graphs JSON: " + err.Error()}
	}
	if len(g.Graphs) == 0 {
		return &text.SyntaxError{File: file, Msg: "no OBO Graphs JSON: there is no graph"}
	}
	b.At(file, 0)
	seen := map[string]bool{}
	for _, graph := range g.Graphs {
		for _, n := range graph.Nodes {
			if n.Type != "" && n.Type != "CLASS" {
				continue
			}
			if seen[n.ID] {
				b.Warn(text.Warning{File: file, Kind: "duplicate", Msg: fmt.Sprintf("class %s comes a second time: what both say is united", n.ID)})
			}
			seen[n.ID] = true
			n.add(b, opt)
		}
		for _, e := range graph.Edges {
			if e.Pred == "is_a" {
				b.AddParent(curie(e.Sub), curie(e.Obj))
			}
		}
	}
	return nil
}

// add adds the class, its alternate IDs, and of an obsolete one what may be meant instead.
func (n *graphNode) add(b *terminology.Builder, opt Options) {
	c := n.concept(opt)
	b.Add(c)
	for _, p := range n.Meta.Properties {
		switch {
		case strings.HasSuffix(p.Pred, "hasAlternativeId"):
			b.Retire(curie(p.Val), "", terminology.Replacement{ID: c.ID, Relation: "alternate"})
		case strings.HasSuffix(p.Pred, "consider"):
			b.Retire(c.ID, "", terminology.Replacement{ID: curie(p.Val), Relation: "consider"})
		}
	}
}

func (n *graphNode) concept(opt Options) terminology.Concept {
	id := curie(n.ID)
	prefix, _, _ := strings.Cut(id, ":")
	source, group, language := opt.Source, opt.Group, opt.Language
	if source == "" {
		source = prefix
	}
	if language == "" {
		language = "en"
	}
	c := terminology.Concept{ID: id, Retired: n.Meta.Deprecated}
	name := func(s string, preferred bool, kind string) {
		if s = strings.TrimSpace(s); s != "" {
			c.Names = append(c.Names, terminology.Name{Text: s, Language: language, Preferred: preferred, Source: source, Kind: kind, Licence: opt.Licence})
		}
	}
	name(n.Label, true, "")
	for _, s := range n.Meta.Synonyms {
		name(s.Val, false, strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(s.Pred, "has"), "Synonym")))
	}
	if d := n.Meta.Definition.Val; d != "" {
		c.Definitions = []terminology.Definition{{Text: d, Language: language, Source: source}}
	}
	for _, x := range n.Meta.Xrefs {
		c.Xrefs = append(c.Xrefs, x.Val)
	}
	for _, p := range n.Meta.Properties {
		switch {
		case strings.HasSuffix(p.Pred, "hasOBONamespace") && group == "":
			group = p.Val
		case strings.HasSuffix(p.Pred, "IAO_0100001"):
			c.ReplacedBy = append(c.ReplacedBy, curie(p.Val))
		}
	}
	if group == "" {
		group = prefix
	}
	c.Types = []terminology.SemanticType{{Name: group, Group: group}}
	return c
}

// curie turns http://purl.obolibrary.org/obo/HP_0000001 into HP:0000001.
func curie(iri string) string {
	if !strings.Contains(iri, "/") {
		return iri
	}
	return strings.Replace(path.Base(iri), "_", ":", 1)
}
