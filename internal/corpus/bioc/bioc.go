// Package bioc reads and writes BioC collections (Comeau et al. 2013), XML or JSON: documents of passages whose annotations carry
// type, identifier and attributes as infons. It is one of the corpus readers.
package bioc

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"syncabel/internal/corpus"
)

// maxFile bounds a collection.
const maxFile = 4 << 30

// Codes of one answer are joined by "|" or ",", answers of which any one counts by ";".
const (
	composite   = "|,"
	alternative = ";"
)

// defaultIdentifiers are the infons that tools keep codes in.
func defaultIdentifiers() []string {
	return []string{"identifier", "Identifier", "code", "MESH", "CUI"}
}

type collection struct {
	XMLName   xml.Name   `xml:"collection" json:"-"`
	Source    string     `xml:"source" json:"source"`
	Date      string     `xml:"date" json:"date"`
	Key       string     `xml:"key" json:"key"`
	Infons    infons     `xml:"infon" json:"infons"`
	Documents []document `xml:"document" json:"documents"`
}

type document struct {
	XMLName   xml.Name   `xml:"document" json:"-"`
	ID        string     `xml:"id" json:"id"`
	Infons    infons     `xml:"infon" json:"infons"`
	Passages  []passage  `xml:"passage" json:"passages"`
	Relations []relation `xml:"relation" json:"relations"`
}

type passage struct {
	Infons      infons       `xml:"infon" json:"infons"`
	Offset      int          `xml:"offset" json:"offset"` // code points
	Text        string       `xml:"text" json:"text"`
	Sentences   []passage    `xml:"sentence" json:"sentences,omitempty"`
	Annotations []annotation `xml:"annotation" json:"annotations"`
	Relations   []relation   `xml:"relation" json:"relations"`
}

type annotation struct {
	ID        string     `xml:"id,attr" json:"id"`
	Infons    infons     `xml:"infon" json:"infons"`
	Locations []location `xml:"location" json:"locations"`
	Text      string     `xml:"text" json:"text"`
}

type location struct {
	Offset int `xml:"offset,attr" json:"offset"`
	Length int `xml:"length,attr" json:"length"`
}

// relation is counted, not read.
type relation struct {
	ID string `xml:"id,attr" json:"id"`
}

// infons are elements in XML and an object in JSON.
type infons []infon

type infon struct {
	Key   string `xml:"key,attr"`
	Value string `xml:",chardata"`
}

// UnmarshalJSON reads an object whose values may be of any type.
func (in *infons) UnmarshalJSON(b []byte) error {
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // a SNOMED CT code may stand there as a number
	if err := dec.Decode(&m); err != nil {
		return err
	}
	for k, v := range m {
		if v == nil {
			v = ""
		}
		*in = append(*in, infon{k, fmt.Sprint(v)})
	}
	slices.SortFunc(*in, func(a, b infon) int { return strings.Compare(a.Key, b.Key) })
	return nil
}

// MarshalJSON writes an object.
func (in infons) MarshalJSON() ([]byte, error) {
	m := map[string]string{}
	for _, i := range in {
		m[i.Key] = i.Value
	}
	return json.Marshal(m)
}

// get returns the value of the first key that is there.
func (in infons) get(keys ...string) (key, value string, ok bool) {
	for _, k := range keys {
		for _, i := range in {
			if i.Key == k {
				return k, strings.TrimSpace(i.Value), true
			}
		}
	}
	return "", "", false
}

// typ returns the infon that names the type.
func (in infons) typ() string {
	_, v, _ := in.get("type")
	return v
}

// attributes returns what is neither type nor code.
func (in infons) attributes(code string) map[string]string {
	var out map[string]string
	for _, i := range in {
		if i.Key == "type" || i.Key == code {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[i.Key] = strings.TrimSpace(i.Value)
	}
	return out
}

func infonsOf(m *corpus.Mention) infons {
	in := infons{{"type", m.Type}}
	for k, v := range m.Attributes {
		in = append(in, infon{k, v})
	}
	slices.SortFunc(in[1:], func(a, b infon) int { return strings.Compare(a.Key, b.Key) })
	return in
}
