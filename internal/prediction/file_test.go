package prediction

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	in := []Prediction{{Document: "1", Mention: "m", Text: "gout", Gold: [][]string{{"A", "B"}}, HasGold: true,
		Candidates: []Candidate{{Code: "A", Name: "gout", Probability: 0.5, Source: []string{"beam"}}}}}
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b, "f")
	if diff := cmp.Diff(in, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestReadReference(t *testing.T) {
	in := "filename\tspan\tcode\tPredicted_code\tPrediction\n1\tgout\tA+B\tA\tx\n1\tgout\tA\t\t\n"
	got, err := ReadReference(strings.NewReader(in), "f")
	if err != nil || len(got) != 2 || len(got[0].Gold[0]) != 2 || got[0].Candidates[0].Code != "A" || len(got[1].Candidates) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"a\tb\n", "code\tPredicted_code\nx\n"} {
		if _, err := ReadReference(strings.NewReader(bad), "f"); err == nil || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"document":"1","mention":"m","gold":[["A"]],"candidates":[{"code":"A"}]}`)
	f.Add("code\tPredicted_code\nA\tB\n")
	f.Fuzz(func(t *testing.T, in string) {
		_, _ = Read(strings.NewReader(in), "f")
		_, _ = ReadReference(strings.NewReader(in), "f")
	})
}
