package table

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/text"
)

const sample = "filename\tmark\tlabel\toff0\toff1\tspan\tcode\n1\tT1\tENFERMEDAD\t12\t16\tgota\t90560007\n1\tT2\tENFERMEDAD\t0\t5\tMaría\tNO_CODE\n" +
	"1\tT3\tENFERMEDAD\t0\t4\tgota\t1\n1\tT4\tSINTOMA\t12\t16\tgota\t2+1\n"

var texts = fstest.MapFS{"1.txt": &fstest.MapFile{Data: []byte("María tiene gota.")}}

func TestRead(t *testing.T) {
	docs, warnings, err := Read(strings.NewReader(sample), "f.tsv", corpus.ReadOptions{Language: "es", Texts: texts})
	if err != nil || len(docs) != 1 || len(warnings) != 1 || warnings[0].Line != 4 {
		t.Fatal(docs, warnings, err)
	}
	m := docs[0].Mentions
	if len(m) != 3 || !m[0].NIL() || m[1].Gold[0][0] != "90560007" || len(m[2].Gold[0]) != 2 {
		t.Errorf("%+v", m)
	}
	for in, want := range map[string]string{"": "empty", "a\tb\n": "no column for", "filename\tstart\tend\tcode\n9\t0\t1\tx\n": "f.tsv:2: text of document", "filename\tstart\tend\tcode\n../x\t0\t1\tx\n": "no file name"} {
		if _, _, err := Read(strings.NewReader(in), "f.tsv", corpus.ReadOptions{Texts: texts}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestQuotes: quotes in a TSV belong to the mention, unless the whole cell is quoted as a CSV would.
func TestQuotes(t *testing.T) {
	texts := fstest.MapFS{"1.txt": &fstest.MapFile{Data: []byte(`el "pie" de "atleta" "x`)}}
	in := "filename\tlabel\tstart_span\tend_span\tspan\tcode\n1\tE\t3\t8\t\"pie\"\t1\n1\tE\t0\t20\t\"el \"\"pie\"\" de \"\"atleta\"\"\"\t2\n1\tE\t21\t23\t\"x\t3\n"
	docs, warnings, err := Read(strings.NewReader(in), "f.tsv", corpus.ReadOptions{Texts: texts})
	if err != nil || len(warnings) > 0 || len(docs[0].Mentions) != 3 {
		t.Error(docs, warnings, err)
	}
}

// TestParts: the mention as annotated stands in parts inside its range, and the sentence beside it is not the document's text.
func TestParts(t *testing.T) {
	texts := fstest.MapFS{"1.txt": &fstest.MapFile{Data: []byte("Une hépatite B ou C.")}}
	in := "doc\tstart\tend\tspans\tmention\ttype\tcodes\tsentence\n1\t4\t19\t4-12;18-19\thépatite C\tE\t1\tUne [hépatite B ou C]{E}.\n1\t4\t19\t\thépatite C\tE\t1\tUne.\n"
	docs, warnings, err := Read(strings.NewReader(in), "f.tsv", corpus.ReadOptions{Texts: texts, Columns: map[string]string{"context": "-"}})
	if err != nil || len(warnings) > 0 || len(docs) != 1 || len(docs[0].Mentions) != 2 {
		t.Fatal(docs, warnings, err)
	}
	for _, m := range docs[0].Mentions {
		if m.Text != "hépatite C" || len(m.Spans) != 2 {
			t.Errorf("%+v", m)
		}
	}
}

func TestColumnsByName(t *testing.T) {
	csv := "note,what,where,id\n\"La gota, otra vez.\",gota,D,90\nLa gota y la gota.,gota,D,90\n"
	opt := corpus.ReadOptions{Columns: map[string]string{"context": "note", "mention": "what", "type": "where", "code": "id"}}
	docs, warnings, err := Read(strings.NewReader(csv), "f.csv", opt)
	if err != nil || len(docs) != 2 || len(warnings) != 1 || warnings[0].Line != 3 || docs[0].Mentions[0].Gold[0][0] != "90" {
		t.Error(docs, warnings, err)
	}
	jsonl := `{"note":"La gota, otra vez.","what":"gota","where":"D","id":[90,91]}`
	docs, warnings, err = Read(strings.NewReader(jsonl), "f.jsonl", opt)
	if err != nil || len(warnings) > 0 || len(docs[0].Mentions[0].Gold[0]) != 2 {
		t.Error(docs, warnings, err)
	}
	opt.Columns["code"] = "kode"
	if _, _, err := Read(strings.NewReader(csv), "f.csv", opt); err == nil || !strings.Contains(err.Error(), `no column "kode"`) {
		t.Error(err)
	}
}

func TestWriteRead(t *testing.T) {
	docs := []corpus.Document{{ID: "1", Language: "es", Split: "dev", Text: "María \"tiene\" gota.\nY más.", Mentions: []corpus.Mention{
		{ID: "a", Spans: []text.Span{{Start: 7, End: 14}, {Start: 15, End: 19}}, Text: "\"tiene\" gota", Type: "A, B", Gold: []corpus.Answer{{"1", "2"}, {"3"}}, Attributes: map[string]string{"n": "1"}},
		{ID: "b", Spans: []text.Span{{Start: 21, End: 22}}, Text: "Y", Type: "T", Gold: []corpus.Answer{}}}},
		{ID: "2", Language: "es", Split: "dev", Text: "Nada."}}
	var b bytes.Buffer
	lost, err := WriteCSV(&b, docs, corpus.WriteOptions{})
	if err != nil || len(lost) > 0 {
		t.Fatal(lost, err)
	}
	got, warnings, err := Read(&b, "f.csv", corpus.ReadOptions{})
	if diff := cmp.Diff(docs, got); err != nil || len(warnings) > 0 || diff != "" {
		t.Error(warnings, err, diff)
	}
	b.Reset()
	lost, err = WriteTSV(&b, docs, corpus.WriteOptions{})
	if err != nil || len(lost) != 1 {
		t.Fatal(lost, err)
	}
	got, warnings, err = Read(&b, "f.tsv", corpus.ReadOptions{Language: "es", Split: "dev", Texts: fstest.MapFS{"1.txt": &fstest.MapFile{Data: []byte(docs[0].Text)}}})
	docs[0].Mentions[0].Attributes = nil
	if diff := cmp.Diff(docs[:1], got); err != nil || len(warnings) > 0 || diff != "" {
		t.Error(warnings, err, diff)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sample, "f.tsv")
	f.Add("context,mention,code\nLa gota,gota,1\n", "f.csv")
	f.Add(`{"context":"La gota","mention":"gota","code":1}`, "f.jsonl")
	f.Fuzz(func(t *testing.T, in, name string) {
		docs, _, err := Read(strings.NewReader(in), name, corpus.ReadOptions{Texts: texts})
		if err != nil {
			return
		}
		for i := range docs {
			if err := docs[i].Check(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := WriteCSV(io.Discard, docs, corpus.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
