package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

const columns = `row, room, kind, author_id, author, origin, COALESCE(about, 0), text, COALESCE(details, ''), time, COALESCE(once, '')`

const selectChanges = `SELECT ` + columns + ` FROM log`

// Since returns the changes of all rooms after a row, in order, at most limit.
func (s *Store) Since(ctx context.Context, row int64, limit int) ([]room.Change, error) {
	return s.changes(ctx, selectChanges+` WHERE row > ? ORDER BY row LIMIT ?`, row, limit)
}

// SinceIn returns the changes of one room after a row, in order, at most limit.
func (s *Store) SinceIn(ctx context.Context, name string, row int64, limit int) ([]room.Change, error) {
	return s.changes(ctx, selectChanges+` WHERE room = ? AND row > ? ORDER BY row LIMIT ?`, name, row, limit)
}

// End returns the row of the last change; 0 if there is none.
func (s *Store) End(ctx context.Context) (row int64, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(row), 0) FROM log`).Scan(&row); err != nil {
		return 0, fmt.Errorf("read chat history: %w", err)
	}
	return row, nil
}

func (s *Store) changes(ctx context.Context, query string, args ...any) (changes []room.Change, err error) {
	err = s.each(ctx, query, args, func(r *sql.Rows) error {
		c, err := scan(r)
		changes = append(changes, c)
		return err
	})
	for i := range changes {
		if err == nil {
			changes[i].Quote, err = s.quote(ctx, changes[i])
		}
	}
	return changes, err
}

// selectMessages has the content of a message's last edit in place of its own.
const selectMessages = `SELECT m.row, m.room, m.kind, m.author_id, m.author, m.origin, COALESCE(m.about, 0), COALESCE(e.text, m.text),
	COALESCE(CASE WHEN e.row IS NULL THEN m.details ELSE e.details END, ''), m.time, COALESCE(m.once, ''), COALESCE(m.edited, 0), m.deleted IS NOT NULL
	FROM log m LEFT JOIN log e ON e.row = m.edited`

// Before returns the last messages of a room that are before a row (0: before none)
// as they stand, in order, at most limit.
func (s *Store) Before(ctx context.Context, name string, row int64, limit int) ([]room.Message, error) {
	// What changes while this reads is told again by whoever reads on from here.
	end, err := s.End(ctx)
	if err != nil {
		return nil, err
	}
	if row <= 0 {
		row = end + 1
	}
	messages, err := s.messages(ctx, selectMessages+` WHERE m.room = ? AND m.kind = 1 AND m.row < ? ORDER BY m.row DESC LIMIT ?`, name, row, limit)
	slices.Reverse(messages)
	for i := range messages {
		messages[i].LastChange = end
	}
	return messages, err
}

// Message returns a message as it stands. ErrGone says that there is none, or that
// it was deleted.
func (s *Store) Message(ctx context.Context, name string, row int64) (room.Message, error) {
	messages, err := s.messages(ctx, selectMessages+` WHERE m.room = ? AND m.kind = 1 AND m.row = ?`, name, row)
	if err != nil {
		return room.Message{}, err
	}
	if len(messages) == 0 || messages[0].IsDeleted {
		return room.Message{}, room.ErrGone
	}
	return messages[0], nil
}

func (s *Store) messages(ctx context.Context, query string, args ...any) (messages []room.Message, err error) {
	err = s.each(ctx, query, args, func(r *sql.Rows) (err error) {
		var m room.Message
		m.Change, err = scan(r, &m.Edited, &m.IsDeleted)
		messages = append(messages, m)
		return err
	})
	if err != nil || len(messages) == 0 {
		return nil, err
	}
	at := map[int64]int{} // by row
	var rows []int64
	for i := range messages {
		m := &messages[i]
		if m.Quote, err = s.quote(ctx, m.Change); err != nil {
			return nil, err
		}
		at[m.Row], rows = i, append(rows, m.Row)
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return nil, err
	}
	query = `SELECT message, emoji, author_id, author, origin FROM reactions WHERE message IN (SELECT value FROM json_each(?)) ORDER BY row`
	err = s.each(ctx, query, []any{string(list)}, func(r *sql.Rows) error {
		var row int64
		var emoji string
		var by room.Person
		if err := r.Scan(&row, &emoji, &by.ID, &by.Name, &by.Origin); err != nil {
			return err
		}
		m := &messages[at[row]]
		i := slices.IndexFunc(m.Reactions, func(r room.Reaction) bool { return r.Emoji == emoji })
		if i < 0 {
			i = len(m.Reactions)
			m.Reactions = append(m.Reactions, room.Reaction{Emoji: emoji})
		}
		m.Reactions[i].By = append(m.Reactions[i].By, by)
		return nil
	})
	return messages, err
}

// Members returns who is in a room, by name.
func (s *Store) Members(ctx context.Context, name string) (members []room.Person, err error) {
	err = s.each(ctx, `SELECT id, name FROM members WHERE room = ? ORDER BY name, id`, []any{name}, func(r *sql.Rows) error {
		var p room.Person
		err := r.Scan(&p.ID, &p.Name)
		members = append(members, p)
		return err
	})
	return members, err
}

// FileUsed says whether a message names a file.
func (s *Store) FileUsed(ctx context.Context, hash string) (used bool, err error) {
	err = s.each(ctx, `SELECT 1 FROM files WHERE hash = ? LIMIT 1`, []any{hash}, func(*sql.Rows) error {
		used = true
		return nil
	})
	return used, err
}

// quote is what a message answers; nil if it answers none.
func (s *Store) quote(ctx context.Context, c room.Change) (*room.Quote, error) {
	if c.Kind != room.Said || c.About == 0 {
		return nil, nil
	}
	var q room.Quote
	var m room.Change
	err := s.each(ctx, selectMessages+` WHERE m.row = ?`, []any{c.About}, func(r *sql.Rows) (err error) {
		m, err = scan(r, new(int64), new(bool))
		return err
	})
	q.By, q.Text = m.By, m.Plain()
	if runes := []rune(q.Text); len(runes) > room.QuoteLength {
		q.Text = string(runes[:room.QuoteLength-1]) + "…"
	}
	return &q, err
}

// each calls do for every row of a query.
func (s *Store) each(ctx context.Context, query string, args []any, do func(*sql.Rows) error) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read chat history: %w", err)
	}
	for err == nil && rows.Next() {
		err = do(rows)
	}
	if err := errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("read chat history: %w", err)
	}
	return nil
}

// scan reads the columns of a change, and further ones behind them.
func scan(r interface{ Scan(...any) error }, more ...any) (c room.Change, err error) {
	var ms int64
	var text, details string
	err = r.Scan(append([]any{&c.Row, &c.Room, &c.Kind, &c.By.ID, &c.By.Name, &c.By.Origin, &c.About, &text, &details, &ms, &c.Once}, more...)...)
	if err == nil && details != "" {
		err = json.Unmarshal([]byte(details), &c.Content)
	}
	c.Time = time.UnixMilli(ms)
	switch c.Kind {
	case room.Reacted, room.Unreacted:
		c.Emoji = text
	default:
		c.Text = text
	}
	return c, err
}
