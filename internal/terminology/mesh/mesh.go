// Package mesh reads the XML files of the Medical Subject Headings: descriptors (desc*.xml) and supplementary concept records
// (supp*.xml), streaming. It is one of the readers at the start of the chain.
package mesh

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// Options of Reader.
type Options struct {
	Prefix   string // put before UIs; default "MESH:"
	Language string // default "en"
	Licence  string
}

// A Reader collects records of one or several files; Hierarchy then adds the parents.
type Reader struct {
	b     *terminology.Builder
	opt   Options
	trees map[string]string   // tree number -> concept ID
	of    map[string][]string // concept ID -> tree numbers
}

// NewReader returns a reader that adds to b.
func NewReader(b *terminology.Builder, opt Options) *Reader {
	if opt.Prefix == "" {
		opt.Prefix = "MESH:"
	}
	if opt.Language == "" {
		opt.Language = "en"
	}
	return &Reader{b, opt, map[string]string{}, map[string][]string{}}
}

// record is a DescriptorRecord or a SupplementalRecord, as far as it is read.
type record struct {
	DescriptorUI string   `xml:"DescriptorUI"`
	Descriptor   string   `xml:"DescriptorName>String"`
	Class        string   `xml:"SCRClass,attr"` // of a supplementary record
	SuppUI       string   `xml:"SupplementalRecordUI"`
	Supp         string   `xml:"SupplementalRecordName>String"`
	Trees        []string `xml:"TreeNumberList>TreeNumber"`
	MappedTo     []string `xml:"HeadingMappedToList>HeadingMappedTo>DescriptorReferredTo>DescriptorUI"`
	Concepts     []struct {
		Preferred string `xml:"PreferredConceptYN,attr"`
		Scope     string `xml:"ScopeNote"`
		Registry  string `xml:"RegistryNumber"`
		Terms     []struct {
			String string `xml:"String"`
		} `xml:"TermList>Term"`
	} `xml:"ConceptList>Concept"`
}

// maxFile bounds a file; the descriptors have some 300 MB, the supplementary records 700.
const maxFile = 16 << 30

// Read adds the records of one file. The decoder knows no external entities.
func (r *Reader) Read(in io.Reader, file string) error {
	dec := xml.NewDecoder(io.LimitReader(in, maxFile))
	n := 0
	seen := map[string]bool{}
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			line, _ := dec.InputPos()
			return &text.SyntaxError{File: file, Line: line, Msg: err.Error()}
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != "DescriptorRecord" && start.Name.Local != "SupplementalRecord" {
			continue
		}
		line, _ := dec.InputPos()
		var rec record
		if err := dec.DecodeElement(&rec, &start); err != nil {
			return &text.SyntaxError{File: file, Line: line, Msg: err.Error()}
		}
		n++
		r.b.At(file, line)
		ui := strings.TrimSpace(rec.DescriptorUI + rec.SuppUI)
		if seen[ui] {
			r.b.Warn(text.Warning{File: file, Line: line, Kind: "duplicate", Msg: fmt.Sprintf("record %s comes a second time: what both say is united", ui)})
		}
		seen[ui] = true
		if !r.add(&rec) {
			r.b.Warn(text.Warning{File: file, Line: line, Kind: "no-code", Msg: "a record without UI is left out"})
		}
	}
	if n == 0 {
		return &text.SyntaxError{File: file, Msg: "no MeSH XML: there is no DescriptorRecord and no SupplementalRecord"}
	}
	return nil
}

func (r *Reader) add(rec *record) bool {
	ui, name := strings.TrimSpace(rec.DescriptorUI), rec.Descriptor
	if ui == "" {
		ui, name = strings.TrimSpace(rec.SuppUI), rec.Supp
	}
	if ui == "" {
		return false
	}
	c := terminology.Concept{ID: r.opt.Prefix + ui, Types: r.types(rec)}
	add := func(s string, preferred bool) {
		s = strings.TrimSpace(s)
		if s != "" && !slices.ContainsFunc(c.Names, func(n terminology.Name) bool { return n.Text == s }) {
			c.Names = append(c.Names, terminology.Name{Text: s, Language: r.opt.Language, Preferred: preferred, Source: "MSH", Licence: r.opt.Licence})
		}
	}
	add(name, true)
	for _, x := range rec.Concepts {
		for _, t := range x.Terms {
			add(t.String, false)
		}
		if s := strings.TrimSpace(x.Registry); s != "" && s != "0" {
			c.Xrefs = append(c.Xrefs, "REG:"+s)
		}
		if s := strings.TrimSpace(x.Scope); s != "" && x.Preferred == "Y" {
			c.Definitions = append(c.Definitions, terminology.Definition{Text: s, Language: r.opt.Language, Source: "MSH"})
		}
	}
	for _, m := range rec.MappedTo { // a supplementary concept stands below the headings it is mapped to
		c.Parents = append(c.Parents, r.opt.Prefix+strings.TrimPrefix(m, "*"))
	}
	r.b.Add(c)
	for _, t := range rec.Trees {
		r.trees[t] = c.ID
		r.of[c.ID] = append(r.of[c.ID], t)
	}
	return true
}

// types are the categories of the tree numbers, of a supplementary record that of its class.
func (r *Reader) types(rec *record) []terminology.SemanticType {
	var out []terminology.SemanticType
	for _, t := range rec.Trees {
		if name := Category(t); name != "" && !slices.Contains(out, terminology.SemanticType{Name: name, Group: name}) {
			out = append(out, terminology.SemanticType{Name: name, Group: name})
		}
	}
	if len(out) > 0 {
		return out
	}
	group := map[string]string{"1": "Chemicals and Drugs", "2": "Techniques and Equipment", "3": "Diseases", "4": "Organisms", "5": "Named Groups", "6": "Anatomy"}[rec.Class]
	if group == "" {
		group = "Supplementary Concepts"
	}
	return []terminology.SemanticType{{Name: "Supplementary Concepts", Group: group}}
}

// Hierarchy adds parents by tree numbers, after the last file.
func (r *Reader) Hierarchy() {
	r.b.At("", 0)
	for _, id := range slices.Sorted(maps.Keys(r.of)) {
		for _, t := range r.of[id] {
			i := strings.LastIndexByte(t, '.')
			if i < 0 {
				continue
			}
			if parent, ok := r.trees[t[:i]]; ok && parent != id {
				r.b.AddParent(id, parent)
			} else if !ok {
				r.b.Warn(text.Warning{Kind: "tree", Msg: fmt.Sprintf("tree number %s of %s has no parent %s", t, id, t[:i])})
			}
		}
	}
}

// Category returns the category of a tree number, by its letter.
func Category(tree string) string {
	names := []string{"Anatomy", "Organisms", "Diseases", "Chemicals and Drugs", "Techniques and Equipment", "Psychiatry and Psychology", "Phenomena and Processes",
		"Disciplines and Occupations", "Social Phenomena", "Technology and Food", "Humanities", "Information Science", "Named Groups", "Health Care"}
	if tree == "" {
		return ""
	}
	switch l := tree[0]; {
	case l >= 'A' && l <= 'N':
		return names[l-'A']
	case l == 'V':
		return "Publication Characteristics"
	case l == 'Z':
		return "Geographicals"
	}
	return ""
}
