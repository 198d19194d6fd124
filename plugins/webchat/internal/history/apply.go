package history

import (
	"database/sql"
	"errors"
	"time"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

// Most reactions to one message: of one person, and of all.
const (
	maxReactionsEach = 20
	maxReactions     = 1000
)

const insertChange = `INSERT INTO log (room, kind, author_id, author, origin, about, text, details, time, once)
	VALUES (?, ?, ?, ?, ?, NULLIF(?, 0), ?, NULLIF(?, ''), ?, NULLIF(?, '')) ON CONFLICT (once) DO NOTHING RETURNING row`

// applying is one transaction of the writer.
type applying struct {
	*Store
	tx     *sql.Tx
	insert *sql.Stmt
	unused []string // files that no message names any more
}

// apply makes one change. A refusal leaves the transaction as it was: everything is
// checked before anything is written.
func (a *applying) apply(c room.Change) (room.Change, error) {
	if c.Kind != room.Said && c.Once != "" {
		done, err := scan(a.tx.QueryRow(selectChanges+` WHERE once = ?`, c.Once))
		if !errors.Is(err, sql.ErrNoRows) {
			return done, err
		}
	}
	switch c.Kind {
	case room.Said:
		return a.say(c)
	case room.Edited:
		return a.edit(c)
	case room.Deleted:
		return a.remove(c)
	case room.Reacted, room.Unreacted:
		return a.react(c)
	case room.Joined, room.Left:
		return a.move(c)
	}
	return room.Change{}, room.Refusal("nothing is known of such a change")
}

// log writes the row itself.
func (a *applying) log(c room.Change) (room.Change, error) {
	details, err := c.Details()
	if err != nil {
		return room.Change{}, err
	}
	text := c.Text
	if c.Emoji != "" {
		text = c.Emoji
	}
	c.Time = time.UnixMilli(time.Now().UnixMilli())
	err = a.insert.QueryRow(c.Room, c.Kind, c.By.ID, c.By.Name, c.By.Origin, c.About, text, details, c.Time.UnixMilli(), c.Once).Scan(&c.Row)
	if errors.Is(err, sql.ErrNoRows) { // done before, perhaps in this very batch
		return scan(a.tx.QueryRow(selectChanges+` WHERE once = ?`, c.Once))
	}
	return c, err
}

func (a *applying) say(c room.Change) (room.Change, error) {
	if c.About != 0 {
		switch _, err := a.message(c); {
		case errors.Is(err, room.ErrGone):
			c.About = 0 // what is answered is gone; what is said still stands
		case err != nil:
			return room.Change{}, err
		}
	}
	for _, f := range c.Files {
		if a.files == nil || !a.files.Has(f.Hash) {
			return room.Change{}, room.ErrNoFile
		}
	}
	if c.Avatar != "" && (a.files == nil || !a.files.Has(c.Avatar)) {
		c.Avatar = "" // what is said matters, not the picture
	}
	said, err := a.log(c)
	if err != nil {
		return room.Change{}, err
	}
	for _, hash := range said.Hashes() {
		if err := a.exec(`INSERT OR IGNORE INTO files (hash, message) VALUES (?, ?)`, hash, said.Row); err != nil {
			return room.Change{}, err
		}
	}
	return said, nil
}

func (a *applying) edit(c room.Change) (room.Change, error) {
	m, err := a.message(c)
	if err != nil {
		return room.Change{}, err
	}
	if !c.By.MayChange(m.By) {
		return room.Change{}, room.ErrForeign
	}
	c.By, c.Files, c.Avatar = m.By, m.Files, m.Avatar // the words change, not whose they are
	if c, err = a.log(c); err != nil {
		return room.Change{}, err
	}
	return c, a.exec(`UPDATE log SET edited = ? WHERE row = ?`, c.Row, c.About)
}

// remove leaves of a message that it was there.
func (a *applying) remove(c room.Change) (room.Change, error) {
	m, err := a.message(c)
	if err != nil {
		return room.Change{}, err
	}
	if !c.By.MayChange(m.By) {
		return room.Change{}, room.ErrForeign
	}
	c.By = m.By
	if c, err = a.log(c); err != nil {
		return room.Change{}, err
	}
	for _, statement := range []string{
		`UPDATE log SET text = '', details = NULL, deleted = ?2 WHERE row = ?1`,
		`UPDATE log SET text = '', details = NULL WHERE about = ?1 AND kind = 2`,
		`DELETE FROM reactions WHERE message = ?1`,
		`DELETE FROM files WHERE message = ?1`,
	} {
		if err := a.exec(statement, m.Row, c.Row); err != nil {
			return room.Change{}, err
		}
	}
	for _, hash := range m.Hashes() {
		var used bool
		if err := a.tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM files WHERE hash = ?)`, hash).Scan(&used); err != nil {
			return room.Change{}, err
		}
		if !used {
			a.unused = append(a.unused, hash)
		}
	}
	return c, nil
}

func (a *applying) react(c room.Change) (room.Change, error) {
	if _, err := a.message(c); err != nil {
		return room.Change{}, err
	}
	var all, theirs int
	var there bool
	err := a.tx.QueryRow(`SELECT COUNT(*), COUNT(*) FILTER (WHERE author_id = ?2), COUNT(*) FILTER (WHERE author_id = ?2 AND emoji = ?3) FROM reactions WHERE message = ?1`,
		c.About, c.By.ID, c.Emoji).Scan(&all, &theirs, &there)
	switch {
	case err != nil:
		return room.Change{}, err
	case there == (c.Kind == room.Reacted):
		return room.Change{}, room.ErrAlready
	case c.Kind == room.Reacted && (all >= maxReactions || theirs >= maxReactionsEach):
		return room.Change{}, room.ErrTooMany
	}
	if c, err = a.log(c); err != nil {
		return room.Change{}, err
	}
	if c.Kind == room.Unreacted {
		return c, a.exec(`DELETE FROM reactions WHERE message = ? AND author_id = ? AND emoji = ?`, c.About, c.By.ID, c.Emoji)
	}
	return c, a.exec(`INSERT INTO reactions (message, author_id, emoji, author, origin, row) VALUES (?, ?, ?, ?, ?, ?)`, c.About, c.By.ID, c.Emoji, c.By.Name, c.By.Origin, c.Row)
}

// move lets somebody come, go, or be called otherwise.
func (a *applying) move(c room.Change) (room.Change, error) {
	var name string
	err := a.tx.QueryRow(`SELECT name FROM members WHERE room = ? AND id = ?`, c.Room, c.By.ID).Scan(&name)
	there := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return room.Change{}, err
	}
	switch {
	case c.Kind == room.Left && !there, c.Kind == room.Joined && there && name == c.By.Name:
		return room.Change{}, room.ErrAlready
	case c.Kind == room.Joined && there:
		c.Kind = room.Renamed
	}
	if c, err = a.log(c); err != nil {
		return room.Change{}, err
	}
	if c.Kind == room.Left {
		return c, a.exec(`DELETE FROM members WHERE room = ? AND id = ?`, c.Room, c.By.ID)
	}
	return c, a.exec(`INSERT INTO members (room, id, name) VALUES (?, ?, ?) ON CONFLICT (room, id) DO UPDATE SET name = excluded.name`, c.Room, c.By.ID, c.By.Name)
}

// message is the one that a change is about, as it stands, or ErrGone.
func (a *applying) message(c room.Change) (room.Change, error) {
	var deleted bool
	m, err := scan(a.tx.QueryRow(selectMessages+` WHERE m.room = ? AND m.row = ? AND m.kind = 1`, c.Room, c.About), new(int64), &deleted)
	if errors.Is(err, sql.ErrNoRows) || err == nil && deleted {
		return room.Change{}, room.ErrGone
	}
	return m, err
}

func (a *applying) exec(statement string, args ...any) error {
	_, err := a.tx.Exec(statement, args...)
	return err
}
