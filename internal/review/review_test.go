package review

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"syncabel/internal/corpus"
	"syncabel/internal/pgtest"
	"syncabel/internal/text"
)

// stores runs a test on both databases. PostgreSQL takes seconds to set up, so it is started only when asked for.
func stores(t *testing.T, f func(t *testing.T, where string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, filepath.Join(t.TempDir(), "a folder with ?#", "review.db")) })
	t.Run("postgres", func(t *testing.T) {
		if os.Getenv("SYNCABEL_SLOW") == "" {
			t.Skip("set SYNCABEL_SLOW=1 to start a PostgreSQL server")
		}
		f(t, pgtest.Start(t).DSN)
	})
}

func open(t *testing.T, where string) *Store {
	t.Helper()
	if !strings.HasPrefix(where, "postgres") {
		if err := os.MkdirAll(filepath.Dir(where), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func item(n int, queue string) Item {
	return Item{ID: fmt.Sprintf("%s:%d", queue, n), Queue: queue, Language: "fr", Text: "Une goutte au pied.", Spans: []text.Span{{Start: 4, End: 10}},
		Mention: "goutte", Group: "Disorders", Code: "D1", Name: "goutte", Priority: float64(n % 3)}
}

func add(t *testing.T, s *Store, n int, queue string) {
	t.Helper()
	var list []Item
	for i := range n {
		list = append(list, item(i, queue))
	}
	if k, err := s.Add(t.Context(), list); err != nil || k != n {
		t.Fatalf("%d added, %v", k, err)
	}
}

func decide(t *testing.T, s *Store, item, reviewer, action, code string) Decision {
	t.Helper()
	d, err := s.Decide(t.Context(), Decision{Item: item, Reviewer: reviewer, Action: action, Code: code, Note: action + " it"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReview(t *testing.T) {
	stores(t, func(t *testing.T, where string) {
		s := open(t, where)
		add(t, s, 6, Synthetic)
		if k, err := s.Add(t.Context(), []Item{item(0, Synthetic)}); err != nil || k != 0 {
			t.Fatalf("added twice: %d, %v", k, err)
		}
		next, err := s.Next(t.Context(), Synthetic, "ana", 2)
		if err != nil || len(next) != 2 || next[0].ID != "synthetic:2" || next[1].ID != "synthetic:5" {
			t.Fatalf("the most urgent first: %+v, %v", next, err)
		}
		decide(t, s, "synthetic:0", "ana", Accept, "")
		decide(t, s, "synthetic:1", "ana", Correct, "D2")
		decide(t, s, "synthetic:2", "ana", Reject, "")
		decide(t, s, "synthetic:3", "ana", Skip, "")
		decide(t, s, "synthetic:4", "ana", Accept, "")
		decide(t, s, "synthetic:0", "bob", Accept, "")
		decide(t, s, "synthetic:1", "bob", Accept, "")
		undone, err := s.Undo(t.Context(), Synthetic, "ana", "")
		if err != nil || undone.Item != "synthetic:4" {
			t.Fatalf("undo: %+v, %v", undone, err)
		}
		s.Close()

		s = open(t, where) // nothing is in memory only
		defer s.Close()
		if next, _ = s.Next(t.Context(), Synthetic, "ana", 9); len(next) != 2 || next[1].ID != "synthetic:4" {
			t.Errorf("undone and open items come back: %+v", next)
		}
		log, err := s.Log(t.Context(), 0, 100)
		if err != nil || len(log) != 8 || log[7].Undoes != log[4].Seq {
			t.Errorf("log: %+v, %v", log, err)
		}
		sum, err := s.Summary(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if q := sum.Queues[0]; q.Items != 6 || q.Decided != 3 || q.Conflicts != 1 || q.Reviewers["ana"] != 4 {
			t.Errorf("summary: %+v", q)
		}
		if diff := cmp.Diff([]Agreement{{A: "ana", B: "bob", Items: 2, Observed: 0.5, Kappa: 0}}, sum.Agreement); diff != "" {
			t.Error(diff)
		}
	})
}

// What is exported is a corpus that the program reads, with provenance beside it.
func TestExport(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "review.db"))
	defer s.Close()
	add(t, s, 6, Uncertain)
	decide(t, s, "uncertain:0", "ana", Accept, "")
	decide(t, s, "uncertain:1", "ana", Correct, "D3+D2")
	decide(t, s, "uncertain:1", "bob", Correct, "D3+D2")
	decide(t, s, "uncertain:2", "ana", Reject, "")
	decide(t, s, "uncertain:3", "ana", Accept, "")
	decide(t, s, "uncertain:3", "bob", Reject, "")
	decide(t, s, "uncertain:4", "ana", Skip, "")
	var b bytes.Buffer
	n, err := s.Export(t.Context(), &b, ExportOptions{})
	if diff := cmp.Diff(ExportCounts{Documents: 2, Corrected: 1, Rejected: 1, Conflicts: 1, Open: 2}, n); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	if !strings.Contains(b.String(), `"provenance":{"item":"uncertain:1","queue":"uncertain","proposed":"D1","reviewers":["ana","bob"],"decisions":[2,3]`) {
		t.Errorf("no provenance in %s", b.String())
	}
	docs, err := corpus.Read(&b, "export")
	if err != nil || len(docs) != 2 || docs[1].Mentions[0].Origin != "review" || !cmp.Equal(docs[1].Mentions[0].Gold, []corpus.Answer{{"D2", "D3"}}) {
		t.Errorf("%+v, %v", docs, err)
	}
	if _, n, _ := s.Documents(t.Context(), ExportOptions{Reviewers: 2}); n.Documents != 1 || n.Few != 1 {
		t.Errorf("two reviewers: %+v", n)
	}
}

// Concurrent decisions share transactions, a request sent twice counts once, and a faulty one does not harm its neighbours.
func TestConcurrentDecisions(t *testing.T) {
	stores(t, func(t *testing.T, where string) {
		s := open(t, where)
		defer s.Close()
		add(t, s, 50, Synthetic)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				d := Decision{Item: fmt.Sprintf("synthetic:%d", i%100), Reviewer: "ana", Action: Accept, Request: fmt.Sprint(i % 100)}
				_, err := s.Decide(context.Background(), d)
				if (i%100 >= 50) != errors.Is(err, ErrNoItem) {
					t.Errorf("decision %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if log, err := s.Log(t.Context(), 0, 1000); err != nil || len(log) != 50 {
			t.Errorf("%d lines in the log, %v", len(log), err)
		}
	})
}

func TestFaultyDecisions(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "review.db"))
	defer s.Close()
	add(t, s, 1, Synthetic)
	for _, d := range []Decision{{}, {Item: "synthetic:0", Reviewer: "a", Action: "maybe"}, {Item: "synthetic:0", Action: Accept}, {Reviewer: "a", Action: Accept},
		{Item: "synthetic:0", Reviewer: "a", Action: Correct}, {Item: "synthetic:0", Reviewer: "a", Action: Accept, Code: "D1"},
		{Item: "synthetic:0", Reviewer: "a", Action: Skip, Note: strings.Repeat("x", 5000)}} {
		if _, err := s.Decide(t.Context(), d); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if _, err := s.Undo(t.Context(), Synthetic, "a", ""); !errors.Is(err, ErrNothing) {
		t.Errorf("undo of nothing: %v", err)
	}
	bad := item(7, Synthetic)
	bad.Spans[0].End = 99
	if _, err := s.Add(t.Context(), []Item{bad}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a span outside the text: %v", err)
	}
}
