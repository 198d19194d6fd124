package room

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// readers bounds the connections that read at once; a further read waits its turn.
const readers = 4

// Store is the chat's memory. Safe for concurrent use.
type Store struct {
	read   *sql.DB // up to readers connections, which see what is committed
	change *sql.DB // the one connection that writes
	insert *sql.Stmt

	writes  chan *write
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed by the writer when it has
	close   sync.Once

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when there is something new
}

const schema = `
CREATE TABLE IF NOT EXISTS messages (
	row INTEGER PRIMARY KEY AUTOINCREMENT,
	room TEXT NOT NULL,
	author_id TEXT NOT NULL,
	author TEXT NOT NULL,
	bridged INTEGER NOT NULL,
	text TEXT NOT NULL,
	time INTEGER NOT NULL, -- Unix milliseconds
	once TEXT UNIQUE
) STRICT;
CREATE INDEX IF NOT EXISTS messages_of_room ON messages (room, row);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
`

// Open opens the file, or makes it. Only one Store may have it open.
//
// The journal mode is WAL, so that readers never wait for the writer. With
// synchronous=FULL a commit is on the disk itself, not just with the kernel: had a
// power loss taken rows that were already shown, their numbers would be given to
// other messages, and whoever remembers the old ones would take the new ones for
// known. It costs one fsync for a whole batch of messages.
func Open(ctx context.Context, path string) (*Store, error) {
	file := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"}, "_txlock": {"immediate"}}
	change, err := sql.Open("sqlite", file+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open chat history: %w", err)
	}
	change.SetMaxOpenConns(1)
	if _, err = change.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open chat history %s: %w", path, err), change.Close())
	}
	s := &Store{change: change, writes: make(chan *write, maxWaiting), closing: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{})}
	if s.insert, err = change.PrepareContext(ctx, insertMessage); err != nil {
		return nil, errors.Join(fmt.Errorf("open chat history %s: %w", path, err), change.Close())
	}
	pragmas = url.Values{"_pragma": {"query_only(true)", "busy_timeout(5000)"}}
	if s.read, err = sql.Open("sqlite", file+pragmas.Encode()); err != nil {
		return nil, errors.Join(fmt.Errorf("open chat history: %w", err), change.Close())
	}
	s.read.SetMaxOpenConns(readers)
	go s.writeAll()
	return s, nil
}

// Close ends the writer and closes the file. Every message that Say has returned is
// in it. Idempotent.
func (s *Store) Close() error {
	s.close.Do(func() { close(s.closing) })
	<-s.ended
	if err := errors.Join(s.insert.Close(), s.read.Close(), s.change.Close()); err != nil {
		return fmt.Errorf("close chat history: %w", err)
	}
	return nil
}

// Fact returns a constant of this chat. When it is asked for the first time, make
// says what it is.
func (s *Store) Fact(ctx context.Context, name string, make func() string) (string, error) {
	var value string
	_, err := s.change.ExecContext(ctx, `INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`, name, make())
	if err == nil {
		err = s.change.QueryRowContext(ctx, `SELECT value FROM facts WHERE name = ?`, name).Scan(&value)
	}
	if err != nil {
		return "", fmt.Errorf("read %s of the chat: %w", name, err)
	}
	return value, nil
}

// SetFact replaces a constant.
func (s *Store) SetFact(ctx context.Context, name, value string) error {
	_, err := s.change.ExecContext(ctx, `INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	if err != nil {
		return fmt.Errorf("store %s of the chat: %w", name, err)
	}
	return nil
}

// RandomID makes an id that nobody guesses.
func RandomID() string { return rand.Text() }

// Changed returns a channel that is closed when there is something new. Take it
// before reading, so that nothing is missed between the two.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

const selectMessages = `SELECT row, room, author_id, author, bridged, text, time, COALESCE(once, '') FROM messages`

// Since returns the messages of all rooms after a row, in order, at most limit.
func (s *Store) Since(ctx context.Context, row int64, limit int) ([]Message, error) {
	return s.messages(ctx, selectMessages+` WHERE row > ? ORDER BY row LIMIT ?`, row, limit)
}

// SinceIn returns the messages of one room after a row, in order, at most limit.
func (s *Store) SinceIn(ctx context.Context, room string, row int64, limit int) ([]Message, error) {
	return s.messages(ctx, selectMessages+` WHERE room = ? AND row > ? ORDER BY row LIMIT ?`, room, row, limit)
}

// BeforeLast returns the row after which SinceIn gives a room's last n messages; 0
// if it has no more than n.
func (s *Store) BeforeLast(ctx context.Context, room string, n int) (row int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT row FROM messages WHERE room = ? ORDER BY row DESC LIMIT 1 OFFSET ?`, room, n).Scan(&row)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read chat history: %w", err)
	}
	return row, nil
}

// End returns the row of the last message; 0 if there is none.
func (s *Store) End(ctx context.Context) (row int64, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(row), 0) FROM messages`).Scan(&row); err != nil {
		return 0, fmt.Errorf("read chat history: %w", err)
	}
	return row, nil
}

func (s *Store) messages(ctx context.Context, query string, args ...any) ([]Message, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read chat history: %w", err)
	}
	defer rows.Close()
	var messages []Message
	for rows.Next() {
		m, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read chat history: %w", err)
		}
		messages = append(messages, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read chat history: %w", err)
	}
	return messages, nil
}

func scan(r interface{ Scan(...any) error }) (m Message, err error) {
	var ms int64
	err = r.Scan(&m.Row, &m.Room, &m.AuthorID, &m.Author, &m.Bridged, &m.Text, &ms, &m.Once)
	m.Time = time.UnixMilli(ms)
	return m, err
}
