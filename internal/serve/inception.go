package serve

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The endpoints of an external recommender of INCEpTION (inception-project.github.io): remote URL http://HOST:PORT. A request
// holds the document as UIMA XMI; the answer is the same XMI with predictions. Annotations of the layer that are there are
// linked; a document without any gets predictions by detection. Offsets count UTF-16 units.

// InceptionMetadata says what is to be predicted.
type InceptionMetadata struct {
	_       struct{} `additionalProperties:"true"`
	Layer   string   `json:"layer" doc:"Type of the annotations, e.g. de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"`
	Feature string   `json:"feature" doc:"Feature that takes the code, e.g. identifier"`
}

// InceptionDocument is a document in UIMA XMI.
type InceptionDocument struct {
	_   struct{} `additionalProperties:"true"`
	XMI string   `json:"xmi"`
}

type inceptionInput struct {
	Body struct {
		_          struct{}          `additionalProperties:"true"`
		Metadata   InceptionMetadata `json:"metadata"`
		Document   InceptionDocument `json:"document"`
		TypeSystem string            `json:"typeSystem,omitempty"`
	}
}

type inceptionOutput struct {
	Body struct {
		Document string `json:"document" doc:"The document with predictions, in UIMA XMI."`
	}
}

type inceptionTrainInput struct {
	Body struct {
		_ struct{} `additionalProperties:"true"`
	}
}

func (s *Server) inceptionRoutes() {
	huma.Register(s.api, operation(http.MethodPost, "/predict", "inception-predict", "INCEpTION: predict a document", "compatible"), func(ctx context.Context, in *inceptionInput) (*inceptionOutput, error) {
		out := &inceptionOutput{}
		var err error
		out.Body.Document, err = s.inception(ctx, &in.Body.Metadata, in.Body.Document.XMI)
		return out, problemOf(err)
	})
	op := operation(http.MethodPost, "/train", "inception-train", "INCEpTION: training data, which this recommender does not use", "compatible")
	op.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, op, func(context.Context, *inceptionTrainInput) (*struct{}, error) { return nil, nil })
}

// cas is what a prediction needs of a document in XMI.
type cas struct {
	text    string
	sofa    string // xmi:id of the view's text
	maxID   int
	end     int               // byte at which the root ends
	members int               // byte behind the last member of the view; 0: it has no list
	spaces  map[string]string // name space -> prefix, as the root declares them
	layer   []Mention         // annotations of the layer
}

func (s *Server) inception(ctx context.Context, meta *InceptionMetadata, xmi string) (string, error) {
	space, name := ecore(meta.Layer)
	if name == "" || !isName(meta.Feature) || !isName(name) {
		return "", huma.Error422UnprocessableEntity("metadata.layer is the name of a type, metadata.feature of one of its features")
	}
	c, err := parseXMI(xmi, space, name)
	if err != nil {
		return "", huma.Error422UnprocessableEntity("document.xmi: " + err.Error())
	}
	if strings.TrimSpace(c.text) == "" {
		return xmi, nil
	}
	no := false
	linked, err := s.link(ctx, &Document{Text: c.text, Offsets: unitUTF16, Marked: &no, Mentions: c.layer}, 3)
	if err != nil {
		return "", err
	}
	return c.with(xmi, space, name, meta.Feature, linked.Links), nil
}

// ecore splits a type's name into the name space and local name that XMI gives it.
func ecore(typ string) (space, name string) {
	i := strings.LastIndexByte(typ, '.')
	if i < 0 {
		return "http:///uima/noNamespace.ecore", typ
	}
	return "http:///" + strings.ReplaceAll(typ[:i], ".", "/") + ".ecore", typ[i+1:]
}

func isName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

const casSpace = "http:///uima/cas.ecore"

// parseXMI reads text, ids and annotations of a layer. Entities and external documents are not resolved: encoding/xml never does.
func parseXMI(xmi, space, name string) (*cas, error) {
	c := &cas{spaces: map[string]string{}}
	dec := xml.NewDecoder(strings.NewReader(xmi))
	depth := 0
	for {
		before := dec.InputOffset()
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.New("it is no XML")
		}
		switch e := t.(type) {
		case xml.StartElement:
			if depth++; depth == 1 {
				c.root(e)
			}
			if err := c.element(e, space, name, xmi[before:dec.InputOffset()], int(before)); err != nil {
				return nil, err
			}
		case xml.EndElement:
			if depth--; depth == 0 {
				c.end = int(before)
			}
		}
	}
	if c.sofa == "" || c.end == 0 {
		return nil, errors.New("it holds no text (cas:Sofa)")
	}
	return c, nil
}

func (c *cas) root(e xml.StartElement) {
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" {
			c.spaces[a.Value] = a.Name.Local
		}
	}
}

// element notes what matters of one element; raw is its tag, which starts at byte `at`.
func (c *cas) element(e xml.StartElement, space, name, raw string, at int) error {
	a := map[string]string{}
	for _, x := range e.Attr {
		a[x.Name.Local] = x.Value
	}
	if n, err := strconv.Atoi(a["id"]); err == nil {
		c.maxID = max(c.maxID, n)
	}
	switch {
	case e.Name.Space == casSpace && e.Name.Local == "Sofa" && c.sofa == "":
		c.text, c.sofa = a["sofaString"], a["id"]
	case e.Name.Space == casSpace && e.Name.Local == "View" && a["sofa"] == c.sofa:
		if i := strings.Index(raw, "members="); i >= 0 {
			if j := strings.IndexByte(raw[i+9:], raw[i+8]); j >= 0 {
				c.members = at + i + 9 + j
			}
		}
	case e.Name.Space == space && e.Name.Local == name && a["inception_internal_predicted"] != "true":
		begin, err1 := strconv.Atoi(a["begin"])
		end, err2 := strconv.Atoi(a["end"])
		if err1 != nil || err2 != nil {
			return fmt.Errorf("an annotation %s has no begin and end", name)
		}
		if begin < end {
			c.layer = append(c.layer, Mention{Start: begin, End: end, Group: ""})
		}
	}
	return nil
}

// with returns the XMI with a prediction for every link: one element each before the end of the root, their ids among the
// members of the view.
func (c *cas) with(xmi, space, name, feature string, links []LinkedMention) string {
	var elements, ids bytes.Buffer
	prefix, declared := c.spaces[space]
	if !declared {
		prefix = "syncabel"
		for slices.Contains(slices.Collect(maps.Values(c.spaces)), prefix) {
			prefix += "x"
		}
	}
	next := c.maxID
	for _, m := range links {
		for _, x := range m.Candidates {
			next++
			fmt.Fprintf(&ids, " %d", next)
			fmt.Fprintf(&elements, "<%s:%s", prefix, name)
			if !declared {
				fmt.Fprintf(&elements, ` xmlns:%s="%s"`, prefix, space)
			}
			fmt.Fprintf(&elements, ` xmi:id="%d" sofa="%s" begin="%d" end="%d" %s="%s" %s_score="%g" %s_score_explanation="%s" inception_internal_predicted="true"/>`,
				next, attribute(c.sofa), m.Start, m.End, feature, attribute(x.Code), feature, x.Probability, feature, attribute(x.Name))
		}
	}
	out := xmi[:c.end] + elements.String() + xmi[c.end:]
	if c.members > 0 && c.members <= c.end {
		out = out[:c.members] + ids.String() + out[c.members:]
	}
	return out
}

func attribute(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
	return b.String()
}
