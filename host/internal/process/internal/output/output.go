package output

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

const (
	// maxLine bounds a line of output, in bytes; the rest of a longer one is
	// dropped and said to be.
	maxLine = 64 << 10
	// linesPerSecond and linesAtOnce bound what one plug may log. A dump of a few
	// hundred goroutines passes whole; a flood does not.
	linesPerSecond = 200
	linesAtOnce    = 2000
	// tailLines and tailBytes bound what is kept of stderr for Last.
	tailLines = 20
	tailBytes = 512
)

// The streams of a plug.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Output makes log lines of what one plug writes, whatever it writes. Its methods
// may be called from any goroutine.
type Output struct {
	log hclog.Logger

	mu         sync.Mutex
	limit      *rate.Limiter
	suppressed int      // lines since the last logged one
	panicking  bool     // a Go program's dying words have begun
	tail       []string // the last lines of stderr, as they came
}

// New logs to the logger given, which does not block for long.
func New(log hclog.Logger) *Output {
	return &Output{log: log, limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}
}

// Log logs what r gives, until it ends or fails. It reads on whatever comes, so
// that a plug never blocks on a full pipe.
func (o *Output) Log(stream string, r io.Reader) {
	w := &lines{out: o, stream: stream}
	_, _ = io.Copy(w, r) // the end of the process is learnt elsewhere
	w.flush()
}

// Writer logs what is written to it, whole lines only. Each has a stream of its
// own and is not safe for concurrent use. It takes all and never fails.
func (o *Output) Writer(stream string) io.Writer { return &lines{out: o, stream: stream} }

// line logs one line. The bytes are valid only during the call.
func (o *Output) line(stream string, line []byte, cut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if stream == Stderr {
		if len(o.tail) == tailLines {
			o.tail = append(o.tail[:0], o.tail[1:]...)
		}
		o.tail = append(o.tail, string(line[:min(len(line), tailBytes)]))
	}
	if !o.limit.Allow() {
		o.suppressed++
		return
	}
	e := o.entry(line)
	if stream != Stderr {
		e.fields = append(e.fields, "stream", stream)
	}
	if cut {
		e.fields = append(e.fields, "cut_to_bytes", maxLine)
	}
	if o.suppressed > 0 {
		e.fields = append(e.fields, "suppressed_lines", o.suppressed)
		o.suppressed = 0
	}
	o.log.Log(e.level, e.message, e.fields...)
}

// entry reads a line: as JSON of hclog, else as plain text.
func (o *Output) entry(line []byte) entry {
	if e, ok := parseJSON(line); ok {
		return e
	}
	if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
		o.panicking = true
	}
	e := entry{level: plainLevel(line), message: printable(string(line))}
	if o.panicking {
		e.level = hclog.Error
	}
	return e
}

// End logs how many lines were suppressed since the last logged one.
func (o *Output) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.suppressed > 0 {
		o.log.Warn("plug wrote more than is logged", "suppressed_lines", o.suppressed)
		o.suppressed = 0
	}
}

// Last gives the last lines of stderr, for a person to read: at most 20, each of
// at most 512 bytes before it is made readable.
func (o *Output) Last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, line := range o.tail {
		if e, ok := parseJSON([]byte(line)); ok {
			line = e.String()
		}
		out = append(out, printable(line))
	}
	return out
}

// lines is an io.Writer that cuts a stream into lines.
type lines struct {
	out    *Output
	stream string
	buf    []byte // the line so far, at most maxLine
	cut    bool   // the line was longer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		if room := maxLine - len(l.buf); len(part) > room {
			part, l.cut = part[:room], true
		}
		l.buf = append(l.buf, part...)
		if whole {
			l.flush()
		}
		rest = after
	}
	return len(p), nil
}

// flush gives the line so far, unless it is empty.
func (l *lines) flush() {
	if line := bytes.TrimRight(l.buf, "\r"); len(line) > 0 {
		l.out.line(l.stream, line, l.cut)
	}
	l.buf, l.cut = l.buf[:0], false
}

// printable replaces what could move an operator's cursor, forge a line, hide
// text, or is not UTF-8. Tabs stay.
func printable(s string) string { return keep(s, "\t") }

// printableLines is printable for text of several lines.
func printableLines(s string) string { return keep(s, "\t\n") }

func keep(s, controls string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || strings.ContainsRune(controls, r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
