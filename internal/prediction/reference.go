package prediction

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"syncabel/internal/text"
)

// ReadReference reads the table that the authors of arXiv 2601.19667 released: one mention a row, tab-separated, gold in
// `code`, prediction in `Predicted_code`. Codes of composites are joined by "+" and kept as written: under the paper's
// protocol a row counts when the two strings are equal.
func ReadReference(r io.Reader, name string) ([]Prediction, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 1<<16), maxLine)
	var head []string
	var out []Prediction
	line := 1
	for ; sc.Scan(); line++ {
		cells := strings.Split(strings.TrimSuffix(sc.Text(), "\r"), "\t")
		if head == nil {
			head = cells
			if !IsReference(sc.Text()) {
				return nil, &text.SyntaxError{File: name, Line: 1, Msg: "the heading lacks code or Predicted_code: this is no table of predictions"}
			}
			continue
		}
		if len(cells) != len(head) {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: fmt.Sprintf("%d columns, the heading has %d", len(cells), len(head))}
		}
		get := func(column string) string {
			if i := slices.Index(head, column); i >= 0 {
				return cells[i]
			}
			return ""
		}
		out = append(out, reference(get, line))
	}
	if err := sc.Err(); err != nil {
		return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
	}
	return out, nil
}

// IsReference reports whether a line is the heading of such a table.
func IsReference(line string) bool {
	cells := strings.Split(strings.TrimSpace(line), "\t")
	return slices.Contains(cells, "code") && slices.Contains(cells, "Predicted_code")
}

func reference(get func(string) string, line int) Prediction {
	id := get("mention_id")
	if id == "" {
		id = fmt.Sprintf("row%d", line)
	}
	p := Prediction{Document: get("filename"), Mention: id, Text: get("span"), Sentence: get("sentence"), Type: get("label"), Group: get("label"),
		HasGold: true, Gold: [][]string{}, Candidates: []Candidate{}, Verdict: cmp.Or(get("LLM_Evaluation_v2"), get("LLM_Evaluation"))}
	for _, column := range []string{"LLM_Evaluation", "LLM_Evaluation_v2"} {
		if v := get(column); v != "" {
			if p.Verdicts == nil {
				p.Verdicts = map[string]string{}
			}
			p.Verdicts[column] = v
		}
	}
	if code := get("code"); code != "" {
		p.Gold = append(p.Gold, strings.Split(code, "+"))
	}
	if code := get("Predicted_code"); code != "" {
		score, _ := strconv.ParseFloat(get("Prediction_beam_score"), 64) // its Prediction_score is zero in a fifth of the rows
		p.Candidates = append(p.Candidates, Candidate{Code: code, Name: get("Prediction"), Score: score, Parts: composite(code)})
	}
	return p
}

func composite(code string) []string {
	if parts := strings.Split(code, "+"); len(parts) > 1 {
		return parts
	}
	return nil
}
