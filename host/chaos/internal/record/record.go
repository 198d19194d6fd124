package record

import (
	"fmt"
	"strings"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Record is all that the journal says of a run.
type Record struct {
	Events     []*Event
	Operations []*Operation
	// ByID finds an operation by its id, and by that of its fallback.
	ByID map[string]*Operation
}

// Event is one event. Its member has the source under which it happened; a channel that
// has moved has several.
type Event struct {
	Sequence id.Sequence
	Time     time.Time // when it was stored
	ledger.Member
	ID, MessageID string
	// Kind is one of the ledger's; empty for what bridging leaves alone. Of one that a channel
	// has moved Text is the new source.
	Kind      ledger.Kind
	Own       plugv1.Own
	Operation string
	Text      string
	// Withheld events are journaled and never yielded, and so are those of a History.
	Withheld bool
}

// String is the event for a person.
func (e *Event) String() string {
	s := fmt.Sprintf("%s journal %d: event %s of %s, %s, id %s", e.Time.Format("15:04:05.000"), e.Sequence, e.ID, e.Member, e.Kind, e.MessageID)
	if e.Own != plugv1.Own_OWN_NO {
		s += ", " + e.Own.String()
	}
	if e.Operation != "" {
		s += ", operation " + e.Operation
	}
	if e.Withheld {
		s += ", withheld"
	}
	return s
}

// Operation is one accepted operation. Its member is the one that the config names, About
// has the source under which the message was said.
type Operation struct {
	Sequence id.Sequence
	Time     time.Time
	ledger.Member
	ID, Fallback string
	Hook         string
	Kind         ledger.Kind // what it does there
	Text         string
	Reaction     string
	// About is the message that it is about or that caused it, by its own id.
	About    ledger.Member
	AboutID  string
	Attempts []Attempt
	Settled  *Settled // nil while it waits
	Parked   *Parked
	// Accepted counts how often it is in the log.
	Accepted int
}

// Attempt is the record of one attempt, or that it is known to have sent nothing.
type Attempt struct {
	Sequence  id.Sequence
	Time      time.Time
	Operation string
	// Source is what the plug was asked for.
	Source    string
	Number    uint32
	Uncertain uint32
	NotSent   bool
	Deadline  time.Time
	// Wrong is how far ahead the host's clock was.
	Wrong time.Duration
}

// Settled is how an operation ended.
type Settled struct {
	Sequence  id.Sequence
	Time      time.Time
	Operation string
	Outcome   journalv1.Outcome
	By        journalv1.SettledBy
	Reason    string
	Receipts  []string
	Folded    []string
	Attempts  uint32
}

// Parked is why it is kept for a person.
type Parked struct {
	Time    time.Time
	Verdict plugv1.Verdict
	Reason  string
}

// Uncertain is how many attempts may have been sent, as the last one says.
func (o *Operation) Uncertain() (n uint32) {
	for _, a := range o.Attempts {
		n = a.Uncertain
	}
	return n
}

// Outcome is what became of it; OUTCOME_UNSPECIFIED while it waits.
func (o *Operation) Outcome() journalv1.Outcome {
	if o.Settled == nil {
		return journalv1.Outcome_OUTCOME_UNSPECIFIED
	}
	return o.Settled.Outcome
}

// String is the operation's story for a person, over several lines.
func (o *Operation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s journal %d: operation %s for %s: %s of message %s in %s", o.Time.Format("15:04:05.000"), o.Sequence, o.ID, o.Member, o.Kind, o.AboutID, o.About)
	if o.Text != "" {
		fmt.Fprintf(&b, ", %q", o.Text)
	}
	for _, a := range o.Attempts {
		fmt.Fprintf(&b, "\n  %s journal %d: attempt %d of %s, %d may have been sent", a.Time.Format("15:04:05.000"), a.Sequence, a.Number, a.Operation, a.Uncertain)
		if a.NotSent {
			b.WriteString(", this one was not")
		}
		fmt.Fprintf(&b, ", until %s", a.Deadline.Format("15:04:05.000"))
	}
	if p := o.Parked; p != nil {
		fmt.Fprintf(&b, "\n  %s parked: %s, %s", p.Time.Format("15:04:05.000"), p.Verdict, p.Reason)
	}
	if s := o.Settled; s != nil {
		fmt.Fprintf(&b, "\n  %s journal %d: settled as %s: %s by %s after %d attempts", s.Time.Format("15:04:05.000"), s.Sequence, s.Operation, s.Outcome, s.By, s.Attempts)
		for _, part := range []struct {
			name  string
			words []string
		}{{"receipts", s.Receipts}, {"folded", s.Folded}} {
			if len(part.words) > 0 {
				fmt.Fprintf(&b, ", %s %s", part.name, strings.Join(part.words, " "))
			}
		}
		if s.Reason != "" {
			fmt.Fprintf(&b, " (%s)", s.Reason)
		}
	} else {
		b.WriteString("\n  not settled")
	}
	return b.String()
}
