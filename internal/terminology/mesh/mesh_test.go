package mesh

import (
	"strings"
	"testing"

	"syncabel/internal/terminology"
)

const sample = `<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "https://example.org/desc.dtd">
<DescriptorRecordSet>
<DescriptorRecord><DescriptorUI>D1</DescriptorUI><DescriptorName><String>Arthritis</String></DescriptorName>
<TreeNumberList><TreeNumber>C05.550</TreeNumber></TreeNumberList></DescriptorRecord>
<DescriptorRecord><DescriptorUI>D2</DescriptorUI><DescriptorName><String>Gout</String></DescriptorName>
<TreeNumberList><TreeNumber>C05.550.354</TreeNumber></TreeNumberList>
<ConceptList><Concept PreferredConceptYN="Y"><ScopeNote>Painful toe.</ScopeNote><TermList><Term><String>Gout</String></Term><Term><String>Gouts</String></Term></TermList></Concept>
<Concept PreferredConceptYN="N"><TermList><Term><String>Podagra</String></Term></TermList></Concept></ConceptList></DescriptorRecord>
</DescriptorRecordSet>`

const supplement = `<SupplementalRecordSet><SupplementalRecord SCRClass="3"><SupplementalRecordUI>C1</SupplementalRecordUI><SupplementalRecordName><String>drug x</String></SupplementalRecordName>
<HeadingMappedToList><HeadingMappedTo><DescriptorReferredTo><DescriptorUI>*D2</DescriptorUI></DescriptorReferredTo></HeadingMappedTo></HeadingMappedToList></SupplementalRecord></SupplementalRecordSet>`

func TestRead(t *testing.T) {
	b := terminology.NewBuilder()
	r := NewReader(b, Options{})
	for _, s := range []string{sample, supplement} {
		if err := r.Read(strings.NewReader(s), "f.xml"); err != nil {
			t.Fatal(err)
		}
	}
	r.Hierarchy()
	kb, warnings := b.Build()
	if kb.Len() != 3 || len(warnings) != 1 { // the root's parent C05 is not there
		t.Fatalf("%d concepts, %v", kb.Len(), warnings)
	}
	i, _ := kb.Index("MESH:D2")
	c := kb.Concept(i)
	if len(c.Names) != 3 || c.PreferredName("en") != "Gout" || c.Parents[0] != "MESH:D1" || c.Groups()[0] != "Diseases" || c.Definitions[0].Text != "Painful toe." {
		t.Errorf("%+v", c)
	}
	j, _ := kb.Index("MESH:C1")
	if s := kb.Concept(j); s.Parents[0] != "MESH:D2" || s.Groups()[0] != "Diseases" {
		t.Errorf("%+v", s)
	}
}

func TestEntitiesAreRefused(t *testing.T) {
	bomb := `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><DescriptorRecordSet><DescriptorRecord><DescriptorUI>&b;</DescriptorUI></DescriptorRecord></DescriptorRecordSet>`
	for _, in := range []string{bomb, "<x></x>", "<DescriptorRecord>"} {
		if err := NewReader(terminology.NewBuilder(), Options{}).Read(strings.NewReader(in), "f.xml"); err == nil || !strings.HasPrefix(err.Error(), "f.xml") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample)
	f.Add(supplement)
	f.Fuzz(func(t *testing.T, in string) {
		b := terminology.NewBuilder()
		r := NewReader(b, Options{})
		if r.Read(strings.NewReader(in), "f") == nil {
			r.Hierarchy()
			b.Build()
		}
	})
}
