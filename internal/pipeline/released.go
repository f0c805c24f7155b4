package pipeline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/tokenizer"
)

// adopt makes the stage model of a checkpoint that was trained elsewhere: its files, weights linked where the file system can, and a
// config.json whose first and last token are those that its tokenizer puts around a text, which is what trainers go by. A folder without
// weights is taken as well: servers have them then.
func (r *runner) adopt(cfg Train, a *artifact.Folder) error {
	dir := r.cfg.path(cfg.Released)
	tok, err := tokenizer.Load(dir)
	if err != nil {
		return fmt.Errorf("reading train.released: %w", err)
	}
	c, weights, err := inspected(dir)
	if err != nil {
		return fmt.Errorf("reading train.released: %w", err)
	}
	if c.EOS, err = tokenEnd(dir, tok, c.EOS); err != nil {
		return fmt.Errorf("reading train.released: %w", err)
	}
	c.BOS = -1
	if before, _ := tok.Template(); len(before) > 0 {
		c.BOS = before[0]
	}
	if ids := tok.EncodeMarks(nil, markup.Sep); len(ids) != 1 || tok.VocabSize() > c.Vocab {
		return fmt.Errorf("reading train.released: %s was not trained for this: it needs %s as one token (it is %d) and a row for every token (%d of %d)", dir, markup.Sep, len(ids), c.Vocab, tok.VocabSize())
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading train.released: %w", err)
	}
	for _, e := range list {
		if e.IsDir() || e.Name() == artifact.ManifestName || !checkpoint.IsWeights(e.Name()) && !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		if err := linkOrCopy(filepath.Join(dir, e.Name()), a.Path(e.Name())); err != nil {
			return fmt.Errorf("taking over %s: %w", e.Name(), err)
		}
	}
	a.Manifest.Counts = map[string]int64{"parameters": int64(c.Weights()), "vocabulary": int64(c.Vocab)}
	if !weights {
		a.Manifest.Warnings = []artifact.Warning{{Kind: "weights elsewhere", Count: 1, Examples: []string{"the folder holds none: only servers can answer"}}}
	}
	return a.WriteJSON("config.json", c)
}

// inspected reads the configuration of a model folder and checks its weights against it, where it has any.
func inspected(dir string) (*model.Config, bool, error) {
	if found, _ := filepath.Glob(filepath.Join(dir, "*.safetensors")); len(found) == 0 {
		c, err := checkpoint.Config(dir)
		return c, false, err
	}
	m, err := checkpoint.Open(dir)
	if err != nil {
		return nil, true, err
	}
	defer m.Close()
	c := m.Config
	return &c, true, nil
}

func tokenEnd(dir string, tok *tokenizer.Tokenizer, configured int32) (int32, error) {
	id, err := tokenizer.EndToken(dir, tok)
	if err == nil && id < 0 {
		id = configured
	}
	if err == nil && id < 0 {
		err = errors.New("neither tokenizer_config.json nor config.json names the end of a sequence: names need an end")
	}
	return id, err
}

// linkOrCopy gives a file a second name, or copies it: other disks and systems without links. Files of a finished stage are not written to,
// so neither name's owner is surprised.
func linkOrCopy(src, dst string) error {
	if err := os.Remove(dst); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	src, err := filepath.EvalSymlinks(src) // the cache of the hub holds links
	if err != nil {
		return err
	}
	if checkpoint.IsWeights(dst) && os.Link(src, dst) == nil {
		return nil
	}
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	return artifact.WriteWith(dst, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}
