package text

import (
	"slices"
	"testing"
)

func TestFirstConjuncts(t *testing.T) {
	for _, c := range []struct {
		s, language string
		want        []string
	}{
		{"ear, renal and limb malformations", "en", []string{"ear malformations", "ear"}},
		{"aplastic or hypoplastic nails", "en", []string{"aplastic nails", "aplastic"}},
		{"articular, and auditory manifestations", "en", []string{"articular manifestations", "articular"}},
		{"anxiety and depression", "en", []string{"anxiety"}},
		{"cancer du sein et de l'ovaire", "fr", []string{"cancer du sein"}},
		{"riñones y el hígado", "es", []string{"riñones"}},
		{"gout", "en", nil},
		{"and gout", "en", nil},
		{"gout and", "en", nil},
	} {
		if got := FirstConjuncts(c.s, c.language); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.s, got, c.want)
		}
	}
}

func TestConjuncts(t *testing.T) {
	for _, c := range []struct {
		s, language string
		want        [][]string
	}{
		{"breast and ovarian cancer", "en", [][]string{{"breast cancer", "breast"}, {"ovarian cancer"}}},
		{"brain, breast, and prostate cancer", "en", [][]string{{"brain cancer", "brain"}, {"breast cancer", "breast"}, {"prostate cancer"}}},
		{"cleft lip and palate", "en", [][]string{{"cleft lip"}, {"cleft palate", "palate"}}},
		{"Duchenne/Becker muscular dystrophy", "en", [][]string{{"Duchenne muscular dystrophy", "Duchenne dystrophy", "Duchenne"}, {"Becker muscular dystrophy"}}},
		{"both renal or hepatic toxicity", "en", [][]string{{"renal toxicity", "renal"}, {"hepatic toxicity"}}},
		{"cancer du sein et de l'ovaire", "fr", [][]string{{"cancer du sein l'ovaire", "cancer du sein"}, {"cancer du de l'ovaire", "cancer de l'ovaire", "de l'ovaire"}}},
		{"gout", "en", nil},
		{"gout and", "en", nil},
		{"and/or", "en", nil},
		{"", "en", nil},
	} {
		if got := Conjuncts(c.s, c.language); !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%q: %q, want %q", c.s, got, c.want)
		}
	}
}

func FuzzConjuncts(f *testing.F) {
	f.Add("brain, breast,/and/or prostate/colon cancer", "en")
	f.Fuzz(func(t *testing.T, s, language string) {
		for _, variants := range Conjuncts(s, language) {
			if len(variants) == 0 || slices.Contains(variants, "") {
				t.Fatalf("%q: %q", s, variants)
			}
		}
	})
}
