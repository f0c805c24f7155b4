package cas

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// ReadXMI reads one CAS in XMI 1.0. Its elements name their types; a type system is not needed.
func ReadXMI(r io.Reader, file string, opt corpus.ReadOptions) (corpus.Document, []text.Warning, error) {
	x := text.NewXML(io.LimitReader(r, maxFile))
	var all []structure
	for depth := 0; ; {
		t, err := x.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return corpus.Document{}, nil, &text.SyntaxError{File: file, Line: x.Line(), Msg: "no XMI: " + err.Error()}
		}
		switch e := t.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				all = append(all, structureOf(e))
			}
		case xml.EndElement:
			depth--
		}
	}
	return build(all, file, opt)
}

// structureOf reads an element such as <type5:NamedEntity begin=".." value="..">, whose name space is
// http:///de/tudarmstadt/.../type.ecore.
func structureOf(e xml.StartElement) structure {
	space := strings.TrimSuffix(strings.TrimPrefix(e.Name.Space, "http:///"), ".ecore")
	s := structure{typ: e.Name.Local, features: map[string]string{}}
	if space != "" && !strings.HasSuffix(space, "noNamespace") {
		s.typ = strings.ReplaceAll(space, "/", ".") + "." + e.Name.Local
	}
	for _, a := range e.Attr {
		if a.Name.Space == "" {
			s.features[a.Name.Local] = a.Value
		}
	}
	return s
}

// WriteXMI writes one document as XMI. Its type system is TypeSystem.
func WriteXMI(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	if err := one(docs); err != nil {
		return nil, err
	}
	d := &docs[0]
	lost := corpus.Losses{}
	b := bufio.NewWriter(w)
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:tcas="http:///uima/tcas.ecore" ` +
		`xmlns:ner="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore" xmlns:meta="http:///de/tudarmstadt/ukp/dkpro/core/api/metadata/type.ecore" ` +
		`xmlns:syncabel="http:///syncabel.ecore" xmi:version="2.0">` + "\n" + `<cas:NULL xmi:id="0"/>` + "\n")
	prefix := map[string]string{typeEntity: "ner:NamedEntity", typeMetaData: "meta:DocumentMetaData", typeParts: "syncabel:Parts"}
	members := []string{}
	for i, s := range append([]structure{metaData(d)}, entities(d, opt, lost)...) {
		id := strconv.Itoa(i + 2)
		members = append(members, id)
		fmt.Fprintf(b, `<%s xmi:id="%s" sofa="1"`, prefix[s.typ], id)
		for _, k := range slices.Sorted(maps.Keys(s.features)) {
			attribute(b, k, s.features[k])
		}
		b.WriteString("/>\n")
	}
	b.WriteString(`<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text"`)
	attribute(b, "sofaString", d.Text)
	fmt.Fprintf(b, "/>\n<cas:View sofa=\"1\" members=\"%s\"/>\n</xmi:XMI>\n", strings.Join(members, " "))
	return lost.Warnings("CAS"), b.Flush()
}

func attribute(b *bufio.Writer, key, value string) {
	b.WriteString(" " + key + `="`)
	_ = xml.EscapeText(b, []byte(value)) // writes to memory; Flush reports what the file says
	b.WriteString(`"`)
}

// TypeSystem is the description of the types that WriteXMI uses; INCEpTION knows the first two.
func TypeSystem() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier">` + "\n<types>\n")
	for _, t := range written() {
		fmt.Fprintf(&b, "<typeDescription><name>%s</name><description/><supertypeName>%s</supertypeName><features>", t.name, t.super)
		for _, f := range t.features {
			fmt.Fprintf(&b, "<featureDescription><name>%s</name><description/><rangeTypeName>%s</rangeTypeName></featureDescription>", f.name, f.rng)
		}
		b.WriteString("</features></typeDescription>\n")
	}
	b.WriteString("</types>\n</typeSystemDescription>\n")
	return b.String()
}
