package config

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/config/document"
)

const (
	day = document.Day

	// A settle_timeout under a second would give up on echoes that are under way;
	// one over ten minutes would hold a channel's own events as long.
	minSettle = time.Second
	maxSettle = 10 * time.Minute

	mostKeep  = 3650 * day
	mostBytes = 1 << 50
)

var (
	journalKeys     = document.Keys{Known: []string{"sync", "keep", "max_bytes", "ballast", "map"}, Later: []string{"url"}}
	mapKeys         = document.Keys{Known: []string{"keep", "max_entries"}}
	filesKeys       = document.Keys{Known: []string{"keep", "max_bytes", "max_file_bytes"}, Later: []string{"listen"}}
	supervisionKeys = document.Keys{Known: []string{
		"ready_reset", "backoff_min", "backoff_max", "healthy_reset", "max_exits", "exits_window", "probe_every",
	}}
)

// directory reads a path, relative to the file's own directory.
func (r *reader) directory(n *document.Node, what, fallback string) string {
	path := fallback
	if n != nil {
		text, ok := r.Text(n, what, fallback)
		switch {
		case ok && text == "":
			r.Report(n, "write a path, or leave it out for "+fallback, "%s is empty", what)
		case ok && strings.Contains(text, "${"):
			r.Report(n, "write the path itself", "%s holds a ${…}, which is filled in only in a plug's config", what)
		case ok:
			path = text
		}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	return path
}

// version checks the only number that says how to read the rest.
func (r *reader) version(n *document.Node) {
	if n == nil {
		r.Report(r.root, "add version: 1", `key "version" is missing`)
		return
	}
	if text, ok := r.Text(n, "version", "1"); ok && text != "1" {
		r.Report(n, "write version: 1, or use the plughost that this file was made for", "this plughost reads version 1, not %q", text)
	}
}

// timeZone reads an IANA name.
func (r *reader) timeZone(n *document.Node) string {
	if n == nil {
		return "UTC"
	}
	text, ok := r.Text(n, "timezone", "Europe/Berlin")
	if _, err := time.LoadLocation(text); ok && (err != nil || text == "" || text == "Local") {
		r.Report(n, "write a name of the IANA list, such as Europe/Berlin, or UTC", "there is no time zone %q", text)
	}
	return text
}

// journal reads "journal:".
func (r *reader) journal(n *document.Node, o *host.Options) {
	fields := r.Fields(n, "journal", "{sync: 1s, keep: 7d}", journalKeys)
	switch sync := fields["sync"]; {
	case sync != nil && sync.Kind == document.Scalar && sync.Value == "always":
		o.JournalSync = -1
	case sync != nil && sync.Kind == document.Scalar && !strings.ContainsAny(sync.Value, "0123456789"):
		r.Report(sync, "write always, or a time such as 1s", "sync cannot be %q", sync.Value)
	default:
		r.Duration(sync, "sync", 10*time.Millisecond, time.Minute, &o.JournalSync)
	}
	r.Duration(fields["keep"], "keep", time.Hour, mostKeep, &o.KeepEvents)
	r.Bytes(fields["max_bytes"], "max_bytes", 16<<20, mostBytes, &o.JournalMaxBytes)
	r.Bytes(fields["ballast"], "ballast", 16<<20, mostBytes, &o.JournalBallast)
	known := r.Fields(fields["map"], "map", "{keep: 90d, max_entries: 1000000}", mapKeys)
	r.Duration(known["keep"], "keep", time.Hour, mostKeep, &o.KeepCopies)
	r.Count(known["max_entries"], "max_entries", 1000, 1_000_000_000, &o.MaxCopies)
}

// files reads "files:".
func (r *reader) files(n *document.Node, f *host.Files) {
	fields := r.Fields(n, "files", "{keep: 30d, max_bytes: 20GiB}", filesKeys)
	r.Duration(fields["keep"], "keep", time.Hour, mostKeep, &f.Keep)
	r.Bytes(fields["max_bytes"], "max_bytes", 1<<20, mostBytes, &f.MaxBytes)
	r.Bytes(fields["max_file_bytes"], "max_file_bytes", 1<<10, mostBytes, &f.MaxFileBytes)
	const block = 4096 // a file is counted in whole ones
	if file := cmp.Or(f.MaxFileBytes, host.MaxFileBytes); f.MaxBytes > 0 && f.MaxBytes < (file+block-1)/block*block {
		r.Report(fields["max_bytes"], "make it larger, or max_file_bytes smaller", "max_bytes doesn't hold one file of the most that a file may have (max_file_bytes)")
	}
}

// supervision reads "supervision:".
func (r *reader) supervision(n *document.Node, s *host.Supervision) {
	fields := r.Fields(n, "supervision", "{backoff_max: 60s}", supervisionKeys)
	r.Duration(fields["ready_reset"], "ready_reset", time.Second, day, &s.ReadyReset)
	r.Duration(fields["backoff_min"], "backoff_min", 10*time.Millisecond, time.Hour, &s.BackoffMin)
	r.Duration(fields["backoff_max"], "backoff_max", 10*time.Millisecond, day, &s.BackoffMax)
	r.Duration(fields["healthy_reset"], "healthy_reset", time.Second, day, &s.HealthyReset)
	r.Duration(fields["exits_window"], "exits_window", time.Second, day, &s.ExitsWindow)
	r.Duration(fields["probe_every"], "probe_every", time.Second, 7*day, &s.ProbeEvery)
	exits := int64(s.MaxExits)
	r.Count(fields["max_exits"], "max_exits", 1, 1000, &exits)
	s.MaxExits = int(exits)
	if s.BackoffMin > 0 && s.BackoffMax > 0 && s.BackoffMin > s.BackoffMax {
		r.Report(fields["backoff_min"], "make it smaller than backoff_max", "backoff_min (%v) is more than backoff_max (%v)", s.BackoffMin, s.BackoffMax)
	}
}
