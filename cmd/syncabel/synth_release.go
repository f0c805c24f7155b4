package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/corpus/exchange"
	"syncabel/internal/synth"
)

type synthReleaseCmd struct {
	KB         string `required:"" name:"kb" help:"Folder of the knowledge base." type:"path"`
	Out        string `required:"" help:"Folder to write." type:"path"`
	Name       string `help:"Name of the data set." default:"synthetic sentences"`
	Restricted bool   `help:"Also sentences of concepts whose names are of licence class restricted or unknown: for your own use only."`
	Dir        string `arg:"" help:"Folder of the plan, after synth check." type:"path"`
}

// Help shows an example.
func (synthReleaseCmd) Help() string {
	return "Example:\n  syncabel synth release --kb kb/hpo --name 'HPO sentences' --out release synth\n\n" +
		"Writes BigBio JSON lines and Parquet for each language, README.md (dataset card: model, prompts, seeds, gates, counts, licence classes) and the prompts."
}

// Run writes a release.
func (c *synthReleaseCmd) Run(a *app) error {
	kb, err := openKB(c.KB)
	if err != nil {
		return err
	}
	defer kb.Close()
	dir := filepath.Join(c.Dir, checkedName)
	m, err := artifact.Open(dir)
	if err != nil {
		return fmt.Errorf("%w: synth check makes it", err)
	}
	docs, err := corpus.ReadFile(filepath.Join(dir, corpus.FileName))
	if err != nil {
		return err
	}
	plan, err := synth.OpenPlan(filepath.Join(c.Dir, planName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := synth.Release(c.Out, kb, docs, synth.ReleaseOptions{Name: c.Name, Restricted: c.Restricted, Plan: plan, Counts: gateCounts(m), Program: version(), Write: writeBigBio})
	if err != nil {
		return err
	}
	for _, language := range sortedKeys(out.Documents) {
		fmt.Fprintf(a.out, "%s: %d sentences: %s\n", language, out.Documents[language], strings.Join(out.Files[language], ", "))
	}
	if out.KeptBack > 0 {
		a.meter.log("%d sentences of restricted or unknown licence class were kept back", out.KeptBack)
	}
	return nil
}

// gateCounts reads the counts of the gates back from a manifest.
func gateCounts(m *artifact.Manifest) synth.Counts {
	out := synth.Counts{Sentences: int(m.Counts["sentences"]), Passed: int(m.Counts["passed"]), Unconfirmed: int(m.Counts["unconfirmed"]), Rejected: map[string]int{}}
	for k, n := range m.Counts {
		if why, ok := strings.CutPrefix(k, "rejected: "); ok {
			out.Rejected[why] = int(n)
		}
	}
	return out
}

// writeBigBio writes documents as Parquet and as JSON lines.
func writeBigBio(path string, docs []corpus.Document) ([]string, error) {
	var extensions []string
	for _, name := range []string{"bigbio-parquet", "bigbio"} {
		f, err := exchange.Lookup(name)
		if err != nil {
			return nil, err
		}
		err = artifact.WriteWith(path+f.Extension, func(w io.Writer) error {
			_, err := exchange.Write(w, name, docs, corpus.WriteOptions{})
			return err
		})
		if err != nil {
			return nil, err
		}
		extensions = append(extensions, f.Extension)
	}
	return extensions, nil
}
