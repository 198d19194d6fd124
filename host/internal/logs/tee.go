package logs

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Tee makes a logger that logs to another one and keeps the lines in a ring: all of
// level Info and above, and what the other one logs below that.
func Tee(log hclog.Logger, r *Ring) hclog.Logger {
	copies := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	copies.RegisterSink(&sink{r, log})
	return &tee{log, copies}
}

// sink takes what is logged to copies.
type sink struct {
	ring *Ring
	log  hclog.Logger
}

// Accept implements hclog.SinkAdapter.
func (s *sink) Accept(_ string, level hclog.Level, message string, args ...any) {
	if level < hclog.Info && level < s.log.GetLevel() {
		return
	}
	var b strings.Builder
	b.WriteString(message)
	for i := 0; i+1 < len(args); i += 2 {
		if key := fmt.Sprint(args[i]); key != "plug" { // whose log it is
			fmt.Fprintf(&b, " %s=%s", key, value(args[i+1]))
		}
	}
	s.ring.add(Line{Time: time.Now(), Level: level, Text: b.String()})
}

// value shows a field as hclog's text does, near enough.
func value(v any) string {
	text := fmt.Sprint(v)
	if text == "" || strings.ContainsAny(text, " \"=") && !strings.Contains(text, "\n") {
		return fmt.Sprintf("%q", text)
	}
	return text
}

// tee logs everything twice. What it doesn't override is the first logger's.
type tee struct {
	hclog.Logger
	copies hclog.InterceptLogger
}

func (t *tee) Log(level hclog.Level, message string, args ...any) {
	t.Logger.Log(level, message, args...)
	t.copies.Log(level, message, args...)
}

func (t *tee) Trace(message string, args ...any) {
	t.Logger.Trace(message, args...)
	t.copies.Trace(message, args...)
}

func (t *tee) Debug(message string, args ...any) {
	t.Logger.Debug(message, args...)
	t.copies.Debug(message, args...)
}

func (t *tee) Info(message string, args ...any) {
	t.Logger.Info(message, args...)
	t.copies.Info(message, args...)
}

func (t *tee) Warn(message string, args ...any) {
	t.Logger.Warn(message, args...)
	t.copies.Warn(message, args...)
}

func (t *tee) Error(message string, args ...any) {
	t.Logger.Error(message, args...)
	t.copies.Error(message, args...)
}

func (t *tee) With(args ...any) hclog.Logger {
	return &tee{t.Logger.With(args...), t.copies.With(args...).(hclog.InterceptLogger)}
}

func (t *tee) Named(name string) hclog.Logger {
	return &tee{t.Logger.Named(name), t.copies}
}

func (t *tee) ResetNamed(name string) hclog.Logger {
	return &tee{t.Logger.ResetNamed(name), t.copies}
}
