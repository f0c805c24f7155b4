package omop

import (
	"bytes"
	"encoding/csv"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"syncabel/internal/corpus"
	"syncabel/internal/pgtest"
	"syncabel/internal/prediction"
	"syncabel/internal/text"
)

// ddl is the table of CDM 5.4 as OHDSI's PostgreSQL script defines it.
const ddl = `CREATE TABLE note_nlp (note_nlp_id integer NOT NULL, note_id integer NOT NULL, section_concept_id integer NULL, snippet varchar(250) NULL,
 "offset" varchar(50) NULL, lexical_variant varchar(250) NOT NULL, note_nlp_concept_id integer NULL, note_nlp_source_concept_id integer NULL,
 nlp_system varchar(250) NULL, nlp_date date NOT NULL, nlp_datetime TIMESTAMP NULL, term_exists varchar(1) NULL, term_temporal varchar(50) NULL, term_modifiers varchar(2000) NULL)`

func table(t *testing.T) (*Writer, string) {
	t.Helper()
	m, err := ReadMap(strings.NewReader("source_code,source_concept_id,source_vocabulary_id,target_concept_id\nMESH:D003920,45614000,MeSH,201820\n"), "map.csv")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := NewWriter(&b, Options{Program: "syncabel 1", At: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Map: m})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("é, \"", 400)
	for _, d := range []corpus.Document{{ID: "17", Text: "é diabetes,\nvague " + long}, {ID: "a;b", Text: "diabetes vague"}} {
		at := func(s, code string) prediction.Prediction {
			i := strings.Index(d.Text, s)
			return prediction.Prediction{Text: s, Group: "Disorders", Spans: []text.Span{{Start: i, End: i + len(s)}}, Candidates: []prediction.Candidate{{Code: code, Probability: 0.5}}}
		}
		preds := []prediction.Prediction{at("diabetes", "MESH:D003920+X1"), at("vague", "X")}
		preds[1].Candidates = nil
		if d.ID == "17" {
			preds = append(preds, at(long, "X2"))
		}
		if err := w.Write(&d, preds); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w, b.String()
}

func TestWriter(t *testing.T) {
	w, out := table(t)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Columns, rows[0]); diff != "" {
		t.Error(diff)
	}
	if w.Rows != 5 || w.Unmapped != 3 || w.Renamed != 1 || len(rows) != 6 {
		t.Errorf("%+v, %d lines", w, len(rows))
	}
	if diff := cmp.Diff([]string{"1", "17", "0", rows[1][3], "2", "diabetes", "201820", "45614000", "syncabel 1", "2026-11-25", "2026-11-25 12:00:00", "", "",
		"code=MESH:D003920;probability=0.5000;group=Disorders"}, rows[1]); diff != "" {
		t.Error(diff)
	}
}

// A database that has the table of CDM 5.4 takes the file as it is.
func TestLoadsIntoCDM(t *testing.T) {
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("set SYNCABEL_SLOW=1 to start a PostgreSQL server")
	}
	c, err := pgx.Connect(t.Context(), pgtest.Start(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), ddl); err != nil {
		t.Fatal(err)
	}
	_, out := table(t)
	tag, err := c.PgConn().CopyFrom(t.Context(), strings.NewReader(out), "COPY note_nlp FROM STDIN WITH (FORMAT csv, HEADER match)")
	if err != nil || tag.RowsAffected() != 5 {
		t.Errorf("%v, %v", tag, err)
	}
}

func TestReadMapFaults(t *testing.T) {
	for _, s := range []string{"", "a,b\n1,2\n", "code,concept_id\nX,y\n", "code,concept_id\nX\n"} {
		if m, err := ReadMap(strings.NewReader(s), "m"); err == nil {
			t.Errorf("%q: %v", s, m)
		}
	}
	m, err := ReadMap(strings.NewReader("\ufeffcode\tconcept_id\nX\t7\n"), "m")
	if err != nil || m["X"].Standard != 7 {
		t.Errorf("%v, %v", m, err)
	}
}

func FuzzReadMap(f *testing.F) {
	f.Add("code,concept_id\nX,7\n")
	f.Fuzz(func(t *testing.T, s string) { ReadMap(strings.NewReader(s), "fuzz") })
}
