// Package fhir writes linked notes as FHIR R4 Bundles: the note, one Condition, Observation or MedicationStatement a mention by
// its semantic group, and a Provenance. It stands after prediction; serve and the exporters call it.
//
// A link is a program's guess, so nothing is asserted: a Condition is unconfirmed, an Observation preliminary, the status of a
// medication unknown, until a reviewer is named. Every resource says where in the note it was read, by the extension
// derivation-reference, whose offsets count Unicode code points from 0.
package fhir

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

// Options of New.
type Options struct {
	System    string            // URI of codes whose prefix is not known; default urn:syncabel:knowledge-base
	Version   string            // of the code system, put on every coding of System
	Kinds     map[string]string // semantic group -> Condition, Observation or MedicationStatement; beside Kind's defaults
	Subject   string            // reference to the patient, e.g. "Patient/123"; default: a reference that only says so in words
	Program   string            // name and version of the linker, for Provenance
	Recorded  time.Time         // for Provenance; default now
	Reviewers map[string]string // mention ID -> who confirmed its first candidate
	OmitText  bool              // leave the note's text out; its hash stays
}

// URLs of extensions.
const (
	derivationURL  = "http://hl7.org/fhir/StructureDefinition/derivation-reference"
	probabilityURL = "urn:syncabel:link-probability"
)

// Kinds of resources.
const (
	Condition           = "Condition"
	Observation         = "Observation"
	MedicationStatement = "MedicationStatement"
)

// Kind returns the resource of a semantic group: diseases are conditions, chemicals and drugs are medications, everything else
// is an observation.
func Kind(group string) string {
	g := strings.ToLower(group)
	switch {
	case strings.Contains(g, "disorder"), strings.Contains(g, "disease"), strings.Contains(g, "enfermedad"), strings.Contains(g, "maladie"):
		return Condition
	case strings.Contains(g, "drug"), strings.Contains(g, "chemical"), strings.Contains(g, "medication"), strings.Contains(g, "farmaco"), strings.Contains(g, "substance"):
		return MedicationStatement
	}
	return Observation
}

// systems are the URIs that HL7 gives to the code systems people link to, by the prefix of their codes.
var systems = map[string]string{
	"MESH": "http://terminology.hl7.org/CodeSystem/MSH", "UMLS": "http://terminology.hl7.org/CodeSystem/umls", "SNOMEDCT": "http://snomed.info/sct",
	"SCTID": "http://snomed.info/sct", "HP": "http://human-phenotype-ontology.org", "MONDO": "http://purl.obolibrary.org/obo/mondo.owl",
	"OMIM": "http://www.omim.org", "LOINC": "http://loinc.org", "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
	"ICD10": "http://hl7.org/fhir/sid/icd-10", "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm", "ORPHA": "http://www.orpha.net",
}

// coding splits a code with a known prefix. HPO and MONDO keep theirs: it is part of the code.
func coding(c prediction.Candidate, code string, opt *Options) Coding {
	out := Coding{System: cmp.Or(opt.System, "urn:syncabel:knowledge-base"), Version: opt.Version, Code: code, Display: c.Name}
	prefix, rest, ok := strings.Cut(code, ":")
	if uri := systems[strings.ToUpper(prefix)]; ok && uri != "" {
		out.System, out.Version = uri, ""
		if p := strings.ToUpper(prefix); p != "HP" && p != "MONDO" {
			out.Code = rest
		}
	}
	p := c.Probability
	out.Extension = []Extension{{URL: probabilityURL, Decimal: &p}}
	return out
}

// New returns the Bundle of a linked document. Mentions without a candidate become resources with text and no code.
func New(d *corpus.Document, preds []prediction.Prediction, opt Options) *Bundle {
	if opt.Recorded.IsZero() {
		opt.Recorded = time.Now()
	}
	at := opt.Recorded.UTC().Format("2006-01-02T15:04:05.000Z")
	w := &writer{doc: d, opt: &opt, offsets: text.NewOffsets(d.Text)}
	b := &Bundle{ResourceType: "Bundle", ID: w.id("bundle"), Type: "collection", Timestamp: at}
	note := w.note()
	b.add(note.ID, note)
	prov := Provenance{ResourceType: "Provenance", ID: w.id("provenance"), Recorded: at, Target: []Reference{{Reference: urn(note.ID)}},
		Agent:  []Agent{agent("assembler", cmp.Or(opt.Program, "syncabel"))},
		Entity: []Entity{{Role: "source", What: Reference{Reference: urn(note.ID)}}}}
	seen := map[string]bool{}
	for i := range preds {
		r := w.resource(&preds[i], i, note.ID)
		b.add(r.ID, r)
		prov.Target = append(prov.Target, Reference{Reference: urn(r.ID)})
		if who := opt.Reviewers[preds[i].Mention]; who != "" && !seen[who] {
			seen[who] = true
			prov.Agent = append(prov.Agent, agent("verifier", who))
		}
	}
	b.add(prov.ID, prov)
	return b
}

func (b *Bundle) add(id string, resource any) {
	b.Entry = append(b.Entry, Entry{FullURL: urn(id), Resource: resource})
}

func urn(id string) string { return "urn:uuid:" + id }

func agent(role, who string) Agent {
	return Agent{Type: &CodeableConcept{Coding: []Coding{{System: "http://terminology.hl7.org/CodeSystem/provenance-participant-type", Code: role}}}, Who: Reference{Display: who}}
}

type writer struct {
	doc     *corpus.Document
	opt     *Options
	offsets *text.Offsets
}

// id is a UUID of version 5 in shape, drawn from the document, so that the same note gives the same bundle.
func (w *writer) id(part string) string {
	h := sha1.Sum([]byte("syncabel\x00" + w.doc.ID + "\x00" + w.doc.Text + "\x00" + part))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	s := hex.EncodeToString(h[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (w *writer) note() DocumentReference {
	hash := sha1.Sum([]byte(w.doc.Text))
	a := Attachment{ContentType: "text/plain; charset=utf-8", Language: w.doc.Language, Hash: hash[:]}
	if !w.opt.OmitText {
		a.Data = []byte(w.doc.Text)
	}
	n := DocumentReference{ResourceType: "DocumentReference", ID: w.id("note"), Status: "current", Content: []Content{{Attachment: a}}}
	if w.doc.ID != "" {
		n.Identifier = []Identifier{{Value: w.doc.ID}}
	}
	return n
}

// resource makes the resource of one mention.
func (w *writer) resource(p *prediction.Prediction, i int, note string) Resource {
	concept := &CodeableConcept{Text: p.Text}
	if len(p.Candidates) > 0 {
		c := p.Candidates[0]
		for _, code := range strings.Split(c.Code, "+") {
			concept.Coding = append(concept.Coding, coding(c, code, w.opt))
		}
	}
	confirmed := w.opt.Reviewers[p.Mention] != ""
	r := Resource{ResourceType: cmp.Or(w.opt.Kinds[p.Group], Kind(p.Group)), ID: w.id(fmt.Sprintf("mention %d", i)), Subject: w.subject()}
	for _, s := range p.Spans {
		r.Extension = append(r.Extension, w.derivation(s, note))
	}
	switch r.ResourceType {
	case MedicationStatement:
		r.Status, r.Medication = "unknown", concept
	case Condition:
		status := map[bool]string{true: "confirmed", false: "unconfirmed"}[confirmed]
		r.Code, r.VerificationStatus = concept, &CodeableConcept{Coding: []Coding{{System: "http://terminology.hl7.org/CodeSystem/condition-ver-status", Code: status}}}
	default:
		r.Code, r.Status = concept, map[bool]string{true: "final", false: "preliminary"}[confirmed]
	}
	return r
}

func (w *writer) subject() *Reference {
	if w.opt.Subject != "" {
		return &Reference{Reference: w.opt.Subject}
	}
	return &Reference{Display: "the subject of the note"}
}

// derivation says where a span stands in the note.
func (w *writer) derivation(s text.Span, note string) Extension {
	offset := w.offsets.Unit(s.Start)
	length := w.offsets.Unit(s.End) - offset
	return Extension{URL: derivationURL, Extension: []Extension{
		{URL: "reference", Reference: &Reference{Reference: urn(note)}},
		{URL: "path", String: "DocumentReference.content[0].attachment.data"},
		{URL: "offset", Integer: &offset},
		{URL: "length", Integer: &length},
	}}
}
