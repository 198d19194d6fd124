package network

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/agenda"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// batch is how many frames Take takes at once.
const batch = 64

// Session is one connection's place in the network. Its methods are safe for
// concurrent use; Handle is called for one frame after another.
type Session struct {
	n    *Network
	name string
	wake chan struct{}
	end  func(error)

	// Guarded by Network.mu from here on.

	closed bool
	// account is nil until the login.
	account *account
	// joined holds the channels, each with the position after which it is shown.
	joined map[*channel]uint64
	// asked holds the channels that the login named and was not let into.
	asked map[*channel]struct{}
	// position is the last place of the account's log that was taken.
	position   uint64
	subscribed bool
	credit     uint64
	// answers waits to be taken, in order: as many as there are open requests.
	answers []answer
	// catchingUp are the scopes to be told at catchUpAt.
	catchingUp []string
	catchUpAt  uint64
	// orders waits for the plug to confirm.
	orders map[uint64]chan<- struct{}
}

// answer is an answer and the position that is to be taken before it.
type answer struct {
	frame wire.Frame
	after uint64
}

// Connect opens a session. The network calls end, with its lock held and perhaps
// more than once, when the connection is to be closed; Close must follow.
func (n *Network) Connect(end func(error)) *Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sessions++
	return &Session{
		n: n, name: "c" + strconv.FormatUint(n.sessions, 10), end: end,
		wake: make(chan struct{}, 1), joined: map[*channel]uint64{}, asked: map[*channel]struct{}{}, orders: map[uint64]chan<- struct{}{},
	}
}

// Close ends the session, for a reason.
func (s *Session) Close(reason error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.closed = true
	s.answers = nil
	if s.account != nil {
		delete(s.account.sessions, s)
		s.n.ledger.Append(ledger.Entry{
			Kind: ledger.Disconnected, Account: s.account.name, Connection: s.name, Detail: reason.Error(),
		})
	}
}

// Wake has a token when Take may have something.
func (s *Session) Wake() <-chan struct{} { return s.wake }

func (s *Session) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // awake already
	}
}

// Frozen is nil, or a channel that is closed when the account is thawed: until
// then nothing may be handled.
func (s *Session) Frozen() <-chan struct{} {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.account == nil {
		return nil
	}
	return s.account.thawed
}

// Handle does what the client asks for; the answer comes by Take. An error is the
// client's fault and ends the connection.
func (s *Session) Handle(frame wire.Frame) error {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.account == nil {
		return fmt.Errorf("%T before a login", frame)
	}
	switch f := frame.(type) {
	case *wire.Send:
		s.n.send(s, f)
	case *wire.Upload:
		s.n.upload(s, f)
	case *wire.Fetch:
		s.n.fetch(s, f)
	case *wire.Credit:
		s.credit += f.Count
		s.wakeUp()
	case *wire.Reply:
		if taken := s.orders[f.ID]; taken != nil {
			delete(s.orders, f.ID)
			close(taken)
		}
	default:
		return fmt.Errorf("a client may not say %T", frame)
	}
	return nil
}

// Answer queues a frame that is no event, behind all events shown so far.
func (s *Session) Answer(f wire.Frame) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.answer(f)
}

func (s *Session) answer(f wire.Frame) {
	if s.closed {
		return
	}
	after := uint64(0)
	if s.account != nil {
		after = s.account.log.End()
	}
	s.answers = append(s.answers, answer{f, after})
	s.wakeUp()
}

// Take appends to frames what is to be written next, at most a batch. Nothing
// means: wait for Wake.
func (s *Session) Take(frames []wire.Frame) []wire.Frame {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.account != nil && s.account.thawed != nil {
		return frames
	}
	// What this session is not shown doesn't count: an empty batch would be taken
	// for the end.
	for len(frames) < batch {
		flowing := s.subscribed && s.credit > 0
		switch {
		case len(s.answers) > 0 && (!flowing || s.answers[0].after <= s.position):
			frames = append(frames, s.answers[0].frame)
			s.answers[0] = answer{}
			s.answers = s.answers[1:]
		case !flowing:
			return frames
		case len(s.catchingUp) > 0 && s.position >= s.catchUpAt:
			s.credit--
			frames = append(frames, &wire.Mark{Position: s.position, Channel: s.catchingUp[0], CaughtUp: true})
			s.catchingUp = s.catchingUp[1:]
		case s.position < s.account.log.End():
			it, kept := s.account.log.At(s.position + 1)
			if !kept {
				s.end(errors.New("too slow: messages it has not taken are gone"))
				return frames
			}
			s.position++
			if f := s.show(it); f != nil {
				s.credit--
				frames = append(frames, f)
			}
		default:
			return frames
		}
	}
	return frames
}

// show makes the frame of the item at the position; nil if this session is not in
// the channel or has seen it before.
func (s *Session) show(it item) wire.Frame {
	if s.position > s.account.taken {
		s.account.taken = s.position
		if s.n.waiting > 0 {
			s.n.room.Broadcast()
		}
	}
	ch := it.channel
	if it.message != nil {
		ch = it.message.channel
	}
	if ch != nil {
		if from, in := s.joined[ch]; !in || s.position <= from {
			return nil
		}
	}
	if it.message == nil {
		return &wire.Mark{Position: s.position, Channel: s.outer(ch)}
	}
	m := it.message
	if m.fleeting() && s.position <= s.catchUpAt {
		return nil // it is of use only while it happens
	}
	e := s.event(it)
	e.Position = s.position
	if s.account.set.TwoCallFetch {
		e.Text, e.Fetch = "", true
	}
	if s.n.settings.LogShown {
		s.n.record(ledger.Shown, m, s.name, e.EventID)
	}
	return e
}

// event makes the event of a message as the account sees it.
func (s *Session) event(it item) *wire.Event {
	m := it.message
	e := &wire.Event{
		Channel: s.outer(m.channel), EventID: it.eventID, MessageID: m.id, Time: m.time,
		AuthorID: m.authorID, Author: m.author, Own: string(it.own), OperationID: it.operationID, Text: m.text,
	}
	if e.EventID == "" {
		e.EventID = m.event()
	}
	if it.own == script.OwnMissing {
		e.Own = ""
	}
	m.tell(e, s.account)
	return e
}

// ping lets the client hear something, again and again.
func (s *Session) ping(every time.Duration) {
	if s.closed {
		return
	}
	// One that was not taken yet will do.
	if len(s.answers) == 0 {
		s.answer(&wire.Ping{})
	}
	s.n.agenda.Run(agenda.Step{After: every, Do: func() { s.ping(every) }})
}

// inner is the network's name of a channel that the client named, outer the
// client's: they differ only where an account has no channels.
func (s *Session) inner(name string) string {
	if s.account.set.NoChannels {
		return "@" + s.account.name
	}
	return name
}

func (s *Session) outer(ch *channel) string {
	if ch == nil || s.account.set.NoChannels {
		return ""
	}
	return ch.name
}
