package fhir

// The few types of FHIR R4 (4.0.1) that a linked note needs, with the elements used and no others. Field names and cardinalities
// are those of https://hl7.org/fhir/R4; the test validates what is written against the published JSON schema.

// A Bundle is a collection of resources.
type Bundle struct {
	ResourceType string  `json:"resourceType"` // "Bundle"
	ID           string  `json:"id"`
	Type         string  `json:"type"` // "collection"
	Timestamp    string  `json:"timestamp,omitempty"`
	Entry        []Entry `json:"entry,omitempty"`
}

// An Entry is one resource of a Bundle.
type Entry struct {
	FullURL  string `json:"fullUrl"`
	Resource any    `json:"resource"` // DocumentReference, Resource or Provenance
}

// A Resource is a Condition, an Observation or a MedicationStatement, by ResourceType.
type Resource struct {
	ResourceType       string           `json:"resourceType"`
	ID                 string           `json:"id"`
	Extension          []Extension      `json:"extension,omitempty"`
	Status             string           `json:"status,omitempty"`             // Observation, MedicationStatement
	VerificationStatus *CodeableConcept `json:"verificationStatus,omitempty"` // Condition
	Code               *CodeableConcept `json:"code,omitempty"`               // Condition, Observation
	Medication         *CodeableConcept `json:"medicationCodeableConcept,omitempty"`
	Subject            *Reference       `json:"subject,omitempty"`
}

// A CodeableConcept is a concept with its codes and the words that were written.
type CodeableConcept struct {
	Coding []Coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

// A Coding is one code of a code system.
type Coding struct {
	Extension []Extension `json:"extension,omitempty"`
	System    string      `json:"system,omitempty"`
	Version   string      `json:"version,omitempty"`
	Code      string      `json:"code,omitempty"`
	Display   string      `json:"display,omitempty"`
}

// A Reference points to a resource, or names it for people.
type Reference struct {
	Reference string `json:"reference,omitempty"`
	Display   string `json:"display,omitempty"`
}

// An Extension has either a value or extensions of its own.
type Extension struct {
	URL       string      `json:"url"`
	Extension []Extension `json:"extension,omitempty"`
	Reference *Reference  `json:"valueReference,omitempty"`
	String    string      `json:"valueString,omitempty"`
	Integer   *int        `json:"valueInteger,omitempty"`
	Decimal   *float64    `json:"valueDecimal,omitempty"`
}

// A DocumentReference is the note the mentions stand in.
type DocumentReference struct {
	ResourceType string       `json:"resourceType"`
	ID           string       `json:"id"`
	Identifier   []Identifier `json:"identifier,omitempty"`
	Status       string       `json:"status"` // "current"
	Content      []Content    `json:"content"`
}

// An Identifier is the name a source system gives.
type Identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value,omitempty"`
}

// Content of a DocumentReference.
type Content struct {
	Attachment Attachment `json:"attachment"`
}

// An Attachment is the text; Data is base64.
type Attachment struct {
	ContentType string `json:"contentType"`
	Language    string `json:"language,omitempty"`
	Data        []byte `json:"data,omitempty"`
	Hash        []byte `json:"hash,omitempty"` // SHA-1, as the standard says
	Title       string `json:"title,omitempty"`
}

// Provenance says who made the resources of what.
type Provenance struct {
	ResourceType string      `json:"resourceType"`
	ID           string      `json:"id"`
	Target       []Reference `json:"target"`
	Recorded     string      `json:"recorded"`
	Agent        []Agent     `json:"agent"`
	Entity       []Entity    `json:"entity,omitempty"`
}

// An Agent took part: the program as assembler, a reviewer as verifier.
type Agent struct {
	Type *CodeableConcept `json:"type,omitempty"`
	Who  Reference        `json:"who"`
}

// An Entity was used.
type Entity struct {
	Role string    `json:"role"` // "source"
	What Reference `json:"what"`
}
