package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecipeCommands: every command in the pages of recipes is one that this program takes. Whether the chain works is tried in pipeline.
func TestRecipeCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/recipes/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	n := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shellLines(string(b)) {
			words := shellWords(line)
			if words[0] != "syncabel" {
				t.Errorf("%s: %s is no command of this program: put it into a block of text", filepath.Base(page), line)
				continue
			}
			n++
			var c cli
			var usage bytes.Buffer
			parser, err := newParser(&c, io.Discard, &usage, func(int) {})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(words[1:]); err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(page), line, err)
			}
		}
	}
	if n < 30 {
		t.Errorf("%d commands only", n)
	}
}

// shellLines returns the lines of blocks that are marked as sh.
func shellLines(page string) []string {
	var out []string
	in := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			in = line == "```sh"
		case in && line != "":
			out = append(out, line)
		}
	}
	return out
}

// shellWords cuts a line at spaces outside single quotes.
func shellWords(line string) []string {
	var out []string
	quoted := false
	word := ""
	for _, r := range line {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			out, word = append(out, word), ""
		default:
			word += string(r)
		}
	}
	return append(out, word)
}
