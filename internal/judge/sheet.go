package judge

import (
	"cmp"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"syncabel/internal/prediction"
	"syncabel/internal/terminology"
	"syncabel/internal/text"
)

// SheetOptions of WriteSheet.
type SheetOptions struct {
	N        int    // rows, drawn by Seed; 0: all
	Seed     uint64 // of the draw and of the order of the two concepts; must be known again when the sheet comes back
	Language string // of predictions that do not say
}

// sheetColumns are the heading of an audit sheet. The clinician fills in the last three.
func sheetColumns() []string {
	return []string{"id", "sentence", "mention", "concept_a", "concept_b", "verdict_a", "verdict_b", "comment"}
}

// sheetKey identifies a judged pair without saying which concept is which.
func sheetKey(p *prediction.Prediction, seed uint64) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d\x00%s\x00%s\x00%s\x00%s", seed, p.Document, p.Mention, p.Text, strings.Join(p.Candidates[0].IDs(), "+"))
	return hex.EncodeToString(h.Sum(nil))
}

// WriteSheet writes a blind audit sheet as CSV: mentions that need a judge, gold and predicted concept in drawn order, without
// codes, models' verdicts or anything else that tells which is which. It returns the number of rows; mentions whose concepts
// are not in the knowledge base cannot be described and are returned as left out.
func WriteSheet(w io.Writer, kb *terminology.KB, preds []prediction.Prediction, opt SheetOptions) (rows, left int, err error) {
	type row struct {
		key   string
		cells []string
	}
	var list []row
	for i := range preds {
		p := &preds[i]
		if !Asked(p) {
			continue
		}
		language := cmp.Or(p.Language, opt.Language, "en")
		gold, err := describe(kb, p.Gold[0], language)
		predicted, perr := describe(kb, p.Candidates[0].IDs(), language)
		if err != nil || perr != nil {
			left++
			continue
		}
		if swapped(p, opt.Seed) {
			gold, predicted = predicted, gold
		}
		key := sheetKey(p, opt.Seed)
		list = append(list, row{key, []string{key, cmp.Or(p.Sentence, p.Text), p.Text, gold, predicted, "", "", ""}})
	}
	slices.SortFunc(list, func(a, b row) int { return cmp.Compare(a.key, b.key) }) // the key is a hash: this is the draw
	if opt.N > 0 && opt.N < len(list) {
		list = list[:opt.N]
	}
	out := csv.NewWriter(w)
	if err := out.Write(sheetColumns()); err != nil {
		return 0, left, err
	}
	for _, r := range list {
		for i := range r.cells {
			r.cells[i] = harmless(r.cells[i])
		}
		if err := out.Write(r.cells); err != nil {
			return 0, left, err
		}
	}
	out.Flush()
	return len(list), left, out.Error()
}

// harmless keeps spreadsheets from reading a cell as a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// maxSheet bounds a sheet.
const maxSheet = 256 << 20

// A Sheet is what a person decided, by row keys.
type Sheet struct {
	verdicts map[string][2]string
	Empty    int // rows not decided yet
}

// ReadSheet reads a sheet that came back. Cells of another program are forgiven: separators ; and tab, a byte-order mark, lower
// case, blanks. A verdict that is no label is an error with its line.
func ReadSheet(r io.Reader, name string) (*Sheet, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSheet))
	if err != nil {
		return nil, fmt.Errorf("reading sheet %s: %w", name, err)
	}
	content := strings.TrimPrefix(string(b), "\ufeff")
	in := csv.NewReader(strings.NewReader(content))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	if heading, _, _ := strings.Cut(content, "\n"); !strings.Contains(heading, ",") {
		in.Comma = map[bool]rune{true: ';', false: '\t'}[strings.Contains(heading, ";")]
	}
	head, err := in.Read()
	if err != nil {
		return nil, &text.SyntaxError{File: name, Line: 1, Msg: "no heading: a sheet written by `syncabel judge sheet` is expected"}
	}
	at := func(column string) int {
		return slices.IndexFunc(head, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), column) })
	}
	id, a, bb := at("id"), at("verdict_a"), at("verdict_b")
	if id < 0 || a < 0 || bb < 0 {
		return nil, &text.SyntaxError{File: name, Line: 1, Msg: "the heading lacks id, verdict_a or verdict_b: a sheet written by `syncabel judge sheet` is expected"}
	}
	s := &Sheet{verdicts: map[string][2]string{}}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		line, _ := in.FieldPos(0)
		if err != nil {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
		if err := s.row(row, id, a, bb); err != nil {
			return nil, &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
	}
}

// row adds a row with the given columns.
func (s *Sheet) row(row []string, id, a, b int) error {
	if max(id, a, b) >= len(row) {
		return fmt.Errorf("%d cells, the heading has more", len(row))
	}
	var v [2]string
	for i, at := range []int{a, b} {
		v[i] = strings.ToUpper(strings.Join(strings.Fields(strings.ReplaceAll(row[at], "_", " ")), "_"))
		if v[i] != "" && !slices.Contains(Labels(), v[i]) {
			return fmt.Errorf("%q is no verdict: want one of %s, or nothing", row[at], strings.Join(Labels(), ", "))
		}
	}
	if v[0] == "" && v[1] == "" {
		s.Empty++
		return nil
	}
	key := strings.TrimPrefix(strings.TrimSpace(row[id]), "'")
	if _, twice := s.verdicts[key]; twice {
		return fmt.Errorf("row %q stands twice", key)
	}
	s.verdicts[key] = v
	return nil
}

// Verdicts resolves the sheet against the predictions it was written from, with the seed of then: verdicts on the predictions,
// by RowKey. unknown counts rows that belong to none of them, as with another file or seed.
func (s *Sheet) Verdicts(preds []prediction.Prediction, seed uint64) (verdicts map[string]string, unknown int) {
	verdicts = map[string]string{}
	known := 0
	for i := range preds {
		p := &preds[i]
		if !Asked(p) {
			continue
		}
		v, ok := s.verdicts[sheetKey(p, seed)]
		if !ok {
			continue
		}
		known++
		which := 1
		if swapped(p, seed) {
			which = 0
		}
		if v[which] != "" {
			verdicts[RowKey(p)] = v[which]
		}
	}
	return verdicts, len(s.verdicts) - known
}

// RowKey identifies a mention in maps of verdicts.
func RowKey(p *prediction.Prediction) string { return p.Document + "\x00" + p.Mention }
