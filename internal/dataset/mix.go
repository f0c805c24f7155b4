package dataset

import (
	"fmt"
	"strings"
)

// Mixing modes of human and synthetic examples, as the paper's training scripts define them (arXiv 2601.19667). In one pass
// through H human and S synthetic examples:
const (
	HumanOnly     = "human_only"     // human 0..H-1
	SynthOnly     = "synth_only"     // synthetic 0..S-1
	Full          = "full"           // human 0..H-1, then synthetic 0..S-1
	FullUpsampled = "full_upsampled" // human 0, synthetic 0, human 1, synthetic 1 ... until the synthetic end; human start again: the published method
	HumanFT       = "human_only_ft"  // synthetic 0..S-1 are one training, human 0..H-1 the next, which starts from its model
	Ratio         = "ratio"          // Options.Ratio human examples to every synthetic one; 1 is full_upsampled
)

// Modes returns the modes in the order of help texts.
func Modes() []string {
	return []string{HumanOnly, SynthOnly, Full, FullUpsampled, HumanFT, Ratio}
}

func checkMode(mode string) error {
	for _, m := range Modes() {
		if m == mode {
			return nil
		}
	}
	return fmt.Errorf("unknown mixing mode %q: have %s", mode, strings.Join(Modes(), ", "))
}

// Passes returns how often the paper went through the data of a mode: human_only 200, human_only_ft 50 after synth_only, synth_only
// and full 5, full_upsampled 3.
func Passes(mode string) int {
	return map[string]int{HumanOnly: 200, SynthOnly: 5, Full: 5, FullUpsampled: 3, HumanFT: 50, Ratio: 3}[mode]
}

// A Ref is one example of a sequence: the number Index of its origin.
type Ref struct {
	Origin string // Human or Synthetic
	Index  int
}

// Sequence returns one pass of a mode over so many human and synthetic examples. It depends on its arguments alone. Ratio is
// used by the mode of that name.
func Sequence(mode string, human, synthetic int, ratio float64) ([]Ref, error) {
	if err := checkMode(mode); err != nil {
		return nil, err
	}
	var out []Ref
	all := func(origin string, n int) {
		for i := range n {
			out = append(out, Ref{origin, i})
		}
	}
	switch mode {
	case HumanOnly:
		all(Human, human)
	case SynthOnly:
		all(Synthetic, synthetic)
	case Full:
		all(Human, human)
		all(Synthetic, synthetic)
	case HumanFT:
		all(Synthetic, synthetic)
		all(Human, human)
	case FullUpsampled:
		out = interleave(human, synthetic, 1)
	case Ratio:
		if ratio < 0 {
			return nil, fmt.Errorf("ratio %g of human to synthetic examples is negative", ratio)
		}
		out = interleave(human, synthetic, ratio)
	}
	return out, nil
}

// interleave puts ratio human examples, on average, before every synthetic one.
func interleave(human, synthetic int, ratio float64) []Ref {
	var out []Ref
	h, credit := 0, 0.0
	for s := range synthetic {
		for credit += ratio; credit >= 1 && human > 0; credit-- {
			out = append(out, Ref{Human, h % human})
			h++
		}
		out = append(out, Ref{Synthetic, s})
	}
	return out
}
