package history

import (
	"context"
	"database/sql"
	"fmt"
)

// versions are the steps that make a file what this program needs. Each was a
// release's schema, so none is ever changed: what has to be different is a step
// more. The file itself says how many it has behind it (user_version).
var versions = []string{
	// Texts only. Files of then say nothing of a version, hence IF NOT EXISTS.
	`
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
`,
	// The messages become a log of everything, in place: each keeps its row, which
	// is its id and many a cursor. What stands beside the log only sums it up.
	`
ALTER TABLE messages RENAME TO log;
ALTER TABLE log RENAME COLUMN bridged TO origin;
ALTER TABLE log ADD COLUMN kind INTEGER NOT NULL DEFAULT 1;
ALTER TABLE log ADD COLUMN about INTEGER; -- a row of the log
ALTER TABLE log ADD COLUMN details TEXT; -- JSON: what a message has beside its text
ALTER TABLE log ADD COLUMN edited INTEGER; -- of a message: the row of its last edit
ALTER TABLE log ADD COLUMN deleted INTEGER; -- of a message: the row that deleted it
UPDATE log SET origin = 2 WHERE author_id = 'plughost' AND once GLOB 'operation:*';
DROP INDEX messages_of_room;
CREATE INDEX log_of_room ON log (room, row);
CREATE INDEX log_about ON log (about) WHERE about IS NOT NULL;
CREATE TABLE reactions (
	message INTEGER NOT NULL,
	author_id TEXT NOT NULL,
	emoji TEXT NOT NULL,
	author TEXT NOT NULL,
	origin INTEGER NOT NULL,
	row INTEGER NOT NULL,
	PRIMARY KEY (message, author_id, emoji)
) STRICT, WITHOUT ROWID;
CREATE TABLE members (
	room TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	PRIMARY KEY (room, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
	hash TEXT NOT NULL,
	message INTEGER NOT NULL,
	PRIMARY KEY (hash, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_of_message ON files (message);
`,
}

// migrate takes the steps that a file hasn't behind it, all or none of each.
func migrate(ctx context.Context, db *sql.DB) error {
	var done int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&done); err != nil {
		return err
	}
	if done > len(versions) {
		return fmt.Errorf("it was written by a newer webchat (version %d, this one knows %d): use that one", done, len(versions))
	}
	for ; done < len(versions); done++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, versions[done]+fmt.Sprintf("PRAGMA user_version = %d;", done+1)); err != nil {
			_ = tx.Rollback() // the error that counts is the one before
			return fmt.Errorf("bring it to version %d: %w", done+1, err)
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("bring it to version %d: %w", done+1, err)
		}
	}
	return nil
}
