package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

var webchatKinds = map[int]Kind{1: Said, 2: Edited, 3: Deleted, 4: Reacted, 5: Unreacted}

// Database is the database of a webchat, which may be in use.
type Database struct{ db *sql.DB }

// OpenDatabase opens it for reading. Close it in the end.
func OpenDatabase(path string) (*Database, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open the webchat's database: %w", err)
	}
	return &Database{db}, nil
}

// Close closes it.
func (d *Database) Close() error { return d.db.Close() }

// Row finds the row of what a page did under an id of its own, a pattern of LIKE; 0 if it
// is not there.
func (d *Database) Row(ctx context.Context, client string) (row int64, err error) {
	err = d.db.QueryRowContext(ctx, `SELECT ifnull(max(row), 0) FROM log WHERE once LIKE 'page:%:' || ?`, client).Scan(&row)
	return row, err
}

// Lines reads the whole log. A deleted message has lost its text there.
func (d *Database) Lines(ctx context.Context, plug string) (lines []Line, err error) {
	rows, err := d.db.QueryContext(ctx, `SELECT row, room, kind, origin, author, ifnull(about, 0), text, ifnull(details, ''), time, ifnull(once, '')
		FROM log WHERE kind <= 5 ORDER BY row`)
	if err != nil {
		return nil, fmt.Errorf("read the webchat's log: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n, about, ms int64
		var kind, origin int
		var details, once string
		l := Line{By: Stranger}
		l.Plug = plug
		if err := rows.Scan(&n, &l.Source, &kind, &origin, &l.Author, &about, &l.Text, &details, &ms, &once); err != nil {
			return nil, fmt.Errorf("read the webchat's log: %w", err)
		}
		l.N, l.Time, l.Kind = int(n), time.UnixMilli(ms), webchatKinds[kind]
		operation, host := strings.CutPrefix(once, "operation:")
		if host {
			l.By, l.Operation = Host, base(operation)
		} else if _, client, ok := strings.Cut(strings.TrimPrefix(once, "page:"), ":"); ok {
			l.Detail = client
		}
		switch l.Kind {
		case Said:
			l.ID = strconv.FormatInt(n, 10)
			if about != 0 {
				l.ReplyTo = strconv.FormatInt(about, 10)
			}
		case Reacted, Unreacted:
			l.Reaction, l.Text = l.Text, ""
			fallthrough
		default:
			l.ID = strconv.FormatInt(about, 10)
		}
		var content struct {
			Segments []struct{ Text string }
			Files    []struct{ Hash string }
		}
		if details != "" {
			if err := json.Unmarshal([]byte(details), &content); err != nil {
				return nil, fmt.Errorf("read the webchat's log: %w", err)
			}
		}
		for _, f := range content.Files {
			l.Files = append(l.Files, f.Hash)
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}
