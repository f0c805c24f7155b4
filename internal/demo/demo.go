// Package demo is the embedded example: a small knowledge base in three languages, annotated documents, and sentences that
// a language model wrote for every concept. All of it was invented for this project; there is no patient in it, and it is
// no benchmark. The demonstration is an ordinary run of an ordinary config over these files.
package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"syncabel/internal/artifact"
	"syncabel/internal/pipeline"
)

//go:generate go run ./gen

//go:embed data/*.toml data/*.tsv data/*.pubtator data/*.jsonl
var files embed.FS

// ConfigName is the config among the files.
const ConfigName = "demo.toml"

// Files returns the example's files: kb.tsv, relations.tsv, LANG.SPLIT.pubtator, journal.jsonl and demo.toml.
func Files() fs.FS {
	sub, err := fs.Sub(files, "data")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Unpack writes the files into a folder, so that they can be looked at, changed and run again.
func Unpack(dir string) error {
	return fs.WalkDir(Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(Files(), path)
		if err != nil {
			return fmt.Errorf("unpacking the example: %w", err)
		}
		to := filepath.Join(dir, path)
		if have, err := os.ReadFile(to); err == nil && string(have) == string(b) {
			return nil
		}
		return artifact.WriteFile(to, b)
	})
}

// Config unpacks the example below dir and returns its config.
func Config(dir string, settings []string) (*pipeline.Config, error) {
	data := filepath.Join(dir, "data")
	if err := Unpack(data); err != nil {
		return nil, err
	}
	return pipeline.LoadConfig(filepath.Join(data, ConfigName), settings)
}
