package host

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/logs"
)

// LogLine is one line of a plug's log.
type LogLine struct {
	Time  time.Time
	Level string
	// Text is the message with its fields: at most 4 KiB, perhaps of several lines.
	Text string
	// Missed counts the lines before it that the reader was too far behind for.
	Missed uint64
}

// Logs gives the newest lines of a plug's log to yield, what the plug writes and what
// the host says of it, oldest first: at most so many, all there are if lines is 0.
// With follow it goes on with what comes until ctx ends. It ends when yield returns
// an error, with that. The last 2,000 lines or 1 MiB of each plug are kept.
func (h *Host) Logs(ctx context.Context, plug id.InstanceName, lines int, follow bool, yield func(LogLine) error) error {
	if err := h.known(plug); err != nil {
		return err
	}
	ring := h.ring(plug)
	read, place := ring.Last(lines)
	for missed := uint64(0); ; {
		for _, l := range read {
			if err := yield(LogLine{l.Time, l.Level.String(), l.Text, missed}); err != nil {
				return err
			}
			missed = 0
		}
		if !follow {
			return nil
		}
		var err error
		if read, place, missed, err = ring.Read(ctx, place); err != nil {
			return err
		}
	}
}

func (h *Host) ring(plug id.InstanceName) *logs.Ring {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rings[plug]
	if r == nil {
		r = logs.NewRing()
		h.rings[plug] = r
	}
	return r
}

// plugLog is the log of a plug.
func (h *Host) plugLog(plug id.InstanceName) hclog.Logger {
	return logs.Tee(h.log.Named("plug"), h.ring(plug)).With("plug", string(plug))
}
