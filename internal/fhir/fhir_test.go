package fhir

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func example() (*corpus.Document, []prediction.Prediction) {
	d := &corpus.Document{ID: "note-7", Language: "es", Text: "Niño con fiebre 😷 y diabetes; toma metformina. ¿<b>qué</b>?"}
	at := func(mention, id, group string, c ...prediction.Candidate) prediction.Prediction {
		i := strings.Index(d.Text, mention)
		return prediction.Prediction{Document: d.ID, Mention: id, Text: mention, Group: group, Spans: []text.Span{{Start: i, End: i + len(mention)}}, Candidates: c}
	}
	return d, []prediction.Prediction{
		at("fiebre", "1", "Findings", prediction.Candidate{Code: "HP:0001945", Name: "Fever", Probability: 0.91}),
		at("diabetes", "2", "Disorders", prediction.Candidate{Code: "MESH:D003920", Name: "Diabetes Mellitus", Probability: 0.625}),
		at("metformina", "3", "Chemicals & Drugs", prediction.Candidate{Code: "X12", Name: "metformina", Probability: 1}),
		at("qué", "4", "Disorders"),
	}
}

var options = Options{System: "https://hospital.example/codes", Version: "2026-11", Program: "syncabel 1", Recorded: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC),
	Reviewers: map[string]string{"2": "Dr. <Ana>"}}

// The bundle is the frozen one, and it is valid FHIR R4.
func TestGolden(t *testing.T) {
	d, preds := example()
	got, err := json.MarshalIndent(New(d, preds, options), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/bundle.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Error(diff)
	}
	validate(t, got)
}

// validate checks JSON against the part of HL7's schema that scripts/fhir_schema.py cut out.
func validate(t *testing.T, bundle []byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/r4.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	rs, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(bundle, &v); err != nil {
		t.Fatal(err)
	}
	if err := rs.Validate(v); err != nil {
		t.Errorf("not FHIR R4: %v", err)
	}
	// The check itself must be able to fail.
	broken := strings.Replace(string(bundle), `"status": "preliminary"`, `"status": "certain"`, 1)
	if err := json.Unmarshal([]byte(broken), &v); err != nil || broken == string(bundle) {
		t.Fatal("the broken bundle is not broken", err)
	}
	if rs.Validate(v) == nil {
		t.Error("an observation of status \"certain\" passes the schema")
	}
}

// Nothing is asserted without a reviewer, and offsets are code points of the note.
func TestNothingAsserted(t *testing.T) {
	d, preds := example()
	b := New(d, preds, options)
	if n := len(b.Entry); n != 6 {
		t.Fatalf("%d entries", n)
	}
	status := func(i int) string {
		r := b.Entry[i].Resource.(Resource)
		if r.VerificationStatus != nil {
			return r.VerificationStatus.Coding[0].Code
		}
		return r.Status
	}
	if diff := cmp.Diff([]string{"preliminary", "confirmed", "unknown", "unconfirmed"}, []string{status(1), status(2), status(3), status(4)}); diff != "" {
		t.Error(diff)
	}
	runes := []rune(d.Text)
	for i := 1; i <= 4; i++ {
		x := b.Entry[i].Resource.(Resource).Extension[0].Extension
		if at, n := *x[2].Integer, *x[3].Integer; string(runes[at:at+n]) != preds[i-1].Text {
			t.Errorf("offset %d, length %d: %q", at, n, string(runes[at:at+n]))
		}
	}
}
