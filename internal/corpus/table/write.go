package table

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

// WriteCSV writes a row a mention with the document's text in it; a document without mentions has a row, too.
func WriteCSV(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"document", "mention_id", "label", "start", "end", "spans", "mention", "code", "language", "split", "attributes", "context"}); err != nil {
		return nil, err
	}
	lost := corpus.Losses{}
	for i := range docs {
		d := &docs[i]
		rows := rows(d, opt, lost)
		if len(rows) == 0 {
			rows = [][]string{{d.ID, "", "", "", "", "", "", ""}}
		}
		for _, r := range rows {
			if err := out.Write(append(r, d.Language, d.Split, attributes(d, r[1]), d.Text)); err != nil {
				return nil, err
			}
		}
		lost.Document(d)
		if strings.Contains(d.Text, "\r\n") {
			lost.Add("carriage returns, which readers of CSV drop: offsets behind them shift", d.ID, "\r\n")
		}
	}
	out.Flush()
	return lost.Warnings("CSV"), out.Error()
}

func attributes(d *corpus.Document, id string) string {
	for i := range d.Mentions {
		if d.Mentions[i].ID == id && len(d.Mentions[i].Attributes) > 0 {
			b, _ := json.Marshal(d.Mentions[i].Attributes) // of a map of strings: cannot fail
			return string(b)
		}
	}
	return ""
}

// WriteTSV writes the table of SPACCC and its siblings; the texts go to files of their own (Text).
func WriteTSV(w io.Writer, docs []corpus.Document, opt corpus.WriteOptions) ([]text.Warning, error) {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "filename\tann_id\tlabel\tstart_span\tend_span\tspans\tspan\tcode")
	lost := corpus.Losses{}
	oneLine := strings.NewReplacer("\n", " ", "\t", " ", "\r", " ")
	for i := range docs {
		for _, r := range rows(&docs[i], opt, lost) {
			for k := range r {
				r[k] = oneLine.Replace(r[k])
			}
			fmt.Fprintln(b, strings.Join(r, "\t"))
		}
		for j := range docs[i].Mentions {
			lost.Mention(&docs[i], &docs[i].Mentions[j], true, true)
		}
		lost.Document(&docs[i])
	}
	return lost.Warnings("TSV"), b.Flush()
}

// rows returns document, mention_id, label, start, end, spans, mention, code of every mention.
func rows(d *corpus.Document, opt corpus.WriteOptions, lost corpus.Losses) [][]string {
	codes := opt.Codes.Or(composite, alternative)
	if codes.NIL == "" {
		codes.NIL = "NO_CODE"
	}
	off := text.NewOffsets(d.Text)
	var out [][]string
	for i := range d.Mentions {
		m := &d.Mentions[i]
		var spans []string
		for _, s := range m.Spans {
			spans = append(spans, fmt.Sprintf("%d-%d", off.Unit(s.Start), off.Unit(s.End)))
		}
		sp := m.Span()
		code, _ := codes.Format(m.Gold)
		out = append(out, []string{d.ID, m.ID, m.Type, fmt.Sprint(off.Unit(sp.Start)), fmt.Sprint(off.Unit(sp.End)), strings.Join(spans, ";"), m.Text, code})
	}
	return out
}
