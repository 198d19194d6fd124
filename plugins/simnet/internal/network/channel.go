package network

import (
	"errors"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/agenda"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/memory"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// channel is one channel. Guarded by Network.mu.
type channel struct {
	name    string
	set     script.Channel
	members map[*account]struct{}
	lastID  uint64
	title   string
	topic   string
	// lastAct counts what was done other than messages.
	lastAct uint64
	puts    script.Queue[script.Puts]
	echoes  script.Queue[script.Echoes]
	gates   map[script.Stage]*agenda.Gate
	// to is the channel that this one goes on as; nil: none.
	to *channel
	// kept are the messages for the accounts that have History.
	kept memory.Log[*message]
	// swapped is an echo that waits for the next one.
	swapped func()
}

func newChannel(name string) *channel {
	return &channel{
		name:    name,
		set:     script.Channel{Name: name},
		members: map[*account]struct{}{},
		gates: map[script.Stage]*agenda.Gate{
			script.StageAnswers: {}, script.StageEchoes: {},
			script.StageUploads: {}, script.StageFetches: {},
		},
	}
}

// state is the channel's state and why.
func (c *channel) state() (script.State, string) {
	if c.to != nil {
		return script.StateReadOnly, "it goes on as " + c.to.name
	}
	if c.set.State == "" {
		return script.StateJoined, ""
	}
	return c.set.State, c.set.Reason
}

// step is one thing that the channel delays, and may hold.
func (c *channel) step(stage script.Stage, after script.Duration, do func()) agenda.Step {
	return agenda.Step{After: time.Duration(after), Gate: c.gates[stage], Do: do}
}

// send takes a message from a session, or does not.
func (n *Network) send(s *Session, f *wire.Send) {
	ch := n.channel(s.inner(f.Channel))
	a := s.account
	m := &message{
		channel: ch, authorID: a.name, author: f.Author, account: a.name,
		text: f.Text, operationID: f.OperationID, what: f.What,
	}
	if m.author == "" {
		m.author = a.name
	}
	if verdict, reason := n.check(s, f, m); verdict != "" {
		n.record(ledger.Rejected, m, s.name, string(verdict))
		s.answer(&wire.Answer{ID: f.ID, Verdict: string(verdict), Reason: reason})
		return
	}
	decided := ch.puts.Next(a.name)
	if decided.Verdict == script.Accept {
		decided.Verdict = ""
	}
	if decided.Verdict != "" && !decided.Accepted {
		n.record(ledger.Rejected, m, s.name, string(decided.Verdict))
		n.agenda.Run(ch.step(script.StageAnswers, ch.set.AnswerDelay, func() { s.fail(f.ID, decided) }))
		return
	}
	op := memory.Operation{Channel: ch.name, ID: f.OperationID}
	old, repeated := a.sent.Find(op, time.Now())
	if repeated {
		m = old
		n.record(ledger.Repeated, m, s.name, "")
	} else {
		n.publish(ledger.Accepted, m, s.name, item{own: script.OwnNo})
		if window := time.Duration(a.set.Idempotent); window > 0 && op.ID != "" {
			a.sent.Remember(op, m, m.time.Add(window))
		}
	}
	n.agenda.Run(n.plan(a, m, repeated, func() {
		if decided.Verdict != "" {
			s.fail(f.ID, decided)
			return
		}
		answer := &wire.Answer{ID: f.ID, MessageID: m.id, Time: m.time, What: m.names(a)}
		if a.set.IDsByEcho && m.kind() == script.KindMessage {
			answer.MessageID, answer.What = "", nil
		}
		s.answer(answer)
	})...)
}

// check refuses what no script has to decide, and fills in an upload.
func (n *Network) check(s *Session, f *wire.Send, m *message) (script.Verdict, string) {
	if f.Upload != "" {
		text, ok := n.uploads.Take(f.Upload)
		if !ok {
			return script.Refused, "there is no such upload: upload it again"
		}
		m.text = text
	}
	// What stands there can be changed, also by a plug that has asked only for what it goes
	// on as: the account is in both.
	moved := m.channel.to != nil && toMessage(m.kind())
	_, in := s.joined[m.channel]
	if _, member := m.channel.members[s.account]; !in && !(moved && member) {
		return script.NotSent, "you are not in this channel"
	}
	if state, reason := m.channel.state(); state != script.StateJoined && !moved {
		return script.NotSent, "the channel takes no messages: " + string(state) + " " + reason
	}
	if limit := s.account.set.TextLength; limit > 0 && len(m.text) > limit {
		return script.Refused, "the text is too long"
	}
	if m.what == nil {
		return "", ""
	}
	return n.checkWhat(s.account, m)
}

// plan puts answer and echo in the order and at the times of the channel.
func (n *Network) plan(a *account, m *message, repeated bool, answer func()) []agenda.Step {
	ch := m.channel
	when := ch.set.Echo
	// A known operation id is answered with the message it has and shown no more.
	if repeated || a.set.Echo == script.EchoNone || when == script.Never {
		return []agenda.Step{ch.step(script.StageAnswers, ch.set.AnswerDelay, answer)}
	}
	fault := ch.echoes.Next(a.name).Fault
	echo := func() { m.echo(a, fault) }
	if when == script.At {
		// Both while the lock is held, so that one write takes both.
		return []agenda.Step{ch.step(script.StageAnswers, ch.set.AnswerDelay, func() {
			echo()
			answer()
		})}
	}
	answering := ch.step(script.StageAnswers, ch.set.AnswerDelay, answer)
	echoing := ch.step(script.StageEchoes, ch.set.EchoDelay, echo)
	if when == script.Before {
		return []agenda.Step{echoing, answering}
	}
	return []agenda.Step{answering, echoing}
}

// echo shows an account its own message, with its fault.
func (m *message) echo(a *account, fault script.EchoFault) {
	seen := m.own(a)
	show := func() { a.show(seen) }
	if waiting := m.channel.swapped; waiting != nil {
		m.channel.swapped = nil
		show()
		waiting()
		return
	}
	switch fault {
	case script.EchoLost:
	case script.EchoSwapped:
		m.channel.swapped = show
	case script.EchoTwice:
		show()
		show()
	case script.EchoNewEvent:
		show()
		seen.eventID = m.event() + "-again"
		show()
	default:
		show()
	}
}

// fail answers with a verdict, or in its way not at all.
func (s *Session) fail(id uint64, p script.Puts) {
	switch p.Verdict {
	case script.NoAnswer:
	case script.Disconnect:
		s.end(errors.New("dropped by the script in place of an answer"))
	default:
		s.answer(&wire.Answer{
			ID: id, Verdict: string(p.Verdict), WholePlug: p.WholePlug,
			RetryAfter: time.Duration(p.RetryAfter), Reason: "the script says so",
		})
	}
}

// upload takes the first half of a two-call send.
func (n *Network) upload(s *Session, u *wire.Upload) {
	ch := n.channel(s.inner(u.Channel))
	n.ledger.Append(ledger.Entry{
		Kind: ledger.Uploaded, Channel: ch.name, Account: s.account.name, Text: u.Text, Connection: s.name,
	})
	n.agenda.Run(ch.step(script.StageUploads, ch.set.UploadDelay, func() {
		s.answer(&wire.Answer{ID: u.ID, Content: n.uploads.Add(u.Text)})
	}))
}

// fetch gives the second half of a two-call pick-up.
func (n *Network) fetch(s *Session, f *wire.Fetch) {
	it, ok := s.account.log.At(f.Position)
	if !ok || it.message == nil {
		s.answer(&wire.Answer{ID: f.ID, Verdict: string(script.TargetGone), Reason: "there is no message at this position"})
		return
	}
	m := it.message
	n.record(ledger.Fetched, m, s.name, "")
	n.agenda.Run(m.channel.step(script.StageFetches, m.channel.set.FetchDelay, func() {
		s.answer(&wire.Answer{ID: f.ID, MessageID: m.id, Time: m.time, Content: m.text})
	}))
}
