package omop

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/text"
)

// A Concept is what a code maps to.
type Concept struct {
	Standard int64 // note_nlp_concept_id
	Source   int64 // note_nlp_source_concept_id; 0: none
}

// A Map holds the OMOP concepts of the codes of a knowledge base.
type Map map[string]Concept

// ReadMap reads a mapping file, comma- or tab-separated with a heading: the model's own SOURCE_TO_CONCEPT_MAP (source_code,
// source_concept_id, target_concept_id, ...), or columns code, concept_id and, if there is one, source_concept_id.
func ReadMap(r io.Reader, name string) (Map, error) {
	in := bufio.NewReader(r)
	head, err := in.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("reading concept map %s: %w", name, err)
	}
	c := csv.NewReader(in)
	c.FieldsPerRecord, c.LazyQuotes, c.ReuseRecord = -1, true, true
	if first, _, _ := strings.Cut(string(head), "\n"); strings.Contains(first, "\t") {
		c.Comma = '\t'
	}
	heading, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("reading concept map %s: %w", name, err)
	}
	code, standard, source := column(heading, "source_code", "code"), column(heading, "target_concept_id", "concept_id"), column(heading, "source_concept_id")
	if code < 0 || standard < 0 {
		return nil, &text.SyntaxError{File: name, Line: 1, Msg: "the heading needs source_code and target_concept_id, or code and concept_id"}
	}
	m := Map{}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		line, _ := c.FieldPos(0)
		if err != nil {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		concept, err := concept(rec, standard, source)
		if err != nil || code >= len(rec) {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: fmt.Sprintf("a code and a whole-number concept are expected: %v", err)}
		}
		m[strings.Clone(rec[code])] = concept
	}
}

func column(heading []string, names ...string) int {
	return slices.IndexFunc(heading, func(h string) bool {
		return slices.Contains(names, strings.ToLower(strings.Trim(h, " \ufeff")))
	})
}

func concept(rec []string, standard, source int) (c Concept, err error) {
	if standard >= len(rec) {
		return c, errors.New("the line is too short")
	}
	if c.Standard, err = strconv.ParseInt(rec[standard], 10, 32); err != nil {
		return c, err
	}
	if source >= 0 && source < len(rec) && rec[source] != "" {
		c.Source, err = strconv.ParseInt(rec[source], 10, 32)
	}
	return c, err
}
