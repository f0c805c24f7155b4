package text

import (
	"strings"
	"testing"
)

func TestXMLRefusesEntities(t *testing.T) {
	bomb := `<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>`
	external := `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`
	for in, ok := range map[string]bool{bomb: false, external: false, "<a>&x;</a>": false, `<!DOCTYPE a SYSTEM "BioC.dtd"><a>&lt;&#233;</a>`: true, "<a><b></a>": false, "<a>": false} {
		var v struct {
			Text string `xml:",chardata"`
		}
		x := NewXML(strings.NewReader(in))
		if err := x.Decode(&v); (err == nil) != ok {
			t.Errorf("%s: %v %q", in, err, v.Text)
		}
	}
}
