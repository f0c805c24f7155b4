package synth

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"syncabel/internal/llm"
	"syncabel/internal/terminology"
)

//go:embed prompts
var promptFiles embed.FS

// A Prompt asks for sentences in one language and register. Its file has four sections, each begun by a line `=== name`:
// system, which is the same for every concept, so that servers can keep it in their prefix cache; user, the concept; and what is
// added where the answer follows a schema, or is to be lines. All are templates of package text/template.
type Prompt struct {
	Name     string `json:"name"`     // register.language, e.g. "pubmed.en"
	Language string `json:"language"` // ISO 639-1
	N        int    `json:"sentences"`
	System   string `json:"system"`
	IfSchema string `json:"if_schema"`
	IfLines  string `json:"if_lines"`
	Hash     string `json:"sha256"` // of the file

	user *template.Template
}

// PromptNames returns the prompts that come with the program.
func PromptNames() []string {
	list, err := fs.Glob(promptFiles, "prompts/*.txt")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i := range list {
		list[i] = strings.TrimSuffix(strings.TrimPrefix(list[i], "prompts/"), ".txt")
	}
	return list
}

// LoadPrompt returns a prompt that comes with the program, for n sentences.
func LoadPrompt(name string, n int) (*Prompt, error) {
	b, err := promptFiles.ReadFile("prompts/" + name + ".txt")
	if err != nil {
		return nil, fmt.Errorf("no prompt %q: have %s, or name a file", name, strings.Join(PromptNames(), ", "))
	}
	return ParsePrompt(name, string(b), n)
}

// ParsePrompt reads a prompt file. The name ends in .LANGUAGE.
func ParsePrompt(name, content string, n int) (*Prompt, error) {
	_, language, ok := strings.Cut(name, ".")
	if !ok || len(language) != 2 {
		return nil, fmt.Errorf("prompt %q: its name must end in the language, as pubmed.en does", name)
	}
	sum := sha256.Sum256([]byte(content))
	p := &Prompt{Name: name, Language: language, N: n, Hash: hex.EncodeToString(sum[:])}
	parts := sections(content)
	for _, section := range []string{"system", "user", "schema", "lines"} {
		t, err := template.New(name + " " + section).Option("missingkey=error").Parse(parts[section])
		if err != nil || parts[section] == "" {
			return nil, fmt.Errorf("prompt %q: section %q is missing or broken: %v", name, section, err)
		}
		if section == "user" {
			p.user = t
			continue
		}
		var out strings.Builder
		if err := t.Execute(&out, map[string]any{"N": n}); err != nil {
			return nil, fmt.Errorf("prompt %q: section %q may only use .N: %w", name, section, err)
		}
		*map[string]*string{"system": &p.System, "schema": &p.IfSchema, "lines": &p.IfLines}[section] = strings.TrimSpace(out.String())
	}
	return p, nil
}

func sections(content string) map[string]string {
	out := map[string]string{}
	name := ""
	for line := range strings.Lines(content) {
		if s, ok := strings.CutPrefix(strings.TrimSpace(line), "=== "); ok {
			name = s
			continue
		}
		out[name] += line
	}
	return out
}

// Bounds of what a prompt says of a concept: some have hundreds of names and pages of definitions, which cost more than they tell.
const (
	maxNames       = 30
	maxName        = 120 // runes
	maxDefinitions = 3
	maxDefinition  = 600 // runes
)

// User renders the part of the prompt that names the concept. Examples are sentences that show the style.
func (p *Prompt) User(c *terminology.Concept, examples []string) (string, error) {
	names := promptNames(c, p.Language)
	var types []string
	for _, t := range c.Types {
		if t.Name != t.Group && !slices.Contains(types, t.Name) {
			types = append(types, t.Name)
		}
	}
	var out strings.Builder
	err := p.user.Execute(&out, map[string]any{"N": p.N, "ID": c.ID, "Title": tidy(c.PreferredName(p.Language)), "Group": strings.Join(c.Groups(), ", "),
		"Type": strings.Join(types, ", "), "Definitions": promptDefinitions(c, p.Language), "Names": strings.Join(names, "; "), "Examples": examples})
	return strings.TrimSpace(out.String()), err
}

// promptNames returns the names in the language, or in any where there are none.
func promptNames(c *terminology.Concept, language string) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range c.NamesIn("", language) {
		s := tidy(n.Text)
		key := terminology.Normalize(s)
		if seen[key] || len([]rune(s)) > maxName {
			continue
		}
		seen[key] = true
		if out = append(out, strings.ReplaceAll(s, ";", ",")); len(out) == maxNames {
			break
		}
	}
	if len(out) == 0 {
		out = append(out, tidy(c.PreferredName(language)))
	}
	return out
}

// promptDefinitions returns the definitions in the language, else those in English, which models read well.
func promptDefinitions(c *terminology.Concept, language string) []string {
	for _, l := range []string{language, "en"} {
		var out []string
		for _, d := range c.Definitions {
			if s := tidy(tag.ReplaceAllString(d.Text, " ")); s != "" && (d.Language == l || d.Language == "") && len(out) < maxDefinitions {
				out = append(out, truncate(s, maxDefinition))
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// tag matches the HTML that some vocabularies leave in definitions.
var tag = regexp.MustCompile(`</?[a-zA-Z][^<>]*>`)

// tidy puts white space, the no-break kinds included, into single spaces.
func tidy(s string) string { return strings.Join(strings.Fields(s), " ") }

func truncate(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	s = string(r[:n])
	if i := strings.LastIndexByte(s, ' '); i > 0 {
		s = s[:i]
	}
	return s + " ..."
}

// schemaOf is the JSON schema of an answer of n sentences.
func schemaOf(n int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"type":"object","properties":{"sentences":{"type":"array","items":{"type":"string"},"minItems":%d,"maxItems":%d}},"required":["sentences"],"additionalProperties":false}`, n, n))
}

// Sampling is how the model is asked to write. Zero values leave it to the server.
type Sampling struct {
	Model       string   `json:"model"`
	Temperature *float64 `json:"temperature,omitempty"`
	TopP        *float64 `json:"top_p,omitempty"`
	MaxTokens   int      `json:"max_tokens,omitempty"`
	Plain       bool     `json:"plain,omitempty"` // no schema: lines everywhere
}

// Request is what is sent for one concept.
func (p *Prompt) Request(user string, s Sampling, seed int64) *llm.Request {
	r := &llm.Request{Model: s.Model, Messages: []llm.Message{{Role: "system", Content: p.System}, {Role: "user", Content: user}},
		IfSchema: p.IfSchema, IfLines: p.IfLines, MaxTokens: s.MaxTokens, Temperature: s.Temperature, TopP: s.TopP, Seed: seed}
	if !s.Plain {
		r.Schema = schemaOf(p.N)
	}
	return r
}
