package mock

import (
	"fmt"
	"math"

	"syncabel/internal/oracle"
)

// CheckWanted reports a wanted token whose answer is no log-probability: what readers of hostile replies must never let through.
func CheckWanted(a oracle.Answer) error {
	for _, lp := range a.Want {
		if math.IsNaN(lp) || lp > 0.01 {
			return fmt.Errorf("%g as a log-probability", lp)
		}
	}
	return nil
}

// CheckWritten reports a rollout that is empty, longer than asked for, or has a position of which nothing is told.
func CheckWritten(a oracle.Answer, most int) error {
	if len(a.Roll) < 1 || len(a.Roll) > most {
		return fmt.Errorf("%d tokens written, 1 to %d were asked for", len(a.Roll), most)
	}
	for _, w := range a.Roll {
		if len(w.Top) < 1 || math.IsNaN(w.Top[0].LogProb) {
			return fmt.Errorf("%+v", w)
		}
	}
	return nil
}
