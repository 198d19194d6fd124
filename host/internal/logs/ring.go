package logs

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

// Bounds of a ring.
const (
	maxLines = 2000
	maxBytes = 1 << 20
	maxLine  = 4 << 10
)

// Line is one line of a log.
type Line struct {
	Time  time.Time
	Level hclog.Level
	// Text is the message with its fields; a field may have several lines.
	Text string
}

// Ring holds the newest lines. Safe for concurrent use.
type Ring struct {
	mu      sync.Mutex
	lines   []Line
	bytes   int
	last    uint64        // number of the last line, from 1
	changed chan struct{} // closed at every line
}

// NewRing makes an empty ring.
func NewRing() *Ring { return &Ring{changed: make(chan struct{})} }

func (r *Ring) add(l Line) {
	if len(l.Text) > maxLine {
		l.Text = strings.ToValidUTF8(l.Text[:maxLine-utf8.UTFMax], "") + "…"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	r.bytes += len(l.Text)
	r.last++
	gone := 0
	for len(r.lines)-gone > maxLines || r.bytes > maxBytes {
		r.bytes -= len(r.lines[gone].Text)
		r.lines[gone] = Line{}
		gone++
	}
	r.lines = r.lines[gone:]
	close(r.changed)
	r.changed = make(chan struct{})
}

// Last returns the newest lines, at most n of them unless n is 0, and the place
// behind them for Read.
func (r *Ring) Last(n int) (lines []Line, place uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := 0
	if n > 0 {
		from = max(0, len(r.lines)-n)
	}
	return append([]Line(nil), r.lines[from:]...), r.last
}

// Read waits for lines behind a place, and returns them, the place behind them, and
// how many lines between were lost. Its error is the context's.
func (r *Ring) Read(ctx context.Context, place uint64) (lines []Line, next, missed uint64, err error) {
	for {
		r.mu.Lock()
		if r.last > place {
			first := r.last - uint64(len(r.lines)) // place before the first line kept
			if place < first {
				missed, place = first-place, first
			}
			lines, next = append(lines, r.lines[place-first:]...), r.last
			r.mu.Unlock()
			return lines, next, missed, nil
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, place, 0, ctx.Err()
		case <-changed:
		}
	}
}
