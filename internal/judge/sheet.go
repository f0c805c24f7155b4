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

// A SheetRow is one row of an audit sheet. The clinician fills in the last three.
type SheetRow struct {
	ID                 string // of sheetKey
	Sentence, Mention  string
	A, B               string // the two concepts, described
	VerdictA, VerdictB string // of Labels, or empty
	Comment            string
}

// sheetColumns are the heading, in the order of a row's cells.
func sheetColumns() []string {
	return []string{"id", "sentence", "mention", "concept_a", "concept_b", "verdict_a", "verdict_b", "comment"}
}

func (r *SheetRow) cells() []*string {
	return []*string{&r.ID, &r.Sentence, &r.Mention, &r.A, &r.B, &r.VerdictA, &r.VerdictB, &r.Comment}
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
	var list []SheetRow
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
		list = append(list, SheetRow{ID: sheetKey(p, opt.Seed), Sentence: cmp.Or(p.Sentence, p.Text), Mention: p.Text, A: gold, B: predicted})
	}
	slices.SortFunc(list, func(a, b SheetRow) int { return cmp.Compare(a.ID, b.ID) }) // the key is a hash: this is the draw
	if opt.N > 0 && opt.N < len(list) {
		list = list[:opt.N]
	}
	return len(list), left, WriteRows(w, list)
}

// WriteRows writes rows as a sheet.
func WriteRows(w io.Writer, rows []SheetRow) error {
	out := csv.NewWriter(w)
	if err := out.Write(sheetColumns()); err != nil {
		return fmt.Errorf("writing sheet: %w", err)
	}
	for i := range rows {
		var cells []string
		for _, c := range rows[i].cells() {
			cells = append(cells, harmless(*c))
		}
		if err := out.Write(cells); err != nil {
			return fmt.Errorf("writing sheet: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

// harmless keeps spreadsheets from reading a cell as a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// plain takes back what harmless did.
func plain(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && harmless(rest) != rest {
		return rest
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

// ReadSheet reads a sheet that came back, as ReadRows does. A row that is decided twice is an error with its line.
func ReadSheet(r io.Reader, name string) (*Sheet, error) {
	s := &Sheet{verdicts: map[string][2]string{}}
	err := eachRow(r, name, func(row *SheetRow) error {
		if row.VerdictA == "" && row.VerdictB == "" {
			s.Empty++
			return nil
		}
		if _, twice := s.verdicts[row.ID]; twice {
			return fmt.Errorf("row %q stands twice", row.ID)
		}
		s.verdicts[row.ID] = [2]string{row.VerdictA, row.VerdictB}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ReadRows reads the rows of a sheet. Cells of another program are forgiven: separators ; and tab, a byte-order mark, lower
// case, blanks. A verdict that is no label is an error with its line; columns other than id and verdicts may be missing.
func ReadRows(r io.Reader, name string) ([]SheetRow, error) {
	var out []SheetRow
	err := eachRow(r, name, func(row *SheetRow) error { out = append(out, *row); return nil })
	return out, err
}

// eachRow calls f with every row; its errors are reported with their line.
func eachRow(r io.Reader, name string, f func(*SheetRow) error) error {
	b, err := io.ReadAll(io.LimitReader(r, maxSheet))
	if err != nil {
		return fmt.Errorf("reading sheet %s: %w", name, err)
	}
	content := strings.TrimPrefix(string(b), "\ufeff")
	in := csv.NewReader(strings.NewReader(content))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	if heading, _, _ := strings.Cut(content, "\n"); !strings.Contains(heading, ",") {
		in.Comma = map[bool]rune{true: ';', false: '\t'}[strings.Contains(heading, ";")]
	}
	head, err := in.Read()
	if err != nil {
		return &text.SyntaxError{File: name, Line: 1, Msg: "no heading: a sheet written by `syncabel judge sheet` is expected"}
	}
	var at []int
	for _, column := range sheetColumns() {
		at = append(at, slices.IndexFunc(head, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), column) }))
	}
	if at[0] < 0 || at[5] < 0 || at[6] < 0 {
		return &text.SyntaxError{File: name, Line: 1, Msg: "the heading lacks id, verdict_a or verdict_b: a sheet written by `syncabel judge sheet` is expected"}
	}
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := in.FieldPos(0)
		var row SheetRow
		if err == nil {
			err = row.fill(cells, at)
		}
		if err == nil {
			err = f(&row)
		}
		if err != nil {
			return &text.SyntaxError{File: name, Line: line, Msg: err.Error()}
		}
	}
}

// fill takes a row from the cells at the given columns; -1: the sheet has no such column.
func (r *SheetRow) fill(cells []string, at []int) error {
	if max(at[0], at[5], at[6]) >= len(cells) {
		return fmt.Errorf("%d cells, the heading has more", len(cells))
	}
	for i, c := range r.cells() {
		if at[i] >= 0 && at[i] < len(cells) {
			*c = plain(cells[at[i]])
		}
	}
	r.ID = strings.TrimPrefix(strings.TrimSpace(r.ID), "'")
	for _, v := range []*string{&r.VerdictA, &r.VerdictB} {
		label := strings.ToUpper(strings.Join(strings.Fields(strings.ReplaceAll(*v, "_", " ")), "_"))
		if label != "" && !slices.Contains(Labels(), label) {
			return fmt.Errorf("%q is no verdict: want one of %s, or nothing", *v, strings.Join(Labels(), ", "))
		}
		*v = label
	}
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
