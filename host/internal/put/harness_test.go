package put_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/moves"
	"github.com/plughost/plughost/host/internal/put"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fakePlug is a link to a plug that remembers what it was asked. OnPut answers; without
// it everything is taken, and messages get the ids 1, 2, 3.
type fakePlug struct {
	OnPut func(*plugv1.PutRequest) *plugv1.PutResponse

	mu    sync.Mutex
	asked []*plugv1.PutRequest
	last  int
}

func (p *fakePlug) Put(_ context.Context, r *plugv1.PutRequest, _ time.Duration) *plugv1.PutResponse {
	p.mu.Lock()
	p.asked = append(p.asked, proto.CloneOf(r))
	p.mu.Unlock()
	if p.OnPut != nil {
		if answer := p.OnPut(r); answer != nil {
			return answer
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch k := r.Action.Kind.(type) {
	case *plugv1.Action_Message:
		p.last++
		return &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: fmt.Sprint(p.last), Channel: r.Channel, Time: timestamppb.Now()}}}
	case *plugv1.Action_Edit:
		return &plugv1.PutResponse{Receipts: k.Edit.Target.Receipts}
	}
	return &plugv1.PutResponse{}
}

// did lists what was asked, in words.
func (p *fakePlug) did() (did []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.asked {
		did = append(did, inWords(r.Action))
	}
	p.asked = nil
	return did
}

func inWords(a *plugv1.Action) string {
	switch k := a.Kind.(type) {
	case *plugv1.Action_Message:
		s := "say " + shown(k.Message)
		if t := k.Message.ReplyTo; t != nil {
			s += " to " + ids(t.Target)
		}
		return s
	case *plugv1.Action_Edit:
		return "edit " + ids(k.Edit.Target) + " " + shown(k.Edit.Content)
	case *plugv1.Action_Delete:
		return "delete " + ids(k.Delete.Target)
	case *plugv1.Action_ReactionAdded:
		return "add " + k.ReactionAdded.Reaction.GetEmoji() + " to " + ids(k.ReactionAdded.Target) + " of " + emojis(k.ReactionAdded.Current)
	case *plugv1.Action_ReactionRemoved:
		s := "remove " + k.ReactionRemoved.Reaction.GetEmoji() + " from " + ids(k.ReactionRemoved.Target) + " of " + emojis(k.ReactionRemoved.Current)
		for _, r := range k.ReactionRemoved.Added {
			s += " by " + r.Id
		}
		return s
	}
	if k := a.GetReadMarker(); k != nil {
		return "read up to " + ids(k.Target)
	}
	return fmt.Sprintf("%T", a.Kind)
}

func ids(t *plugv1.Target) string {
	var all []string
	for _, r := range t.GetReceipts() {
		all = append(all, r.Id)
	}
	return strings.Join(all, ",")
}

func emojis(all []*plugv1.Reaction) (s string) {
	for _, r := range all {
		s += r.GetEmoji()
	}
	return s
}

func shown(m *plugv1.Message) (s string) {
	for _, segment := range m.GetText().GetSegments() {
		s += segment.Text
	}
	return s
}

var (
	here  = id.Channel{Network: "here", Source: "c"}
	there = id.Channel{Network: "there", Source: "c"}
)

// world is a stage over a journal in memory, with a plug for channel here.
type world struct {
	t       *testing.T
	store   *storage.Memory
	journal *journal.Journal
	stage   *put.Stage
	moves   *moves.Moves
	plug    *fakePlug
	live    put.Live
	events  id.Sequence
	settled func(c id.Channel, asked id.OperationID, op *journalv1.Operation, s *journalv1.Settled, reason string) // from the next start
	refuses atomic.Pointer[string]                                                                                 // what begins the subjects that the journal takes no record under
	slow    atomic.Bool                                                                                            // the message map takes a while
	stop    func()
}

// inBubble runs a test with a world whose plug can do everything, but for what change
// takes away.
func inBubble(t *testing.T, change func(*put.Live), test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: storage.NewMemory(), plug: &fakePlug{}}
		w.live = put.Live{Link: w.plug, Scope: plugv1.PutScope_PUT_SCOPE_CHANNEL, Concurrent: 1, Abilities: &plugv1.Abilities{
			Echo: plugv1.Echo_ECHO_NONE, AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
			Features: []plugv1.Feature{plugv1.Feature_FEATURE_REPLY, plugv1.Feature_FEATURE_THREAD},
		}}
		w.store.Refuse = func(e storage.Entry) error {
			if prefix := w.refuses.Load(); prefix != nil && strings.HasPrefix(e.Subject, *prefix) {
				return errors.New("the disk is full")
			}
			return nil
		}
		if change != nil {
			change(&w.live)
		}
		w.start()
		defer func() { w.stop() }()
		test(w)
	})
}

// slowMap is a journal whose message map takes a while where a test wants that, so that
// whoever doesn't wait for it comes too early.
type slowMap struct {
	*journal.Journal
	w *world
}

func (j slowMap) SaveCopies(ctx context.Context, c id.Channel, settled *journalv1.Settled) error {
	if j.w.slow.Load() {
		time.Sleep(time.Millisecond) // in the bubble
	}
	return j.Journal.SaveCopies(ctx, c, settled)
}

func (w *world) start() {
	w.t.Helper()
	var err error
	if w.journal, err = journal.Open(w.t.Context(), w.store); err != nil {
		w.t.Fatal(err)
	}
	end, err := w.journal.End(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if w.moves, err = moves.Open(w.t.Context(), w.journal); err != nil {
		w.t.Fatal(err)
	}
	w.stage = put.New(put.Options{Journal: slowMap{w.journal, w}, Gate: gate.New(end), Moves: w.moves, Logger: hclog.NewNullLogger(), Settled: w.settled})
	if err := w.stage.Open(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.stage.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-ended
	}
}

// restart is a crash of the host and a new start.
func (w *world) restart() {
	w.t.Helper()
	w.store = w.store.Restart()
	w.stop()
	w.start()
}

func (w *world) up()   { w.stage.Attach(here.Network, w.live) }
func (w *world) down() { w.stage.Detach(here.Network, false) }

// crash is a crash of the plug.
func (w *world) crash() { w.stage.Detach(here.Network, true) }

// key names message m of the channel there.
func key(m string) *journalv1.MessageKey {
	return &journalv1.MessageKey{NetworkId: string(there.Network), Channel: string(there.Source), Id: m}
}

// accept accepts operations for the channel here, each because of an event of its own.
func (w *world) accept(ops ...*journalv1.Operation) { w.acceptIn(here, ops...) }

func (w *world) acceptIn(c id.Channel, ops ...*journalv1.Operation) {
	w.t.Helper()
	for _, op := range ops {
		w.events++
		op.Id = string(w.journal.OperationID(w.events, 0, "test", c, 0))
		op.AcceptedTime = timestamppb.Now()
		accepted := []journal.Accepted{{Channel: c, Operations: []*journalv1.Operation{op}}}
		w.stage.Accepting(accepted)
		if err := w.journal.Accept(w.t.Context(), accepted); err != nil {
			w.t.Fatal(err)
		}
	}
}

// together accepts operations in one record, as those of a burst of events are.
func (w *world) together(ops ...*journalv1.Operation) {
	w.t.Helper()
	for _, op := range ops {
		w.events++
		op.Id = string(w.journal.OperationID(w.events, 0, "test", here, 0))
	}
	accepted := []journal.Accepted{{Channel: here, Operations: ops}}
	w.stage.Accepting(accepted)
	if err := w.journal.Accept(w.t.Context(), accepted); err != nil {
		w.t.Fatal(err)
	}
}

// want waits until nothing goes on, and compares what was asked of the plug.
func (w *world) want(did ...string) {
	w.t.Helper()
	time.Sleep(time.Second) // in the bubble
	synctest.Wait()
	if got := w.plug.did(); !slices.Equal(got, did) {
		w.t.Errorf("the plug was asked to\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(did, "\n\t"))
	}
}

// parked counts what waits for a person.
func (w *world) parked() int {
	w.t.Helper()
	parked, err := w.journal.Parked(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return parked[here]
}

func text(s string) *plugv1.Message {
	return &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: s}}}}
}

func by(user string) *plugv1.Author { return &plugv1.Author{User: &plugv1.User{Id: user}} }

// say is message m of user u there, to be sent here.
func say(m, u, s string) *journalv1.Operation {
	return &journalv1.Operation{Source: key(m), Action: &plugv1.Action{Author: by(u), Kind: &plugv1.Action_Message{Message: text(s)}}}
}

func edit(m, u, s string) *journalv1.Operation {
	return &journalv1.Operation{Source: key(m), Target: key(m),
		Action:   &plugv1.Action{Author: by(u), Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: text(s)}}},
		Fallback: &plugv1.Action{Author: by(u), Kind: &plugv1.Action_Message{Message: text("(edited) " + s)}}}
}

func remove(m string) *journalv1.Operation {
	return &journalv1.Operation{Source: key(m), Target: key(m), Action: &plugv1.Action{Author: by("ann"), Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{}}}}
}

func react(m, u, emoji string, added bool) *journalv1.Operation {
	r := &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: emoji}}
	op := &journalv1.Operation{Source: key(m), Target: key(m), ActorId: u, Action: &plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: r}}}}
	if !added {
		op.Action.Kind = &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: r}}
	}
	return op
}

func reply(m, to, s string) *journalv1.Operation {
	op := say(m, "bo", s)
	op.Action.GetMessage().ReplyTo = &plugv1.Reply{}
	op.ReplyTo = key(to)
	op.Fallback = &plugv1.Action{Author: by("bo"), Kind: &plugv1.Action_Message{Message: text("> quote\n" + s)}}
	return op
}

func can(kinds ...plugv1.ActionKind) func(*put.Live) {
	return func(l *put.Live) {
		l.Accepts = append([]plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_MESSAGE}, kinds...)
	}
}

func fails(v plugv1.Verdict) *plugv1.PutResponse {
	return &plugv1.PutResponse{Failure: &plugv1.PutFailure{Verdict: v, Message: "no"}}
}
