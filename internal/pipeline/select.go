package pipeline

import (
	"context"
	"path/filepath"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
)

// A Selection is what active selection works with: a run's knowledge base and documents, and string comparison with the memory
// of whatever is annotated as its linker, which learns a document in no time.
type Selection struct {
	Name   string // of the project
	Docs   []corpus.Document
	Tagger *eval.Tagger
	kb     *terminology.KB
	link   Link
}

// OpenSelection opens a finished run's knowledge base and corpus.
func OpenSelection(dir string) (*Selection, error) {
	rec, err := ReadRun(dir)
	if err != nil {
		return nil, err
	}
	for _, p := range []string{rec.KB, rec.Corpus} {
		if _, err := artifact.Verify(filepath.Join(dir, p)); err != nil {
			return nil, err
		}
	}
	s := &Selection{Name: rec.Name, link: rec.Link}
	if s.kb, err = terminology.Open(filepath.Join(dir, rec.KB, terminology.FileName)); err != nil {
		return nil, err
	}
	if s.Docs, err = corpus.ReadFile(filepath.Join(dir, rec.Corpus, corpus.FileName)); err != nil {
		return nil, err
	}
	s.Tagger = eval.NewTagger(corpus.Split(s.Docs, "train"), s.kb)
	return s, nil
}

// PrepareSelection imports the knowledge base and the corpus of a config for a selection, without training anything.
func PrepareSelection(ctx context.Context, cfg *Config, opt Options) (*Selection, error) {
	r := &runner{ctx: ctx, cfg: cfg, opt: opt}
	release, err := r.claim()
	if err != nil {
		return nil, err
	}
	defer release()
	kbStage, kb, err := r.importKB()
	if err != nil {
		return nil, err
	}
	_, docs, err := r.importCorpus(kbStage, kb)
	if err != nil {
		return nil, err
	}
	return &Selection{Name: cfg.Name, Docs: docs, Tagger: eval.NewTagger(corpus.Split(docs, "train"), kb), kb: kb, link: cfg.Link}, nil
}

// Link links documents by string comparison and the annotations of others.
func (s *Selection) Link(ctx context.Context, annotated, docs []corpus.Document) ([]prediction.Prediction, error) {
	stage0 := lexical.NewRetriever(s.kb, lexical.Options{Names: true, Training: observations(s.kb, annotated, s.link)})
	l, err := link.New(link.Parts{KB: s.kb, Stage0: stage0}, link.Options{Mode: link.Lexical, Expand: s.link.Expand, Coordinate: s.link.Coordinate,
		GroupMap: s.link.GroupMap, Keep: s.link.Keep})
	if err != nil {
		return nil, err
	}
	return l.Link(ctx, docs)
}
