package review

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// maxBatch bounds how many decisions share one transaction, and so one flush to disk.
const maxBatch = 256

// write is a decision on its way into the log.
type write struct {
	ctx context.Context
	d   Decision
	err error
	end chan struct{}
}

// Decide records a decision and returns it as it stands in the log. When it returns without error the decision is on disk.
// Decisions that arrive together share a transaction.
func (s *Store) Decide(ctx context.Context, d Decision) (Decision, error) {
	if err := d.check(); err != nil {
		return d, err
	}
	d.At = time.Now().UTC().Truncate(time.Microsecond)
	w := &write{ctx: ctx, d: d, end: make(chan struct{})}
	select {
	case <-s.stop:
		return d, errStopped
	case <-ctx.Done():
		return d, ctx.Err()
	case s.writes <- w:
	}
	select {
	case <-w.end:
		return w.d, w.err
	case <-s.done: // the writer may have answered with its last breath
		select {
		case <-w.end:
			return w.d, w.err
		default:
			return d, errStopped
		}
	}
}

// Undo takes the reviewer's last decision in a queue back that is not taken back yet.
func (s *Store) Undo(ctx context.Context, queue, reviewer, request string) (Decision, error) {
	return s.Decide(ctx, Decision{Action: Undo, Item: queue, Reviewer: reviewer, Request: request})
}

// write is the one goroutine that writes decisions.
func (s *Store) write() {
	defer close(s.done)
	for {
		var first *write
		select {
		case <-s.stop:
			return
		case first = <-s.writes:
		}
		batch := []*write{first}
	more:
		for len(batch) < maxBatch {
			select {
			case w := <-s.writes:
				batch = append(batch, w)
			default:
				break more
			}
		}
		s.commit(batch)
		for _, w := range batch {
			close(w.end)
		}
	}
}

// commit writes a batch in one transaction. When one of several fails they are written one by one, so that only the faulty
// one gets the error.
func (s *Store) commit(batch []*write) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := s.transaction(ctx, batch)
	if err == nil || len(batch) == 1 {
		batch[0].err = errors.Join(batch[0].err, err)
		return
	}
	for _, w := range batch {
		w.err = s.transaction(ctx, []*write{w})
	}
}

func (s *Store) transaction(ctx context.Context, batch []*write) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("recording decision: %w", err)
	}
	defer tx.Rollback()
	for _, w := range batch {
		if err := s.insert(ctx, tx, &w.d); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("recording decision: %w", err)
	}
	return nil
}

// insert adds one line to the log. A request that is already there is answered with what it recorded.
func (s *Store) insert(ctx context.Context, tx *sql.Tx, d *Decision) error {
	if d.Request != "" {
		have, err := s.decisionsIn(ctx, tx, "SELECT "+columns+" FROM review_decisions d WHERE d.request = ?", d.Request)
		if err != nil {
			return err
		}
		if len(have) == 1 {
			*d = have[0]
			return nil
		}
	}
	if d.Action == Undo {
		if err := s.resolveUndo(ctx, tx, d); err != nil {
			return err
		}
	} else if err := s.fits(ctx, tx, d); err != nil {
		return err
	}
	request := sql.NullString{String: d.Request, Valid: d.Request != ""}
	undoes := sql.NullInt64{Int64: d.Undoes, Valid: d.Undoes != 0}
	err := tx.QueryRowContext(ctx, s.sql("INSERT INTO review_decisions (request, item, reviewer, action, code, note, undoes, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq"),
		request, d.Item, d.Reviewer, d.Action, d.Code, d.Note, undoes, stamp(d.At)).Scan(&d.Seq)
	if err != nil {
		return fmt.Errorf("recording decision: %w", err)
	}
	return nil
}

// fits reports whether the item is there and of a queue whose items are decided like this.
func (s *Store) fits(ctx context.Context, tx *sql.Tx, d *Decision) error {
	var queue string
	err := tx.QueryRowContext(ctx, s.sql("SELECT queue FROM review_items WHERE id = ?"), d.Item).Scan(&queue)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%w: %q", ErrNoItem, d.Item)
	case err != nil:
		return fmt.Errorf("recording decision: %w", err)
	case d.Action != Skip && (queue == Audit) != (d.Action == Judge):
		return fmt.Errorf("%w: the action %s does not belong to the queue %s", ErrInvalid, d.Action, queue)
	}
	return nil
}

// resolveUndo finds the decision that an undo takes back; until then its Item names the queue.
func (s *Store) resolveUndo(ctx context.Context, tx *sql.Tx, d *Decision) error {
	have, err := s.decisionsIn(ctx, tx, "SELECT "+columns+" FROM review_decisions d JOIN review_items i ON i.id = d.item WHERE i.queue = ? AND d.reviewer = ? AND "+
		live+" ORDER BY d.seq DESC LIMIT 1", d.Item, d.Reviewer)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		return ErrNothing
	}
	d.Item, d.Undoes = have[0].Item, have[0].Seq
	return nil
}
