package history

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"

	_ "modernc.org/sqlite" // the driver
)

// readers bounds the connections that read at once; a further read waits its turn.
const readers = 4

// Files is where the bytes of the messages' files are. Only the writer calls it, so
// that a file can't go while a message begins to name it.
type Files interface {
	// Has says whether a file is there.
	Has(hash string) bool
	// Remove removes a file that no message names any more.
	Remove(hash string)
}

// Store is the chat's memory. Safe for concurrent use.
type Store struct {
	files  Files   // nil: there are none
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

// Open opens the file, or makes it; one of an older version is brought up to date.
// Only one Store may have it open. Without files, which may be nil, no message can
// have any.
//
// The journal mode is WAL, so that readers never wait for the writer. With
// synchronous=FULL a commit is on the disk itself, not just with the kernel: had a
// power loss taken rows that were already shown, their numbers would be given to
// other messages, and whoever remembers the old ones would take the new ones for
// known. It costs one fsync for a whole batch of messages. With secure_delete=FAST
// what is deleted is overwritten where it stood.
func Open(ctx context.Context, path string, files Files) (*Store, error) {
	file := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "secure_delete(FAST)", "busy_timeout(5000)"}, "_txlock": {"immediate"}}
	change, err := sql.Open("sqlite", file+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open chat history: %w", err)
	}
	change.SetMaxOpenConns(1)
	if err := migrate(ctx, change); err != nil {
		return nil, errors.Join(fmt.Errorf("open chat history %s: %w", path, err), change.Close())
	}
	s := &Store{files: files, change: change, writes: make(chan *write, maxWaiting), closing: make(chan struct{}), ended: make(chan struct{}), changed: make(chan struct{})}
	if s.insert, err = change.PrepareContext(ctx, insertChange); err != nil {
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

// Close ends the writer and closes the file. Every change that Do has returned is
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
