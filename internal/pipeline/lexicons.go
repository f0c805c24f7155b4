package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/lexicon"
	"syncabel/internal/text"
)

// hashLexicons is what the stage ranker has of ranker.lexicons in its key.
func (c *Config) hashLexicons() (map[string]string, error) {
	out := map[string]string{}
	for _, name := range c.Ranker.Lexicons {
		if table, ok := lexicon.Shipped(name); ok {
			sum := sha256.Sum256(table)
			out["lexicon "+name] = hex.EncodeToString(sum[:])
			continue
		}
		h, err := c.hashInputs(name)
		if err != nil {
			return nil, fmt.Errorf("%w; of ranker.lexicons, %s come with the program", err, strings.Join(lexicon.ShippedNames(), ", "))
		}
		out["lexicon "+name] = h[name]
	}
	return out, nil
}

// readLexicons reads the tables that ranker.lexicons names, those that come with the program and files; what several say adds up.
func (c *Config) readLexicons() (pairs []lexicon.Pair, warnings []text.Warning, err error) {
	for _, name := range c.Ranker.Lexicons {
		list, w, err := c.readLexicon(name)
		if err != nil {
			return nil, nil, fmt.Errorf("reading lexicon: %w", err)
		}
		pairs, warnings = append(pairs, list...), append(warnings, w...)
	}
	return lexicon.Merge(pairs), warnings, nil
}

func (c *Config) readLexicon(name string) (pairs []lexicon.Pair, warnings []text.Warning, err error) {
	if table, ok := lexicon.Shipped(name); ok {
		return lexicon.Read(bytes.NewReader(table), name)
	}
	err = open(c.path(name), func(f *os.File) error {
		pairs, warnings, err = lexicon.Read(f, filepath.Base(name))
		return err
	})
	return pairs, warnings, err
}
