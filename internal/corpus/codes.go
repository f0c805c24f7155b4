package corpus

import (
	"cmp"
	"slices"
	"strings"
)

// Codes says how the codes of a mention are written in one field: the one rule of all readers and writers.
type Codes struct {
	Composite   string // each of these characters joins the parts of one answer that needs all of them
	Alternative string // each of these characters joins answers of which any one counts
	Prefix      string // put before codes that have no colon, e.g. "MESH:"
	NIL         string // what writers put for no code
}

// Or fills what c leaves empty with a format's own characters.
func (c Codes) Or(composite, alternative string) Codes {
	c.Composite, c.Alternative = cmp.Or(c.Composite, composite), cmp.Or(c.Alternative, alternative)
	return c
}

// Parse returns the answers of a field; none, but not nil, when it means NIL. Missing counts the parts of composites that
// have no code beside others that have.
func (c Codes) Parse(s string) (gold []Answer, missing int) {
	gold = []Answer{}
	for alternative := range split(s, c.Alternative) {
		var a Answer
		none := 0
		for part := range split(alternative, c.Composite) {
			if code := c.code(part); code != "" {
				a = append(a, code)
			} else {
				none++
			}
		}
		slices.Sort(a)
		if a = slices.Compact(a); len(a) > 0 {
			gold = append(gold, a)
			missing += none
		}
	}
	return gold, missing
}

// split yields the non-empty pieces of s between any of the characters.
func split(s, chars string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for s != "" {
			piece := s
			if i := strings.IndexAny(s, chars); i >= 0 {
				piece, s = s[:i], s[i+1:]
			} else {
				s = ""
			}
			if piece != "" && !yield(piece) {
				return
			}
		}
	}
}

// code cleans one code; "" means that there is none.
func (c Codes) code(s string) string {
	s = strings.TrimSpace(s)
	if isNIL(s) {
		return ""
	}
	db, id, ok := strings.Cut(s, ":")
	switch {
	case !ok:
		return c.Prefix + s
	case plain(db) && id != "":
		return c.Prefix + strings.TrimSpace(id)
	}
	return s
}

// isNIL reports whether s is one of the field's words for no code.
func isNIL(s string) bool {
	if len(s) > len("CUI-LESS") {
		return false
	}
	switch strings.ToUpper(s) {
	case "", "-", "-1", "NIL", "NO_CODE", "NOCODE", "NO CODE", "CUI-LESS", "CUILESS", "NULL", "NONE":
		return true
	}
	return false
}

// Format writes answers as Parse reads them. It reports false when the field cannot hold all of them, and then writes the
// first.
func (c Codes) Format(gold []Answer) (string, bool) {
	if len(gold) == 0 {
		return c.NIL, true
	}
	join := c.Composite
	if join != "" {
		join = join[:1]
	}
	first := strings.Join(gold[0], join)
	whole := len(gold[0]) < 2 || join != ""
	if len(gold) == 1 || c.Alternative == "" {
		return first, whole && len(gold) == 1
	}
	all := []string{first}
	for _, a := range gold[1:] {
		all = append(all, strings.Join(a, join))
		whole = whole && (len(a) < 2 || join != "")
	}
	return strings.Join(all, c.Alternative[:1]), whole
}

// plain reports whether codes of a database stand without its name: UMLS and SNOMED CT identifiers say what they are.
func plain(db string) bool {
	if db == "" || strings.IndexByte("UuCcSs", db[0]) < 0 { // nearly every other database
		return false
	}
	switch strings.ToUpper(strings.NewReplacer("_", "", "-", "", " ", "").Replace(db)) {
	case "UMLS", "UMLSCUI", "CUI", "SNOMED", "SNOMEDCT", "SNOMEDCTUS", "SNOMEDCTES", "SCT", "SCTID":
		return true
	}
	return false
}

// CURIE returns the concept ID for an identifier of a database, as BRAT, BioC and BigBio name them in two fields: "MESH:D003920",
// but "C0011849" of UMLS and "73211009" of SNOMED CT. An identifier that has a colon stays as it is.
func CURIE(db, id string) string {
	db, id = strings.TrimSpace(db), strings.TrimSpace(id)
	if strings.EqualFold(db, "mesh") {
		db = "MESH"
	}
	if db == "" || id == "" || plain(db) || strings.Contains(id, ":") {
		return id
	}
	return db + ":" + id
}

// SplitCURIE is the inverse of CURIE: database and identifier of a concept ID; an empty database when the code does not say.
func SplitCURIE(code string) (db, id string) {
	if db, id, ok := strings.Cut(code, ":"); ok {
		if strings.Contains(id, ":") || id == "" || plain(db) { // CURIE would not give it back
			return "", code
		}
		return db, id
	}
	digits := strings.Trim(code, "0123456789") == ""
	switch {
	case len(code) == 8 && code[0] == 'C' && strings.Trim(code[1:], "0123456789") == "":
		return "UMLS", code
	case digits && len(code) >= 6 && len(code) <= 18:
		return "SNOMED_CT", code
	}
	return "", code
}
