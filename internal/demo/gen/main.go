// Command gen turns the written sources of the demonstration (../source: marked documents and sentences) into the files
// that are embedded (../data: PubTator and a synthesis journal). It is run by go generate.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/pubtator"
	"syncabel/internal/synth"
	"syncabel/internal/terminology"
	"syncabel/internal/terminology/gazetteer"
	"syncabel/internal/text"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	kb, err := knowledge("data/kb.tsv")
	if err != nil {
		return err
	}
	for _, language := range []string{"en", "fr", "es"} {
		if err := documents(kb, language); err != nil {
			return err
		}
	}
	return journal()
}

func knowledge(path string) (*terminology.KB, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := terminology.NewBuilder()
	if err := gazetteer.Read(b, f, path, gazetteer.Options{}); err != nil {
		return nil, err
	}
	kb, _ := b.Build()
	return kb, nil
}

// documents converts source/docs.LANG*.txt: `#doc ID split`, a title line, a line of text with [mention|CODE].
func documents(kb *terminology.KB, language string) error {
	paths, err := filepath.Glob("source/docs." + language + "*.txt")
	if err != nil {
		return err
	}
	slices.Sort(paths)
	bySplit := map[string][]corpus.Document{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
			d, err := document(kb, strings.TrimSpace(block), language)
			if err != nil {
				return fmt.Errorf("%s: document %d: %w", path, i+1, err)
			}
			bySplit[d.Split] = append(bySplit[d.Split], d)
		}
	}
	for split, docs := range bySplit {
		var out bytes.Buffer
		if _, err := pubtator.Write(&out, docs, corpus.WriteOptions{}); err != nil {
			return err
		}
		if err := artifact.WriteFile(fmt.Sprintf("data/%s.%s.pubtator", language, split), out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func document(kb *terminology.KB, block, language string) (corpus.Document, error) {
	lines := strings.Split(block, "\n")
	var d corpus.Document
	if n, err := fmt.Sscanf(lines[0], "#doc %s %s", &d.ID, &d.Split); n != 2 || err != nil || len(lines) < 3 {
		return d, fmt.Errorf("bad block %q", lines[0])
	}
	d.Language, d.Text = language, lines[1]+"\n"
	rest := strings.Join(lines[2:], " ")
	for rest != "" {
		a := strings.IndexByte(rest, '[')
		if a < 0 {
			break
		}
		b := strings.IndexByte(rest, ']')
		surface, code, ok := strings.Cut(rest[a+1:max(b, a+1)], "|")
		if !ok {
			return d, fmt.Errorf("bad mention near %q", rest[a:min(a+30, len(rest))])
		}
		d.Text += rest[:a]
		m, err := mention(kb, surface, code, len(d.Text))
		if err != nil {
			return d, err
		}
		d.Mentions = append(d.Mentions, m)
		d.Text += surface
		rest = rest[b+1:]
	}
	d.Text += rest
	return d, nil
}

func mention(kb *terminology.KB, surface, code string, at int) (corpus.Mention, error) {
	m := corpus.Mention{Spans: []text.Span{{Start: at, End: at + len(surface)}}, Text: surface}
	if group, ok := strings.CutPrefix(code, "NIL:"); ok {
		m.Type = group
		return m, nil
	}
	ids := strings.Split(code, "+")
	for _, id := range ids {
		i, ok := kb.Index(id)
		if !ok {
			return m, fmt.Errorf("mention %q has unknown code %q", surface, id)
		}
		m.Type = kb.Concept(i).Groups()[0]
	}
	slices.Sort(ids)
	m.Gold = []corpus.Answer{ids}
	return m, nil
}

// journal gathers source/synth.LANG*.txt (`CODE<TAB>sentence`) into one record a concept and language.
func journal() error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, language := range []string{"en", "fr", "es"} {
		paths, err := filepath.Glob("source/synth." + language + "*.txt")
		if err != nil {
			return err
		}
		slices.Sort(paths)
		for _, path := range paths {
			records, err := records(path, language)
			if err != nil {
				return err
			}
			for _, r := range records {
				if err := enc.Encode(r); err != nil {
					return err
				}
			}
		}
	}
	return artifact.WriteFile("data/journal.jsonl", out.Bytes())
}

func records(path, language string) ([]synth.Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []synth.Record
	at := map[string]int{}
	sc := bufio.NewScanner(f)
	for line := 1; sc.Scan(); line++ {
		code, sentence, ok := strings.Cut(sc.Text(), "\t")
		if !ok {
			return nil, fmt.Errorf("%s:%d: no tab", path, line)
		}
		if _, ok := at[code]; !ok {
			at[code] = len(out)
			out = append(out, synth.Record{Concept: code, Language: language, Prompt: "general." + language, Model: "claude"})
		}
		out[at[code]].Answer += sentence + "\n"
	}
	return out, sc.Err()
}
