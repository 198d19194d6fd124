package check

import (
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// What a count names beside the faults themselves.
const (
	ShownTwice = "an event shown twice on one connection"
	Replayed   = "an event shown again on another connection"
	Withheld   = "a second message of a known id, withheld"
	Echoes     = "an echo given to the subscriber, with its origin"
	Refused    = "took effect: "
	Settled    = "settled: "
	ParkedAs   = "parked: "
)

// Counts tells how often each way of settling, each refusal and each repeat happened.
func Counts(r Run) map[string]int {
	counts := map[string]int{}
	for _, op := range r.Record.Operations {
		if op.Settled == nil {
			continue
		}
		counts[Settled+name(op.Settled.By)]++
		switch op.Settled.Outcome {
		case journalv1.Outcome_OUTCOME_DROPPED:
			counts["dropped: "+op.Settled.Reason]++
		case journalv1.Outcome_OUTCOME_PARKED:
			if op.Parked != nil {
				counts[ParkedAs+op.Parked.Verdict.String()]++
			}
		}
	}
	for _, e := range r.Record.Events {
		if e.Withheld && e.Kind == ledger.Said {
			counts[Withheld]++
		}
	}
	for _, y := range r.Yields {
		if y.Origin != "" {
			counts[Echoes]++
		}
	}
	type shown struct {
		ledger.Member
		event string
	}
	for _, lines := range r.Lines {
		first := map[shown]string{}
		for _, l := range lines {
			switch l.Kind {
			case ledger.Refused:
				counts[Refused+l.Detail]++
			case ledger.Shown:
				k := shown{l.Member, l.Detail}
				connection, before := first[k]
				switch {
				case before && connection == l.Connection:
					counts[ShownTwice]++
				case before:
					counts[Replayed]++
				}
				first[k] = l.Connection
			}
		}
	}
	countMoves(r, counts)
	return counts
}

// name is how an operation became known, in the words of the journal.
func name(by journalv1.SettledBy) string { return by.String()[len("SETTLED_BY_"):] }
