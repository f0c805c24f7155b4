package serve

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"syncabel/internal/corpus"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
)

// LinkedDocument is a document with its links.
type LinkedDocument struct {
	ID       string          `json:"id,omitempty"`
	Text     string          `json:"text" doc:"The text without marks: start and end count in it."`
	Language string          `json:"language"`
	Offsets  string          `json:"offsets" enum:"byte,codepoint,utf16"`
	Links    []LinkedMention `json:"links" nullable:"false"`
	Model    string          `json:"model,omitempty"`
}

// LinkedMention is one mention with what it may mean.
type LinkedMention struct {
	ID         string      `json:"id"`
	Start      int         `json:"start"`
	End        int         `json:"end"`
	Text       string      `json:"text"`
	Group      string      `json:"group" doc:"Semantic group that was searched."`
	Candidates []Candidate `json:"candidates" nullable:"false" doc:"Best first; empty: no concept of the knowledge base."`
	NIL        float64     `json:"nil_probability,omitempty" doc:"Probability that no candidate is right, where the model knows it."`
	Uncertain  bool        `json:"uncertain" doc:"Too little probability to be trusted without a look."`
}

// Candidate is one concept a mention may mean.
type Candidate struct {
	Code        string   `json:"code"`
	Name        string   `json:"name" doc:"The name that was reached."`
	Preferred   string   `json:"preferred" doc:"The preferred name in the language of the text."`
	Probability float64  `json:"probability"`
	Source      []string `json:"source,omitempty" nullable:"false" doc:"What proposed it: beam, dictionary, memory (of training annotations), tfidf, training."`
	Definition  string   `json:"definition,omitempty"`
}

// Explained is a candidate with why it is one.
type Explained struct {
	Candidate
	Parents  []ConceptRef `json:"parents" nullable:"false" doc:"Broader concepts, nearest first."`
	PathName string       `json:"path_name,omitempty" doc:"The name that the model finds most likely for this concept."`
	Path     []Step       `json:"path" nullable:"false" doc:"The way to that name, token by token; empty without a model."`
}

// Step is one token of a name.
type Step struct {
	Token       string  `json:"token" doc:"Empty: the name ends here."`
	Ways        int     `json:"ways" doc:"Tokens that could follow."`
	Names       int     `json:"names" doc:"Names that begin like this."`
	Probability float64 `json:"probability" doc:"Of the token among the ways."`
}

type linkInput struct {
	K    int `query:"k" default:"5" minimum:"1" maximum:"50" doc:"Candidates of a mention."`
	Body Document
}

type linkOutput struct{ Body LinkedDocument }

type candidatesInput struct {
	K    int `query:"k" default:"5" minimum:"1" maximum:"20" doc:"Candidates."`
	Body Document
}

type candidatesOutput struct {
	Body struct {
		Mention    LinkedMention `json:"mention"`
		Candidates []Explained   `json:"candidates" nullable:"false"`
	}
}

func (s *Server) linkRoutes() {
	op := operation(http.MethodPost, "/api/v1/link", "link", "Link the mentions of a text", "link")
	op.Description = "Mentions are given by offsets, marked in the text as [mention]{Group}, or detected when neither is there."
	huma.Register(s.api, op, func(ctx context.Context, in *linkInput) (*linkOutput, error) {
		out, err := s.link(ctx, &in.Body, in.K)
		if err != nil {
			return nil, problemOf(err)
		}
		return &linkOutput{*out}, nil
	})
	op = operation(http.MethodPost, "/api/v1/candidates", "candidates", "Explain the candidates of one mention", "link")
	op.Description = "The text has exactly one mention, given or marked. Candidates come with definition, broader concepts and the path of their name through the trie."
	huma.Register(s.api, op, s.candidates)
}

// link links one document.
func (s *Server) link(ctx context.Context, d *Document, k int) (*LinkedDocument, error) {
	doc, err := s.parse(d)
	if err != nil {
		return nil, err
	}
	preds, err := s.pool.link(ctx, []corpus.Document{*doc})
	if err != nil {
		return nil, err
	}
	return s.linked(doc, preds, cmp.Or(d.Offsets, unitByte), k), nil
}

func (s *Server) linked(doc *corpus.Document, preds []prediction.Prediction, unit string, k int) *LinkedDocument {
	out := &LinkedDocument{ID: doc.ID, Text: doc.Text, Language: doc.Language, Offsets: unit, Links: make([]LinkedMention, 0, len(preds)), Model: s.opt.Model}
	u := newUnits(doc.Text, unit)
	for i := range preds {
		out.Links = append(out.Links, s.mention(&preds[i], u, doc.Language, k))
	}
	return out
}

func (s *Server) mention(p *prediction.Prediction, u *units, language string, k int) LinkedMention {
	m := LinkedMention{ID: p.Mention, Start: u.from(p.Spans[0].Start), End: u.from(p.Spans[len(p.Spans)-1].End), Text: p.Text, Group: p.Group,
		NIL: p.NIL, Uncertain: s.uncertain(p), Candidates: make([]Candidate, 0, k)}
	for _, c := range p.Candidates[:min(k, len(p.Candidates))] {
		m.Candidates = append(m.Candidates, s.candidate(c, language))
	}
	return m
}

// uncertain reports whether people should look at a link.
func (s *Server) uncertain(p *prediction.Prediction) bool {
	return len(p.Candidates) == 0 || p.Candidates[0].Probability*(1-p.NIL) < s.opt.Uncertain
}

func (s *Server) candidate(c prediction.Candidate, language string) Candidate {
	out := Candidate{Code: c.Code, Name: c.Name, Preferred: c.Name, Probability: c.Probability, Source: c.Source}
	if i, ok := s.opt.KB.Index(c.Code); ok {
		concept := s.opt.KB.Concept(i)
		out.Preferred, out.Definition = concept.PreferredName(language), definition(concept, language)
	}
	return out
}

func (s *Server) candidates(ctx context.Context, in *candidatesInput) (*candidatesOutput, error) {
	doc, err := s.parse(&in.Body)
	if err != nil {
		return nil, problemOf(err)
	}
	if len(doc.Mentions) != 1 {
		return nil, huma.Error422UnprocessableEntity("give or mark exactly one mention")
	}
	preds, err := s.pool.link(ctx, []corpus.Document{*doc})
	if err != nil {
		return nil, problemOf(err)
	}
	out := &candidatesOutput{}
	out.Body.Mention = s.mention(&preds[0], newUnits(doc.Text, in.Body.Offsets), doc.Language, in.K)
	out.Body.Candidates = make([]Explained, len(out.Body.Mention.Candidates))
	for i, c := range out.Body.Mention.Candidates {
		out.Body.Candidates[i] = Explained{Candidate: c, Parents: s.broader(c.Code, doc.Language), Path: []Step{}}
	}
	return out, problemOf(s.paths(ctx, doc, out.Body.Candidates))
}

// An explainer is a linker that can show the way to a name.
type explainer interface {
	Path(ctx context.Context, d *corpus.Document, mention int, code string) (string, []link.Step, error)
}

// paths adds the way to each candidate's name, where the linker knows it.
func (s *Server) paths(ctx context.Context, doc *corpus.Document, list []Explained) error {
	return s.pool.use(ctx, func(l Linker) error {
		e, ok := l.(explainer)
		if !ok {
			return nil
		}
		for i := range list {
			name, steps, err := e.Path(ctx, doc, 0, list[i].Code)
			if err != nil {
				return err
			}
			list[i].PathName = name
			for _, x := range steps {
				list[i].Path = append(list[i].Path, Step(x))
			}
		}
		return nil
	})
}
