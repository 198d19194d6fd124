package check

import (
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/record"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	sent      = journalv1.Outcome_OUTCOME_SENT
	dropped   = journalv1.Outcome_OUTCOME_DROPPED
	refused   = plugv1.Verdict_VERDICT_REFUSED
	uncertain = plugv1.Verdict_VERDICT_UNCERTAIN
)

// Each promise broken in a made-up run is reported, and what the contract allows is not.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		make func(m *made)
		want string // kinds of violations, with commas
	}{
		"all is well": {make: func(m *made) {
			there := m.says(1)
			m.changes(ledger.Edited, 1, 1, there)
			m.changes(ledger.Reacted, 1, 0, there)
			m.changes(ledger.Deleted, 2, 0, m.says(2))
		}},

		"lost: the network has nothing (D3)": {want: "lost", make: func(m *made) { m.forget(m.says(1)[exactly]) }},
		"lost: no operation (D3)": {want: "lost", make: func(m *made) {
			m.does(ledger.Said, 1, 0)
			m.sends(exactly, ledger.Said, 1, 0, nil)
		}},
		"lost: no event (D1)": {want: "lost", make: func(m *made) {
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "1", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
		}},
		"never heard by a plug that can't replay and was away (D1)": {make: func(m *made) {
			m.Plan.Networks[0].Replays = false
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "1", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
		}},
		"lost by a plug that can't replay and was there (D1)": {want: "lost", make: func(m *made) {
			m.Plan.Networks[0].Replays = false
			m.line(ledger.Line{Kind: ledger.Online, Member: from, Connection: "c1"})
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "1", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
			m.now = m.now.Add(time.Minute)
			m.line(ledger.Line{Kind: ledger.Offline, Member: from, Connection: "c1"})
		}},
		"deleted before its plug had read it": {make: func(m *made) {
			m.Plan.Networks[0].Forgets = true
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "m00001", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
			m.does(ledger.Deleted, 1, 0)
		}},
		"deleted, and the plug told neither": {want: "lost", make: func(m *made) {
			m.Plan.Networks[0].Forgets = true
			for _, k := range []ledger.Kind{ledger.Said, ledger.Deleted} {
				m.line(ledger.Line{Kind: k, Member: from, ID: "m00001", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
			}
		}},
		"parked, and the network refused it": {make: func(m *made) {
			op := m.says(1)[exactly]
			m.forget(op)
			m.parks(op, refused)
			m.line(ledger.Line{Kind: ledger.Refused, Member: exactly, By: ledger.Host, Operation: op.ID, Detail: "refused"})
		}},
		"parked as refused, and the network didn't": {want: "lost", make: func(m *made) {
			op := m.says(1)[exactly]
			m.forget(op)
			m.parks(op, refused)
		}},
		"parked as uncertain after all attempts": {make: func(m *made) {
			op := m.says(1)[exactly]
			m.forget(op)
			m.attempts(op)
			m.parks(op, uncertain)
		}},
		"parked as uncertain too soon": {want: "lost", make: func(m *made) {
			op := m.says(1)[exactly]
			m.forget(op)
			m.parks(op, uncertain)
		}},
		"parked as uncertain, after a start with a clock ahead by the window": {make: func(m *made) {
			op := m.forgetful()
			m.Starts = []Start{{m.now, time.Hour}}
			m.step()
			m.parks(op, uncertain)
		}},
		"parked as uncertain, before that start": {want: "lost", make: func(m *made) {
			op := m.forgetful()
			m.parks(op, uncertain)
			m.Starts = []Start{{m.now, time.Hour}}
		}},
		"parked as uncertain, after a start with a clock ahead by less": {want: "lost", make: func(m *made) {
			op := m.forgetful()
			m.Starts = []Start{{m.now, 50 * time.Minute}}
			m.step()
			m.parks(op, uncertain)
		}},
		"deleted before it was sent": {make: func(m *made) {
			op := m.says(1)[exactly]
			m.forget(op)
			m.settles(op, dropped, "it was deleted")
			m.changes(ledger.Deleted, 1, 0, map[ledger.Member]*record.Operation{exactly: op, atLeast: op})
			m.forget(m.Record.ByID["said 1.0 for atleast"])
			m.settles(m.Record.ByID["said 1.0 for atleast"], dropped, "it was deleted")
		}},
		"dropped, and not deleted": {want: "lost", make: func(m *made) {
			op := m.says(1)[exactly]
			m.forget(op)
			m.settles(op, dropped, "some reason")
		}},

		"twice, exactly once (D3)": {want: "twice", make: func(m *made) { m.takes(m.says(1)[exactly], nil).ID = "again" }},
		"twice, after an echo was known (D3)": {want: "twice", make: func(m *made) {
			op := m.says(1)[exactly]
			m.event(record.Event{Member: exactly, ID: "echo", MessageID: "echo", Kind: ledger.Said, Own: plugv1.Own_OWN_YES, Operation: op.ID, Withheld: true})
			m.attempts(op)
			m.takes(op, nil).ID = "again"
			m.settles(op, sent, "")
		}},
		"twice, before the echo came (O5)": {make: func(m *made) {
			op := m.says(1)[exactly]
			m.attempts(op)
			m.takes(op, nil).ID = "again"
			m.event(record.Event{Member: exactly, ID: "echo", MessageID: "echo", Kind: ledger.Said, Own: plugv1.Own_OWN_YES, Operation: op.ID})
			m.settles(op, sent, "")
		}},
		"twice, at least once": {make: func(m *made) {
			op := m.says(1)[atLeast]
			m.attempts(op)
			m.takes(op, nil).ID = "again"
			m.settles(op, sent, "")
		}},
		"twice, at least once, by one attempt": {want: "twice", make: func(m *made) { m.takes(m.says(1)[atLeast], nil).ID = "again" }},
		"heard twice by a device": {make: func(m *made) {
			m.Plan.Networks[2].HeardAgain = true
			m.takes(m.says(1)[atLeast], nil).ID = "again"
		}},
		"twice, by two operations": {want: "twice", make: func(m *made) {
			first := m.says(1)[exactly]
			op := m.sends(exactly, ledger.Said, 1, 0, nil)
			op.ID = "another"
			m.Record.ByID["another"], m.Record.ByID[first.ID] = op, first
			m.Lines[exactly.Plug][1].Operation, m.Lines[exactly.Plug][1].ID = "another", "another"
		}},
		"accepted twice (D3)": {want: "accepted twice", make: func(m *made) { m.says(1)[exactly].Accepted++ }},
		"an unknown operation": {want: "unexpected", make: func(m *made) {
			l := m.takes(m.says(1)[exactly], nil)
			l.ID, l.Operation = "another", "unknown"
		}},
		"in another conversation": {want: "lost,unexpected", make: func(m *made) { m.says(1); m.Lines[exactly.Plug][0].Member = elsewhere }},

		"reordered (O6)": {want: "reordered", make: func(m *made) {
			m.says(1)
			m.says(2)
			lines := m.Lines[exactly.Plug]
			lines[0].N, lines[1].N = lines[1].N, lines[0].N
		}},
		"said again where it was not heard at first (O6)": {make: func(m *made) {
			m.Plan.Networks[0].Replays = false
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "m00001", By: ledger.Stranger, Text: ledger.Mark(1, 0)})
			m.says(2)
			m.says(1)
		}},
		"bridged back": {want: "bridged back", make: func(m *made) {
			op := m.says(1)[exactly]
			m.line(ledger.Line{Kind: ledger.Said, Member: from, ID: "back", By: ledger.Host, Operation: op.ID, Text: op.Text})
		}},
		"the account's own words on another device bridged": {want: "echo bridged", make: func(m *made) {
			m.says(1)
			m.Lines[from.Plug][0].By = ledger.Device
		}},
		"event twice (D2)": {want: "event twice", make: func(m *made) {
			m.says(1)
			m.event(*m.Record.Events[0]).Withheld = true
		}},
		"message twice (D2)": {want: "message twice", make: func(m *made) {
			m.says(1)
			m.event(*m.Record.Events[0]).ID = "another"
		}},
		"an echo before its outcome (O1)": {want: "yielded too early", make: func(m *made) {
			op := m.says(1)[exactly]
			m.Yields = []Yield{{Stream: 1, Settled: op.ID}, {Stream: 2, Member: exactly, MessageID: "x", Origin: op.ID}, {Stream: 2, Settled: op.ID}}
		}},
		"an echo after its outcome (O1)": {make: func(m *made) {
			op := m.says(1)[exactly]
			m.Yields = []Yield{{Stream: 1, Settled: op.ID, Member: exactly, Receipts: []string{"x"}}, {Stream: 1, Member: exactly, MessageID: "x", Origin: op.ID}}
		}},
		"a message before the outcome of its send (O1)": {want: "yielded too early", make: func(m *made) {
			op := m.says(1)[exactly]
			m.Yields = []Yield{{Stream: 1, Member: exactly, MessageID: "x", Time: op.Attempts[0].Time.Add(time.Second)}, {Stream: 1, Settled: op.ID, Member: exactly, Receipts: []string{"x"}}}
		}},
		"a message after the hold (O5)": {make: func(m *made) {
			op := m.says(1)[exactly]
			op.Settled.By = journalv1.SettledBy_SETTLED_BY_PUT_OUTCOME
			m.Yields = []Yield{{Stream: 1, Member: exactly, MessageID: "x", Time: op.Attempts[0].Time.Add(m.SettleTimeout)}, {Stream: 1, Settled: op.ID, Member: exactly, Receipts: []string{"x"}}}
		}},
		"left waiting (D3)": {want: "left waiting", make: func(m *made) { m.says(1)[exactly].Settled = nil }},
		"an attempt before the wait (O5)": {want: "attempt too early", make: func(m *made) {
			op := m.says(1)[exactly]
			m.attempts(op)
			op.Attempts[1].Time = op.Attempts[0].Time.Add(time.Second)
		}},

		"an attempt soon after one that sent nothing (O5)": {make: func(m *made) {
			op := m.says(1)[exactly]
			m.attempts(op)
			notSent := op.Attempts[1]
			notSent.NotSent, notSent.Uncertain = true, 1
			op.Attempts = append(op.Attempts, notSent, notSent, record.Attempt{Time: notSent.Time.Add(time.Second), Number: 3, Uncertain: 2})
		}},
		"edit missing": {want: "edit missing", make: func(m *made) {
			there := m.says(1)
			m.forget(m.changes(ledger.Edited, 1, 1, there)[exactly])
		}},
		"edit missing: no operation": {want: "edit missing", make: func(m *made) {
			there := m.says(1)
			m.does(ledger.Edited, 1, 1)
			m.sends(exactly, ledger.Edited, 1, 1, there[exactly])
		}},
		"the older edit stands": {want: "edit missing", make: func(m *made) {
			there := m.says(1)
			m.changes(ledger.Edited, 1, 1, there)
			m.forget(m.changes(ledger.Edited, 1, 2, there)[atLeast])
		}},
		"edit beside its message": {want: "edit beside its message,edit missing", make: func(m *made) {
			there := m.says(1)
			op := m.changes(ledger.Edited, 1, 1, there)[exactly]
			m.forget(op)
			l := m.takes(op, nil)
			l.Kind, l.Operation = ledger.Said, op.Fallback
		}},
		"edit of what was heard only when it was said again": {make: func(m *made) {
			m.does(ledger.Edited, 1, 1)
			for _, to := range []ledger.Member{exactly, atLeast} {
				op := m.sends(to, ledger.Edited, 1, 1, nil)
				m.forget(op)
				l := m.takes(op, nil)
				l.Kind, l.Operation = ledger.Said, op.Fallback
			}
			edit := m.Lines[from.Plug][0]
			m.Lines[from.Plug] = nil
			m.says(1)
			m.Lines[from.Plug] = append(m.Lines[from.Plug], edit)
		}},
		"edit of what was heard when it was said again, beside an earlier one": {make: func(m *made) {
			m.does(ledger.Edited, 1, 1)
			op := m.sends(exactly, ledger.Edited, 1, 1, nil)
			m.forget(op)
			l := m.takes(op, nil)
			l.Kind, l.Operation = ledger.Said, op.Fallback
			m.forget(m.sends(atLeast, ledger.Edited, 1, 1, nil))
			edit := m.Lines[from.Plug][0]
			m.Lines[from.Plug] = nil
			there := m.says(1)
			m.Lines[from.Plug] = append(m.Lines[from.Plug], edit)
			m.changes(ledger.Edited, 1, 2, there)
		}},
		"an echo while the journal refuses its outcome (O5)": {make: func(m *made) {
			op := m.says(1)[exactly]
			op.Settled.By = journalv1.SettledBy_SETTLED_BY_ECHO
			m.Yields = []Yield{{Stream: 1, Member: exactly, Origin: op.ID, Time: op.Attempts[0].Time.Add(m.SettleTimeout)}, {Stream: 1, Settled: op.ID}}
		}},
		"edit refused": {make: func(m *made) {
			there := m.says(1)
			op := m.changes(ledger.Edited, 1, 1, there)[exactly]
			m.forget(op)
			m.parks(op, refused)
			m.line(ledger.Line{Kind: ledger.Refused, Member: exactly, By: ledger.Host, Operation: op.ID, Detail: "refused"})
		}},
		"delete missing": {want: "delete missing", make: func(m *made) { m.forget(m.changes(ledger.Deleted, 1, 0, m.says(1))[exactly]) }},
		"delete missing: no operation": {want: "delete missing", make: func(m *made) {
			there := m.says(1)
			m.does(ledger.Deleted, 1, 0)
			m.sends(exactly, ledger.Deleted, 1, 0, there[exactly])
		}},
		"deleted, and the message was not": {want: "lost", make: func(m *made) {
			op := m.says(1)[exactly]
			m.line(ledger.Line{Kind: ledger.Deleted, Member: exactly, ID: "copy of " + op.ID, By: ledger.Host})
		}},
		"reaction missing": {want: "reaction missing", make: func(m *made) { m.forget(m.changes(ledger.Reacted, 1, 0, m.says(1))[exactly]) }},
		"reaction not taken back": {want: "reaction missing", make: func(m *made) {
			there := m.says(1)
			m.changes(ledger.Reacted, 1, 0, there)
			m.forget(m.changes(ledger.Unreacted, 1, 0, there)[exactly])
		}},
		"reaction not taken back, for it was parked as uncertain": {make: func(m *made) {
			there := m.says(1)
			op := m.changes(ledger.Reacted, 1, 0, there)[exactly]
			m.attempts(op)
			m.parks(op, uncertain)
			removal := m.changes(ledger.Unreacted, 1, 0, there)[exactly]
			m.forget(removal)
			m.settles(removal, dropped, "there is no such reaction of ours")
		}},
		"wrong reply": {want: "wrong reply", make: func(m *made) {
			m.says(1)
			m.says(2)
			m.Lines[from.Plug][1].ReplyTo = "m00001"
			for _, to := range []ledger.Member{exactly, atLeast} {
				m.Lines[to.Plug][1].ReplyTo = "some other message"
			}
		}},
		"reply missing": {want: "reply missing", make: func(m *made) {
			m.says(1)
			m.says(2)
			m.Lines[from.Plug][1].ReplyTo = "m00001"
		}},
		"file missing": {want: "file missing", make: func(m *made) {
			m.says(1)
			m.Lines[from.Plug][0].Files, m.Files["from"]["f"] = []string{"f"}, "f"
		}},
		"file differs": {want: "file differs", make: func(m *made) {
			m.says(1)
			for _, to := range []ledger.Member{from, exactly, atLeast} {
				m.Lines[to.Plug][0].Files, m.Files[to.Plug]["f"] = []string{"f"}, "f"
			}
			m.Files["exactly"]["f"] = "another"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMade()
			c.make(m)
			if got := strings.Join(m.kinds(), ","); got != c.want {
				t.Errorf("it reports %q, want %q", got, c.want)
				for _, v := range Check(m.Run).Violations {
					t.Log(v)
				}
			}
		})
	}
}

// The story of a message has everything about it, and nothing else.
func TestStory(t *testing.T) {
	m := newMade()
	m.changes(ledger.Edited, 1, 1, m.says(1))
	m.says(2)
	var b strings.Builder
	Story(&b, m.Run, 1)
	for _, words := range []string{"operation said 1.0 for exactly", "attempt 1", "settled as edited 1.1 for atleast", "event said 1.0", "exactly/1 #", "atleast/1 #", "from/1 #", "m00001.1"} {
		if !strings.Contains(b.String(), words) {
			t.Errorf("the story lacks %q", words)
		}
	}
	if strings.Contains(b.String(), "m00002") {
		t.Error("it is about another message too")
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

// A run's count has what happened: a run that proves nothing is known by it.
func TestCounts(t *testing.T) {
	m := newMade()
	m.says(1)
	m.parks(m.says(2)[exactly], uncertain)
	shown := ledger.Line{Kind: ledger.Shown, Member: from, ID: "1", Detail: "e", Connection: "c1"}
	m.line(shown)
	m.line(shown)
	shown.Connection = "c2"
	m.line(shown)
	m.line(ledger.Line{Kind: ledger.Refused, Member: exactly, Detail: "rate_limited"})
	m.event(record.Event{Member: from, ID: "again", MessageID: "1", Kind: ledger.Said, Withheld: true})
	got := Counts(m.Run)
	for what, n := range map[string]int{
		Settled + "ANSWER": 4, ParkedAs + "VERDICT_UNCERTAIN": 1, ShownTwice: 1, Replayed: 1, Refused + "rate_limited": 1, Withheld: 1,
	} {
		if got[what] != n {
			t.Errorf("%q is counted %d times, want %d", what, got[what], n)
		}
	}
}

// The last mark of a text is the message's own: what it answers is quoted in front.
func TestFind(t *testing.T) {
	for text, want := range map[string]string{
		"m00012.3 words": "m00012.3", "> Ann: m00001.0 hi\nm00002.1 ho": "m00002.1", "(edited) m00007.2\n[file m00007.bin, 1 kB]": "m00007.2", "none": "m00000.0",
	} {
		if token, revision, _ := ledger.Find(text); ledger.Mark(token, revision) != want {
			t.Errorf("%q has the mark %s, want %s", text, ledger.Mark(token, revision), want)
		}
	}
}
