package stat

import (
	"math"
	"testing"
)

func TestBootstrapCovers(t *testing.T) {
	var c Column
	for i := range 200 {
		c.Num = append(c.Num, float64(i%4))
		c.Den = append(c.Den, 4)
	}
	iv := Bootstrap([]Column{c}, Samples, 1)[0]
	if iv.Value != 0.375 || iv.Low >= 0.375 || iv.High <= 0.375 {
		t.Fatalf("%+v", iv)
	}
	// standard error of a mean of 200 with standard deviation 1.118/4
	se := 1.118 / 4 / math.Sqrt(200)
	if got := (iv.High - iv.Low) / 2 / 1.96; math.Abs(got-se) > 0.15*se {
		t.Errorf("standard error %v, want about %v", got, se)
	}
	if again := Bootstrap([]Column{c}, Samples, 1)[0]; again != iv {
		t.Errorf("not reproducible: %v then %v", iv, again)
	}
}

func TestPaired(t *testing.T) {
	var a, b Column
	for i := range 100 {
		a.Num, a.Den = append(a.Num, float64(1+i%2)), append(a.Den, 3)
		b.Num, b.Den = append(b.Num, float64(i%2)), append(b.Den, 3)
	}
	d := Paired(a, b, Samples, 1)
	if math.Abs(d.Difference-1.0/3) > 1e-12 || d.P > 0.01 || d.Low <= 0.3 || d.High >= 0.4 {
		t.Errorf("%+v", d)
	}
	if same := Paired(a, a, Samples, 1); same.P != 1 || same.Low != 0 || same.High != 0 {
		t.Errorf("equal systems differ: %+v", same)
	}
}

func TestMcNemar(t *testing.T) {
	// figures of scipy.stats.binomtest(k, n).pvalue
	for _, c := range []struct {
		b, c int
		p    float64
	}{{0, 0, 1}, {1, 9, 0.021484375}, {5, 5, 1}, {10, 30, 0.0022219}} {
		if got := McNemar(c.b, c.c); math.Abs(got-c.p) > 1e-6 {
			t.Errorf("McNemar(%d,%d) = %v, want %v", c.b, c.c, got, c.p)
		}
	}
}

func BenchmarkBootstrap(b *testing.B) {
	columns := make([]Column, 20)
	for i := range columns {
		columns[i] = Column{make([]float64, 1000), make([]float64, 1000)}
	}
	for b.Loop() {
		Bootstrap(columns, Samples, 1)
	}
}

func TestAUROC(t *testing.T) {
	// the first is sklearn.metrics.roc_auc_score's own example; the second has ties
	for _, c := range []struct {
		s    []float64
		y    []bool
		want float64
	}{
		{[]float64{0.1, 0.4, 0.35, 0.8}, []bool{false, false, true, true}, 0.75},
		{[]float64{1, 1, 1, 2}, []bool{true, false, false, true}, 0.75},
		{[]float64{1}, []bool{true}, 0.5},
	} {
		if got := AUROC(c.s, c.y); got != c.want {
			t.Errorf("AUROC(%v, %v) = %v, want %v", c.s, c.y, got, c.want)
		}
	}
}

// BenchmarkBootstrapPeer does what scripts/bootstrap_numpy.py does: 889 documents, which hold some 40,000 mentions, in 20 strata.
func BenchmarkBootstrapPeer(b *testing.B) {
	columns := make([]Column, 20)
	for i := range columns {
		columns[i] = Column{make([]float64, 889), make([]float64, 889)}
		for d := range columns[i].Num {
			columns[i].Den[d] = float64((d*7 + i) % 45)
			columns[i].Num[d] = float64((d*7 + i) % 45 * 7 / 10)
		}
	}
	for b.Loop() {
		Bootstrap(columns, Samples, 1)
	}
}
