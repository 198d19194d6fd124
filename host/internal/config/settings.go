package config

import (
	"path/filepath"
	"strconv"
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
)

var (
	journalKeys     = document.Keys{Known: []string{"sync", "keep"}, Later: []string{"url", "max_bytes", "ballast", "map"}}
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
	r.Duration(fields["keep"], "keep", time.Hour, 3650*day, &o.KeepEvents)
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
	if exits := fields["max_exits"]; exits != nil {
		text, ok := r.Text(exits, "max_exits", "5")
		if count, err := strconv.Atoi(text); ok && (err != nil || count < 1 || count > 1000) {
			r.Report(exits, "write a number from 1 to 1000", "max_exits cannot be %q", text)
		} else {
			s.MaxExits = count
		}
	}
	if s.BackoffMin > 0 && s.BackoffMax > 0 && s.BackoffMin > s.BackoffMax {
		r.Report(fields["backoff_min"], "make it smaller than backoff_max", "backoff_min (%v) is more than backoff_max (%v)", s.BackoffMin, s.BackoffMax)
	}
}
