package plug

import (
	"context"
	"time"

	hclog "github.com/hashicorp/go-hclog"
)

// Session is what a Plug has from Start to Stop. Its fields are read only.
type Session struct {
	// Instance is the name of this instance in the host's config: a label, which
	// may change. Nothing is keyed by it.
	Instance string
	// Channels holds the sources of the channels in use, as the operator wrote them. It
	// is read in Start and Receive; with a ChannelSetter it is replaced between two runs
	// of Receive, so that anybody else who reads it may read while it changes.
	Channels []string
	// StateDir is a directory of the plug's own, kept over restarts: session
	// identity, keys, the plug's own database.
	StateDir string
	// SpoolDir is where files go to the host ("out") and come from it ("in").
	SpoolDir string
	// TimeZone is for times that people read; never nil.
	TimeZone *time.Location
	// Logger writes to the host's log.
	Logger hclog.Logger
	// Queue takes what the network says. An event-driven client calls it from its
	// handlers, already during Start; a Receiver is given the same one.
	Queue *Queue

	ctx     context.Context
	config  string
	network *networkState
}

// Context is the session's life: it ends when Stop has returned, or when Start has
// failed. Connections and handlers that outlive the call of Start take it.
func (s *Session) Context() context.Context { return s.ctx }
