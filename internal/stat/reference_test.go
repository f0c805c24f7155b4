package stat

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fixture is testdata/metrics.json, written by scripts/metric_fixture.py, which says with which versions.
type fixture struct {
	Agreement []struct {
		A, B                  []string
		Accuracy, Kappa       float64
		Confusion             [][]int
		Precision, Recall, F1 []float64
		Support               []int
	}
	Calibration []struct {
		P                       []float64
		Y                       []bool
		AUROC, Brier, ECE, AURC float64
		Accuracy, Confidence    []float64
	}
	McNemar []struct {
		B, C int
		P    float64
	}
	Quantile  struct{ X, Q, Value []float64 }
	Bootstrap struct {
		Num                  [][]float64
		Den                  []float64
		Interval, Difference []float64
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func load(t *testing.T) *fixture {
	t.Helper()
	b, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

// TestAgainstScikitLearn: agreement and calibration equal those of scikit-learn.
func TestAgainstScikitLearn(t *testing.T) {
	f := load(t)
	for _, x := range f.Agreement {
		c := Confuse(x.A, x.B, []string{"EXACT", "BROAD", "NARROW", "NO_RELATION"})
		if diff := cmp.Diff(x.Confusion, c.Counts); diff != "" || !near(c.Accuracy(), x.Accuracy) || !near(c.Kappa(), x.Kappa) {
			t.Errorf("n %d: accuracy %v, kappa %v, want %v, %v %s", len(x.A), c.Accuracy(), c.Kappa(), x.Accuracy, x.Kappa, diff)
		}
		for i := range c.Labels {
			if s := c.Label(i); !near(s.Precision, x.Precision[i]) || !near(s.Recall, x.Recall[i]) || !near(s.F1, x.F1[i]) || s.N != x.Support[i] {
				t.Errorf("%s: %+v", c.Labels[i], s)
			}
		}
	}
	for _, x := range f.Calibration {
		bins := Reliability(x.P, x.Y, 10)
		if !near(AUROC(x.P, x.Y), x.AUROC) || !near(Brier(x.P, x.Y), x.Brier) || !near(ECE(bins), x.ECE) {
			t.Errorf("n %d: AUROC %v Brier %v ECE %v, want %v %v %v", len(x.P), AUROC(x.P, x.Y), Brier(x.P, x.Y), ECE(bins), x.AUROC, x.Brier, x.ECE)
		}
		if x.Accuracy == nil {
			continue
		}
		i := 0
		for _, b := range bins {
			if b.N > 0 {
				if !near(b.Accuracy, x.Accuracy[i]) || !near(b.Confidence, x.Confidence[i]) {
					t.Errorf("bin %+v, want %v at %v", b, x.Accuracy[i], x.Confidence[i])
				}
				i++
			}
		}
		if _, area := Selective(x.P, x.Y, 20); !near(area, x.AURC) {
			t.Errorf("AURC %v, want %v", area, x.AURC)
		}
	}
}

// TestAgainstScipy: exact tests, quantiles and bootstrap intervals are those of scipy and numpy.
func TestAgainstScipy(t *testing.T) {
	f := load(t)
	for _, x := range f.McNemar {
		if got := McNemar(x.B, x.C); math.Abs(got-x.P) > 1e-6*x.P {
			t.Errorf("McNemar(%d, %d) = %v, want %v", x.B, x.C, got, x.P)
		}
	}
	sorted := append([]float64(nil), f.Quantile.X...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	for i, q := range f.Quantile.Q {
		if got := Quantile(sorted, q); !near(got, f.Quantile.Value[i]) {
			t.Errorf("quantile %v = %v, want %v", q, got, f.Quantile.Value[i])
		}
	}
	a, b := Column{f.Bootstrap.Num[0], f.Bootstrap.Den}, Column{f.Bootstrap.Num[1], f.Bootstrap.Den}
	iv, d := Bootstrap([]Column{a}, 5000, 1)[0], Paired(a, b, 5000, 1)
	for _, x := range [][2]float64{{iv.Low, f.Bootstrap.Interval[0]}, {iv.High, f.Bootstrap.Interval[1]}, {d.Low, f.Bootstrap.Difference[0]}, {d.High, f.Bootstrap.Difference[1]}} {
		if math.Abs(x[0]-x[1]) > 0.003 { // both are draws
			t.Errorf("bound %v, numpy's %v", x[0], x[1])
		}
	}
}

func TestSelectiveByHand(t *testing.T) {
	curve, area := Selective([]float64{0.9, 0.5, 0.5, 0.1}, []bool{true, true, false, false}, 4)
	// kept: 1 of 1; then half of the tied pair; 2 of 3; 2 of 4
	want := []Coverage{{0.25, 1, 1, 0.9}, {0.5, 0.75, 2, 0.5}, {0.75, 2.0 / 3, 3, 0.5}, {1, 0.5, 4, 0.1}}
	if diff := cmp.Diff(want, curve); diff != "" || !near(area, (0+0.25+1.0/3+0.5)/4) {
		t.Errorf("%s area %v", diff, area)
	}
}

func TestCalibrationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		p, y := make([]float64, n), make([]bool, n)
		for i := range p {
			p[i], y[i] = float64(rapid.IntRange(0, 10).Draw(t, "p"))/10, rapid.Bool().Draw(t, "y")
		}
		right := 0.0
		for _, v := range y {
			if v {
				right++
			}
		}
		curve, area := Selective(p, y, 10)
		if last := curve[len(curve)-1]; last.N != n || !near(last.Accuracy, right/float64(n)) || area < -1e-12 || area > 1 {
			t.Fatalf("full coverage %+v, area %v", last, area)
		}
		i := rapid.IntRange(0, n-1).Draw(t, "i") // the order of equal confidences does not matter
		q, z := append(append([]float64(nil), p[i:]...), p[:i]...), append(append([]bool(nil), y[i:]...), y[:i]...)
		if _, other := Selective(q, z, 10); !near(area, other) {
			t.Fatalf("the order of rows matters: %v, %v", area, other)
		}
		if e := ECE(Reliability(p, y, 10)); e < 0 || e > 1 {
			t.Fatalf("ECE %v", e)
		}
	})
}
