// Package study answers how much human annotation a linker needs. It crosses the share of annotated documents with mixing
// modes, synthetic sentences per concept, model sizes and seeds, has every cell of that grid trained and linked by whoever can
// (package pipeline), and turns the predictions into a data-efficiency curve with intervals and the share at which a mode
// reaches what all human annotations alone reach. It also proposes which documents to annotate next. It stands after eval
// and before report, reads predictions and documents, and trains nothing itself.
package study

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"syncabel/internal/prediction"
)

// A Cell is one training run of the grid.
type Cell struct {
	Mode      string  `json:"mode"`                // mixing mode, or the name of a variant
	Preset    string  `json:"preset,omitempty"`    // size of the model; empty: the config's
	Sentences int     `json:"sentences,omitempty"` // synthetic sentences per concept and language; 0: all there are
	Fraction  float64 `json:"fraction"`            // of the human training documents, 0 to 1
	Seed      uint64  `json:"seed"`                // of the training and of the choice of documents
}

// String names a cell in messages.
func (c Cell) String() string {
	s := fmt.Sprintf("%s, %g %% of the documents, seed %d", c.Mode, 100*c.Fraction, c.Seed)
	if c.Sentences > 0 {
		s += fmt.Sprintf(", %d sentences a concept", c.Sentences)
	}
	if c.Preset != "" {
		s += ", " + c.Preset
	}
	return s
}

// A Series is a cell without fraction and seed: one curve.
type Series struct {
	Mode      string `json:"mode"`
	Preset    string `json:"preset,omitempty"`
	Sentences int    `json:"sentences,omitempty"`
}

// Series returns the curve a cell belongs to.
func (c Cell) Series() Series { return Series{c.Mode, c.Preset, c.Sentences} }

// String is the curve's name in tables.
func (s Series) String() string {
	out := s.Mode
	if s.Sentences > 0 {
		out += fmt.Sprintf(", %d sentences", s.Sentences)
	}
	if s.Preset != "" {
		out += ", " + s.Preset
	}
	return out
}

// A Grid says which cells there are.
type Grid struct {
	Fractions []float64
	Modes     []Mode
	Sentences []int    // 0 stands for all
	Presets   []string // "" stands for the config's
	Seeds     []uint64
}

// A Mode is one value of the axis of mixing modes.
type Mode struct {
	Name      string
	Synthetic bool // it uses synthetic sentences, so their number matters
	Human     bool // it uses human annotations, so their share matters
	Empty     bool // it can train without any human annotation
}

// Cells lists the grid, seed by seed, so that an interrupted study has whole curves as soon as possible. Cells that would
// be the same run stand once: the number of sentences does not matter to a mode without them. A mode that has nothing to
// train on at 0 % has no cell there.
func (g Grid) Cells() []Cell {
	var out []Cell
	for _, seed := range g.Seeds {
		for _, preset := range g.Presets {
			for _, m := range g.Modes {
				for i, sentences := range g.Sentences {
					if !m.Synthetic {
						sentences = 0
					}
					if !m.Synthetic && i > 0 {
						continue
					}
					for _, f := range g.Fractions {
						if f > 0 || m.Empty {
							out = append(out, Cell{m.Name, preset, sentences, f, seed})
						}
					}
				}
			}
		}
	}
	return out
}

// Check reports a grid that has no sense.
func (g Grid) Check() error {
	if len(g.Modes) == 0 || len(g.Seeds) == 0 || len(g.Presets) == 0 || len(g.Sentences) == 0 {
		return fmt.Errorf("the study has an empty axis: it needs modes, seeds, presets and sentences")
	}
	if !slices.IsSorted(g.Fractions) || len(g.Fractions) < 2 || g.Fractions[0] < 0 || g.Fractions[len(g.Fractions)-1] != 1 {
		return fmt.Errorf("study.fractions %v: at least two ascending shares from 0 to 1 are expected, the last of them 1", g.Fractions)
	}
	if len(slices.Compact(slices.Clone(g.Fractions))) < len(g.Fractions) {
		return fmt.Errorf("study.fractions %v: a share stands twice", g.Fractions)
	}
	return nil
}

// An Outcome is a finished cell.
type Outcome struct {
	Cell
	Predictions string `json:"predictions"` // folder below the run's
	Cost        Cost   `json:"cost"`
}

// Cost is what went into a cell. Wall time is not among it: it differs between equal runs and stands in the manifests.
type Cost struct {
	Documents int   `json:"documents"` // annotated by people
	Mentions  int   `json:"mentions"`  // in them
	Sentences int   `json:"sentences"` // synthetic
	Tokens    int64 `json:"tokens"`    // of training
}

// A Runner trains and links cells. A finished cell costs it nothing.
type Runner interface {
	Run(ctx context.Context, c Cell) (Outcome, error)
}

// Run runs every cell in order and calls done after each with what is finished so far, which the caller saves.
func Run(ctx context.Context, g Grid, r Runner, done func([]Outcome, int) error) ([]Outcome, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	cells := g.Cells()
	out := make([]Outcome, 0, len(cells))
	for _, c := range cells {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o, err := r.Run(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("study, cell %s: %w", c, err)
		}
		out = append(out, o)
		if err := done(out, len(cells)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A Reader finds the predictions of a finished cell.
type Reader func(o Outcome) ([]prediction.Prediction, error)

// series lists the curves in the order of their first cell.
func series(outcomes []Outcome) []Series {
	var out []Series
	for _, o := range outcomes {
		if s := o.Series(); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// of returns the outcomes of a curve by fraction, each with its seeds in order.
func of(outcomes []Outcome, s Series) [][]Outcome {
	var list []Outcome
	for _, o := range outcomes {
		if o.Series() == s {
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Fraction, b.Fraction), cmp.Compare(a.Seed, b.Seed))
	})
	var out [][]Outcome
	for i, o := range list {
		if i == 0 || o.Fraction != list[i-1].Fraction {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], o)
	}
	return out
}
