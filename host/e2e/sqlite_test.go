//go:build e2e

package e2e

import (
	"database/sql"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// count counts the messages and edits with a text in a webchat's database.
func count(t *testing.T, path, text string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT COUNT(*) FROM log WHERE kind IN (1, 2) AND text = ?`, text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
