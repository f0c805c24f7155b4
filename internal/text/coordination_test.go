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
