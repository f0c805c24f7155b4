package serve

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/terminology"
)

// ConceptRef names a concept.
type ConceptRef struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// Concept is one entry of the knowledge base.
type Concept struct {
	Code        string                     `json:"code"`
	Preferred   string                     `json:"preferred"`
	Groups      []string                   `json:"groups" nullable:"false"`
	Types       []terminology.SemanticType `json:"types" nullable:"false"`
	Names       []terminology.Name         `json:"names" nullable:"false"`
	Definitions []terminology.Definition   `json:"definitions" nullable:"false"`
	Parents     []ConceptRef               `json:"parents" nullable:"false" doc:"Directly broader concepts."`
	Children    []ConceptRef               `json:"children" nullable:"false" doc:"Directly narrower concepts, at most 100."`
	Ancestors   []ConceptRef               `json:"ancestors" nullable:"false" doc:"All broader concepts, nearest first, at most 100."`
	Xrefs       []string                   `json:"xrefs,omitempty" nullable:"false"`
}

// Hit is one concept that a search found.
type Hit struct {
	Code       string   `json:"code"`
	Name       string   `json:"name" doc:"The name that matched."`
	Language   string   `json:"language,omitempty" doc:"Of the name."`
	Preferred  string   `json:"preferred"`
	Groups     []string `json:"groups" nullable:"false"`
	Match      string   `json:"match" enum:"code,exact,prefix,word,spread,typo" doc:"How it matched."`
	Definition string   `json:"definition,omitempty"`
}

// Most narrower or broader concepts in an answer.
const maxRelatives = 100

type searchInput struct {
	Q        string `query:"q" required:"true" minLength:"1" maxLength:"200" doc:"What to look for: a code, a name, its beginning, words of it; typing errors are forgiven."`
	Language string `query:"language" maxLength:"8" doc:"Language of preferred names and definitions; names of every language are searched."`
	Group    string `query:"group" maxLength:"200" doc:"Only concepts of this semantic group."`
	Limit    int    `query:"limit" default:"20" minimum:"1" maximum:"100"`
}

type searchOutput struct {
	Body struct {
		Hits []Hit `json:"hits" nullable:"false"`
	}
}

type conceptInput struct {
	Code     string `path:"code" maxLength:"400" example:"D001"`
	Language string `query:"language" maxLength:"8" doc:"Language of the names of related concepts."`
}

type conceptOutput struct{ Body Concept }

func (s *Server) conceptRoutes() {
	op := operation(http.MethodGet, "/api/v1/search", "search", "Search the knowledge base", "concepts")
	op.Errors = append(op.Errors, http.StatusUnprocessableEntity)
	huma.Register(s.api, op, func(_ context.Context, in *searchInput) (*searchOutput, error) {
		out := &searchOutput{}
		out.Body.Hits = []Hit{}
		for _, h := range s.search(in.Q, in.Group, in.Limit) {
			c := s.opt.KB.Concept(h.Concept)
			out.Body.Hits = append(out.Body.Hits, Hit{Code: c.ID, Name: h.Name.Text, Language: h.Name.Language, Preferred: c.PreferredName(in.Language), Groups: c.Groups(), Match: h.Match.String(), Definition: definition(c, in.Language)})
		}
		return out, nil
	})
	op = operation(http.MethodGet, "/api/v1/concepts/{code}", "concept", "One concept by its code", "concepts")
	op.Errors = append(op.Errors, http.StatusNotFound)
	huma.Register(s.api, op, s.concept)
}

func (s *Server) concept(_ context.Context, in *conceptInput) (*conceptOutput, error) {
	kb := s.opt.KB
	i, ok := kb.Index(in.Code)
	if !ok {
		return nil, huma.Error404NotFound("the knowledge base has no such code")
	}
	c := kb.Concept(i)
	out := Concept{Code: c.ID, Preferred: c.PreferredName(in.Language), Groups: c.Groups(), Types: c.Types, Names: c.Names, Definitions: c.Definitions,
		Parents: s.refs(c.Parents, in.Language), Children: []ConceptRef{}, Ancestors: s.broader(c.ID, in.Language), Xrefs: c.Xrefs}
	for _, j := range s.children(i) {
		out.Children = append(out.Children, ConceptRef{kb.Concept(j).ID, kb.Concept(j).PreferredName(in.Language)})
	}
	if out.Definitions == nil {
		out.Definitions = []terminology.Definition{}
	}
	return &conceptOutput{out}, nil
}

func (s *Server) refs(codes []string, language string) []ConceptRef {
	out := []ConceptRef{}
	for _, code := range codes {
		if i, ok := s.opt.KB.Index(code); ok {
			out = append(out, ConceptRef{code, s.opt.KB.Concept(i).PreferredName(language)})
		}
	}
	return out
}

// broader returns the concepts above one, nearest first.
func (s *Server) broader(code, language string) []ConceptRef {
	out := []ConceptRef{}
	i, ok := s.opt.KB.Index(code)
	if !ok {
		return out
	}
	list := s.opt.KB.Ancestors(i)
	for _, j := range list[:min(len(list), maxRelatives)] {
		c := s.opt.KB.Concept(j)
		out = append(out, ConceptRef{c.ID, c.PreferredName(language)})
	}
	return out
}

// definition returns a concept's definition in a language, else its first.
func definition(c *terminology.Concept, language string) string {
	if len(c.Definitions) == 0 {
		return ""
	}
	i := slices.IndexFunc(c.Definitions, func(d terminology.Definition) bool { return d.Language == language })
	return c.Definitions[max(i, 0)].Text
}
