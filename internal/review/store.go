package review

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql driver "pgx"
	_ "modernc.org/sqlite"             // database/sql driver "sqlite"
)

// A Store is a database of items and decisions. It is safe for concurrent use.
type Store struct {
	db       *sql.DB
	postgres bool
	writes   chan *write
	stop     chan struct{} // closed by Close: no more writes
	done     chan struct{} // closed by the writer when it has ended
}

// schemaVersion of the tables.
//
//	1  2026-11: first
const schemaVersion = "1"

// Times are text, RFC 3339 in UTC with microseconds, the same in both databases. SERIAL stands for what either calls an ascending number.
const schema = `
CREATE TABLE IF NOT EXISTS review_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS review_items (
	ord SERIAL,
	id TEXT NOT NULL UNIQUE,
	queue TEXT NOT NULL,
	priority DOUBLE PRECISION NOT NULL,
	body TEXT NOT NULL,
	added TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS review_items_next ON review_items (queue, priority DESC, ord);
CREATE TABLE IF NOT EXISTS review_decisions (
	seq SERIAL,
	request TEXT UNIQUE,
	item TEXT NOT NULL REFERENCES review_items (id),
	reviewer TEXT NOT NULL,
	action TEXT NOT NULL,
	code TEXT NOT NULL,
	note TEXT NOT NULL,
	undoes BIGINT UNIQUE REFERENCES review_decisions (seq),
	at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS review_decisions_item ON review_decisions (item, reviewer);
CREATE INDEX IF NOT EXISTS review_decisions_reviewer ON review_decisions (reviewer, seq);`

// Open opens the store at where: a postgres:// connection string, or the path of an SQLite file, which is made if it is missing.
func Open(ctx context.Context, where string) (*Store, error) {
	s := &Store{writes: make(chan *write, maxBatch), stop: make(chan struct{}), done: make(chan struct{})}
	driver, dsn, serial := "sqlite", sqliteDSN(where), "INTEGER PRIMARY KEY AUTOINCREMENT"
	if s.postgres = strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://"); s.postgres {
		driver, dsn, serial = "pgx", where, "BIGSERIAL PRIMARY KEY"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, s.openError(where, err)
	}
	db.SetMaxOpenConns(8)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s.db = db
	if err := s.migrate(ctx, strings.ReplaceAll(schema, "SERIAL", serial)); err != nil {
		db.Close()
		return nil, s.openError(where, err)
	}
	go s.write()
	return s, nil
}

// openError names the place without the password that a connection string may hold.
func (s *Store) openError(where string, err error) error {
	if s.postgres {
		return fmt.Errorf("opening review store in PostgreSQL: %w", err)
	}
	return fmt.Errorf("opening review store %s: %w", where, err)
}

// sqliteDSN asks for a write-ahead log that is flushed at every commit: what was acknowledged survives a crash of the machine.
func sqliteDSN(path string) string {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (s *Store) migrate(ctx context.Context, ddl string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if s.postgres { // two servers that start together must not both create
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(7236837)"); err != nil {
			return err
		}
	}
	for _, stmt := range strings.Split(ddl, ";") {
		if stmt = strings.TrimSpace(stmt); stmt == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, stmt); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, s.sql("INSERT INTO review_meta (key, value) VALUES ('schema', ?) ON CONFLICT (key) DO NOTHING"), schemaVersion); err != nil {
		return err
	}
	var have string
	if err := tx.QueryRowContext(ctx, "SELECT value FROM review_meta WHERE key = 'schema'").Scan(&have); err != nil {
		return err
	}
	if have != schemaVersion {
		return fmt.Errorf("the tables have version %s and this program knows %s: use the program that made them, or export and start a new store", have, schemaVersion)
	}
	return tx.Commit()
}

// sql numbers the placeholders for PostgreSQL.
func (s *Store) sql(q string) string {
	if !s.postgres {
		return q
	}
	var b strings.Builder
	n := 0
	for _, r := range q {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Close waits for the writes in progress and closes the database.
func (s *Store) Close() error {
	close(s.stop)
	<-s.done
	return s.db.Close()
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// Add adds items in one transaction and returns how many were new.
func (s *Store) Add(ctx context.Context, items []Item) (int, error) {
	for i := range items {
		if err := items[i].check(); err != nil {
			return 0, err
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("adding review items: %w", err)
	}
	defer tx.Rollback()
	stmt, err := tx.PrepareContext(ctx, s.sql("INSERT INTO review_items (id, queue, priority, body, added) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"))
	if err != nil {
		return 0, fmt.Errorf("adding review items: %w", err)
	}
	defer stmt.Close()
	n, now := int64(0), stamp(time.Now())
	for i := range items {
		body, err := json.Marshal(&items[i])
		if err != nil {
			return 0, fmt.Errorf("encoding review item: %w", err)
		}
		res, err := stmt.ExecContext(ctx, items[i].ID, items[i].Queue, items[i].Priority, string(body), now)
		if err != nil {
			return 0, fmt.Errorf("adding review items: %w", err)
		}
		k, err := res.RowsAffected()
		if err != nil {
			return 0, fmt.Errorf("adding review items: %w", err)
		}
		n += k
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("adding review items: %w", err)
	}
	return int(n), nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// live keeps the decisions that were not taken back.
const live = "d.action <> 'undo' AND NOT EXISTS (SELECT 1 FROM review_decisions u WHERE u.undoes = d.seq)"

// Next returns up to limit items of a queue on which the reviewer has not decided, the most urgent first.
func (s *Store) Next(ctx context.Context, queue, reviewer string, limit int) ([]Item, error) {
	return s.items(ctx, `SELECT body FROM review_items i WHERE queue = ? AND NOT EXISTS
		(SELECT 1 FROM review_decisions d WHERE d.item = i.id AND d.reviewer = ? AND `+live+`) ORDER BY priority DESC, ord LIMIT ?`, queue, reviewer, limit)
}

// Item returns one item.
func (s *Store) Item(ctx context.Context, id string) (Item, error) {
	list, err := s.items(ctx, "SELECT body FROM review_items WHERE id = ?", id)
	if err != nil {
		return Item{}, err
	}
	if len(list) == 0 {
		return Item{}, ErrNoItem
	}
	return list[0], nil
}

func (s *Store) items(ctx context.Context, query string, args ...any) ([]Item, error) {
	rows, err := s.db.QueryContext(ctx, s.sql(query), args...)
	if err != nil {
		return nil, fmt.Errorf("reading review items: %w", err)
	}
	defer rows.Close()
	out := []Item{}
	for rows.Next() {
		var body string
		var it Item
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("reading review items: %w", err)
		}
		if err := json.Unmarshal([]byte(body), &it); err != nil {
			return nil, fmt.Errorf("decoding review item: %w", err)
		}
		out = append(out, it)
	}
	return out, rows.Err()
}

// Log returns up to limit decisions after number `after`, undone ones and undos included.
func (s *Store) Log(ctx context.Context, after int64, limit int) ([]Decision, error) {
	return s.decisions(ctx, "SELECT "+columns+" FROM review_decisions d WHERE d.seq > ? ORDER BY d.seq LIMIT ?", after, limit)
}

const columns = "d.seq, d.request, d.item, d.reviewer, d.action, d.code, d.note, d.undoes, d.at"

// querier is what a database and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *Store) decisions(ctx context.Context, query string, args ...any) ([]Decision, error) {
	return s.decisionsIn(ctx, s.db, query, args...)
}

func (s *Store) decisionsIn(ctx context.Context, q querier, query string, args ...any) ([]Decision, error) {
	rows, err := q.QueryContext(ctx, s.sql(query), args...)
	if err != nil {
		return nil, fmt.Errorf("reading decisions: %w", err)
	}
	defer rows.Close()
	out := []Decision{}
	for rows.Next() {
		var d Decision
		var request sql.NullString
		var undoes sql.NullInt64
		var at string
		if err := rows.Scan(&d.Seq, &request, &d.Item, &d.Reviewer, &d.Action, &d.Code, &d.Note, &undoes, &at); err != nil {
			return nil, fmt.Errorf("reading decisions: %w", err)
		}
		if d.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, fmt.Errorf("reading decision %d: %w", d.Seq, err)
		}
		d.Request, d.Undoes = request.String, undoes.Int64
		out = append(out, d)
	}
	return out, rows.Err()
}

// errStopped answers writes that come after Close.
var errStopped = errors.New("the review store is closed")
