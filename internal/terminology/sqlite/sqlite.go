// Package sqlite writes a knowledge base as a SQLite database for people who want to ask questions of it. The program itself never
// reads it: the mapped store is some ten times faster. It stands beside the readers, the other way round.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"syncabel/internal/terminology"
)

// schema has a table for each part of a concept; names_fts finds words.
const schema = `
CREATE TABLE concepts (id TEXT PRIMARY KEY, preferred TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE names (concept TEXT NOT NULL, name TEXT NOT NULL, language TEXT, preferred INTEGER NOT NULL, source TEXT, kind TEXT, licence TEXT, semantic_group TEXT);
CREATE TABLE types (concept TEXT NOT NULL, type TEXT NOT NULL, semantic_group TEXT NOT NULL);
CREATE TABLE definitions (concept TEXT NOT NULL, definition TEXT NOT NULL, language TEXT, source TEXT);
CREATE TABLE parents (concept TEXT NOT NULL, parent TEXT NOT NULL);
CREATE TABLE xrefs (concept TEXT NOT NULL, xref TEXT NOT NULL);
CREATE TABLE retired (id TEXT NOT NULL, name TEXT, replacement TEXT, relation TEXT);
CREATE TABLE vocabularies (code TEXT PRIMARY KEY, name TEXT, version TEXT, licence TEXT) WITHOUT ROWID;
CREATE VIRTUAL TABLE names_fts USING fts5 (name, content='names', tokenize='unicode61 remove_diacritics 2');`

// after is made once everything is in.
const after = `
CREATE INDEX names_concept ON names (concept);
CREATE INDEX names_name ON names (name COLLATE NOCASE);
CREATE INDEX types_concept ON types (concept);
CREATE INDEX parents_concept ON parents (concept);
CREATE INDEX parents_parent ON parents (parent);
CREATE INDEX definitions_concept ON definitions (concept);
INSERT INTO names_fts (names_fts) VALUES ('rebuild');
ANALYZE;`

// Write makes the database at path, which must not exist. It appears when it is complete. Progress is called with the number of
// concepts now and then; its error ends the writing.
func Write(ctx context.Context, path string, kb *terminology.KB, progress func(concepts int64) error) (err error) {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("writing %s: it is there already: choose another name or delete it", path)
	}
	tmp := path + ".tmp"
	os.Remove(tmp)
	db, err := sql.Open("sqlite", "file:"+tmp+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	w := &writer{ctx: ctx, statements: map[string]*sql.Stmt{}}
	err = w.all(db, kb, progress)
	if err = errors.Join(err, db.Close()); err != nil {
		os.Remove(tmp)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(tmp, path)
}

type writer struct {
	ctx        context.Context
	tx         *sql.Tx
	statements map[string]*sql.Stmt
}

func (w *writer) all(db *sql.DB, kb *terminology.KB, progress func(int64) error) (err error) {
	if _, err := db.ExecContext(w.ctx, schema); err != nil {
		return err
	}
	if w.tx, err = db.BeginTx(w.ctx, nil); err != nil {
		return err
	}
	if err := w.rows(kb, progress); err != nil {
		return errors.Join(err, w.tx.Rollback())
	}
	if err := w.tx.Commit(); err != nil {
		return err
	}
	_, err = db.ExecContext(w.ctx, after)
	return err
}

func (w *writer) rows(kb *terminology.KB, progress func(int64) error) error {
	for i := range kb.Len() {
		if err := w.concept(kb.Concept(i)); err != nil {
			return err
		}
		if progress != nil && i%4096 == 4095 {
			if err := progress(int64(i + 1)); err != nil {
				return err
			}
		}
	}
	for r := range kb.Retirements() {
		if err := w.retirement(r); err != nil {
			return err
		}
	}
	for _, v := range kb.Vocabularies() {
		if err := w.insert("vocabularies", v.Code, v.Name, v.Version, v.Licence); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) concept(c *terminology.Concept) error {
	err := w.insert("concepts", c.ID, c.PreferredName(""))
	for _, n := range c.Names {
		err = errors.Join(err, w.insert("names", c.ID, n.Text, n.Language, n.Preferred, n.Source, n.Kind, n.Licence, n.Group))
	}
	for _, t := range c.Types {
		err = errors.Join(err, w.insert("types", c.ID, t.Name, t.Group))
	}
	for _, d := range c.Definitions {
		err = errors.Join(err, w.insert("definitions", c.ID, d.Text, d.Language, d.Source))
	}
	for _, p := range c.Parents {
		err = errors.Join(err, w.insert("parents", c.ID, p))
	}
	for _, x := range c.Xrefs {
		err = errors.Join(err, w.insert("xrefs", c.ID, x))
	}
	return err
}

func (w *writer) retirement(r terminology.Retirement) error {
	if len(r.To) == 0 {
		return w.insert("retired", r.ID, r.Name, nil, nil)
	}
	var err error
	for _, to := range r.To {
		err = errors.Join(err, w.insert("retired", r.ID, r.Name, to.ID, to.Relation))
	}
	return err
}

// insert adds a row to a table of the schema.
func (w *writer) insert(table string, values ...any) error {
	s := w.statements[table]
	if s == nil {
		var err error
		s, err = w.tx.PrepareContext(w.ctx, "INSERT INTO "+table+" VALUES (?"+strings.Repeat(",?", len(values)-1)+")")
		if err != nil {
			return err
		}
		w.statements[table] = s
	}
	_, err := s.ExecContext(w.ctx, values...)
	return err
}
