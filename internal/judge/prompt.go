package judge

import (
	"cmp"
	"embed"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"text/template"

	"syncabel/internal/llm"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

//go:embed prompts/*.txt
var promptFiles embed.FS

// Prompts render the question about a mention in its language. The pages are files with worked examples of our own: none of
// their sentences is in any corpus.
type Prompts struct {
	pages map[string]*template.Template // by language
}

// LoadPrompts reads the built-in pages, and over them dir/judge.LANG.txt where dir is not empty.
func LoadPrompts(dir string) (*Prompts, error) {
	p := &Prompts{map[string]*template.Template{}}
	for _, lang := range []string{"en", "fr", "es"} {
		name := "judge." + lang + ".txt"
		b, err := promptFiles.ReadFile("prompts/" + name)
		if err != nil {
			return nil, fmt.Errorf("reading prompt: %w", err)
		}
		if dir != "" {
			own, err := os.ReadFile(dir + "/" + name)
			switch {
			case err == nil:
				b = own
			case !os.IsNotExist(err):
				return nil, fmt.Errorf("reading prompt: %w", err)
			}
		}
		if p.pages[lang], err = template.New(name).Parse(string(b)); err != nil {
			return nil, fmt.Errorf("reading prompt %s: %w", name, err)
		}
	}
	return p, nil
}

// Most that a prompt says about a concept: more names and definitions cost without helping a judge.
const (
	maxNames      = 8
	maxDefinition = 400 // bytes
)

// describe writes a concept for a judge: preferred name, type, further names of the language, definition. No code: a model that
// knows the vocabulary would look there for the answer.
func describe(kb *terminology.KB, ids []string, language string) (string, error) {
	var out []string
	for _, id := range ids {
		i, ok := kb.Index(id)
		if !ok {
			return "", fmt.Errorf("%s: %q", MissingConcept, id)
		}
		c := kb.Concept(i)
		title := c.PreferredName(language)
		s := fmt.Sprintf("%s (%s)", title, c.Types[0].Name)
		var names []string
		for _, n := range c.NamesIn("", language) {
			if n.Text != title && len(names) < maxNames {
				names = append(names, n.Text)
			}
		}
		if len(names) > 0 {
			s += "; also: " + strings.Join(names, "; ")
		}
		if d := definition(c, language); d != "" {
			s += "; definition: " + d
		}
		out = append(out, s)
	}
	return strings.Join(out, " AND "), nil
}

// definition is the first of the language, else the first, cut at a word.
func definition(c *terminology.Concept, language string) string {
	text := ""
	for _, d := range c.Definitions {
		if text == "" || d.Language == language {
			text = d.Text
			if d.Language == language {
				break
			}
		}
	}
	if len(text) > maxDefinition {
		text = text[:strings.LastIndexByte(text[:maxDefinition], ' ')+1] + "..."
	}
	return text
}

// A question is what is asked about one mention, with where the prediction stands in it.
type question struct {
	request   llm.Request
	predicted int // 0: the prediction is A, 1: it is B
}

// question builds the request of one mention for one model. In blind mode the order of gold and prediction is drawn by a hash of
// the mention, the same for every judge; openly, gold is A and the page says so.
func (p *Prompts) question(kb *terminology.KB, m *prediction.Prediction, model string, opt Options) (*question, error) {
	language := cmp.Or(m.Language, opt.Language, "en")
	page := p.pages[language]
	if page == nil {
		page = p.pages["en"]
	}
	gold, err := describe(kb, m.Gold[0], language)
	if err != nil {
		return nil, err
	}
	predicted, err := describe(kb, m.Candidates[0].IDs(), language)
	if err != nil {
		return nil, err
	}
	q := &question{predicted: 1}
	a, b := gold, predicted
	if opt.Blind && swapped(m, opt.Seed) {
		a, b, q.predicted = predicted, gold, 0
	}
	var text strings.Builder
	err = page.Execute(&text, map[string]any{"Open": !opt.Blind, "Sentence": cmp.Or(m.Sentence, "["+m.Text+"]"), "Mention": m.Text, "A": a, "B": b})
	if err != nil {
		return nil, fmt.Errorf("rendering prompt: %w", err)
	}
	zero := 0.0
	q.request = llm.Request{Model: model, Messages: []llm.Message{{Role: "user", Content: text.String()}}, Schema: schema,
		IfSchema: `Answer with one JSON object: {"a":VERDICT,"b":VERDICT}.`, IfLines: `Answer with one JSON object and nothing else: {"a":VERDICT,"b":VERDICT}.`,
		MaxTokens: opt.MaxTokens, Temperature: &zero, Seed: int64(opt.Seed)}
	return q, nil
}

// swapped draws the order of a mention's two concepts.
func swapped(m *prediction.Prediction, seed uint64) bool {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d\x00%s\x00%s\x00%s", seed, m.Document, m.Mention, m.Text)
	return h.Sum64()>>7&1 == 1
}

// read takes the verdict on the prediction from an answer, and the one on the gold.
func (q *question) read(text string) (predicted, gold string, err error) {
	a, err := parse(text)
	if err != nil {
		return "", "", err
	}
	if q.predicted == 0 {
		return a.A, a.B, nil
	}
	return a.B, a.A, nil
}
