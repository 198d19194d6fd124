package put_test

import (
	"context"
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
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
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
	store   *journal.Memory
	journal *journal.Journal
	stage   *put.Stage
	plug    *fakePlug
	live    put.Live
	events  id.Sequence
	stop    func()
}

// inBubble runs a test with a world whose plug can do everything, but for what change
// takes away.
func inBubble(t *testing.T, change func(*put.Live), test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: journal.NewMemory(), plug: &fakePlug{}}
		w.live = put.Live{Link: w.plug, Scope: plugv1.PutScope_PUT_SCOPE_CHANNEL, Concurrent: 1, Abilities: &plugv1.Abilities{
			Echo: plugv1.Echo_ECHO_NONE, AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
			Features: []plugv1.Feature{plugv1.Feature_FEATURE_REPLY, plugv1.Feature_FEATURE_THREAD},
		}}
		if change != nil {
			change(&w.live)
		}
		w.start()
		defer func() { w.stop() }()
		test(w)
	})
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
	w.stage = put.New(put.Options{Journal: w.journal, Gate: gate.New(end), Logger: hclog.NewNullLogger()})
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
func (w *world) down() { w.stage.Detach(here.Network) }

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

// "Must" 4: an edit and a delete reach the copy, also one another; what is deleted is
// answered no more.
func TestEditAndDelete(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.accept(edit("m", "ann", "two"), edit("m", "ann", "three"), remove("m"))
		w.want("edit 1 two", "edit 1 three", "delete 1")
		w.accept(edit("m", "ann", "four"))
		w.want("say (edited) four")
		w.accept(remove("m"), remove("m"))
		w.want("delete 2")
	})
}

// Where a message can't be edited it is sent again, and a delete deletes all of it.
func TestEditElsewise(t *testing.T) {
	inBubble(t, can(plugv1.ActionKind_ACTION_KIND_DELETE), func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.accept(edit("m", "ann", "two"))
		w.want("say (edited) two")
		w.accept(remove("m"))
		w.want("delete 1,2")
		w.accept(edit("m", "ann", "three"), remove("m")) // nothing of it is sent any more
		w.want()
		if n := w.parked(); n != 0 {
			t.Errorf("%d are parked", n)
		}
	})
	inBubble(t, nil, func(w *world) {
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Action.GetEdit() != nil {
				return fails(plugv1.Verdict_VERDICT_TARGET_GONE)
			}
			return nil
		}
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.accept(edit("m", "ann", "two"))
		w.want("edit 1 two", "say (edited) two")
		w.accept(edit("m", "ann", "three"))
		w.want("edit 2 three", "say (edited) three")
	})
	inBubble(t, func(l *put.Live) {
		l.Abilities.Limits = &plugv1.Limits{EditAge: durationpb.New(time.Minute), DeleteAge: durationpb.New(time.Hour)}
	}, func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"))
		time.Sleep(2 * time.Minute)
		w.accept(edit("m", "ann", "two"))
		w.want("say one", "say (edited) two")
		time.Sleep(2 * time.Hour)
		w.accept(remove("m"))
		w.want()
	})
}

// A message that was edited on a network without edits was reposted under an id of its
// own, and is not sent twice whatever crashes.
func TestFallbackOverRestart(t *testing.T) {
	inBubble(t, can(), func(w *world) {
		var loud atomic.Bool
		var names []string
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if strings.HasPrefix(inWords(r.Action), "say (edited)") {
				names = append(names, r.OperationId)
				if !loud.Load() {
					return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
				}
			}
			return nil
		}
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.accept(edit("m", "ann", "two"))
		w.want("say (edited) two")
		w.restart()
		loud.Store(true)
		w.up()
		w.want("say (edited) two")
		if len(names) != 2 || names[0] != names[1] || len(names[0]) != 20 {
			t.Errorf("the fallback was sent as %q", names)
		}
	})
}

// "Must" 4: who isn't the author can't edit, unless they moderate.
func TestEditByAnother(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		by := edit("m", "ann", "forged")
		by.ActorId = "mallory"
		moderated := edit("m", "ann", "moderated")
		moderated.ActorId, moderated.Moderation = "mod", true
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.accept(edit("m", "mallory", "forged"), by, moderated)
		w.want("edit 1 moderated")
		w.down()
		forged := edit("n", "mallory", "forged")
		w.accept(say("n", "ann", "mine"), forged, edit("n", "ann", "still mine"))
		w.up()
		w.want("say still mine")
	})
	inBubble(t, nil, func(w *world) { // of a message that never was sent, either
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if shown(r.Action.GetMessage()) == "too much" {
				return fails(plugv1.Verdict_VERDICT_REFUSED)
			}
			return nil
		}
		w.up()
		by := edit("m", "ann", "forged")
		by.ActorId = "mallory"
		w.accept(say("m", "ann", "too much"), by)
		w.want("say too much")
		w.accept(edit("m", "ann", "less"))
		w.want("say (edited) less")
	})
}

// "Must" 4: what still waits is sent as the edits left it, or not at all; while it may
// have been sent, its content stays.
func TestFold(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.accept(say("m", "ann", "one"), say("n", "ann", "other"), edit("m", "ann", "two"), edit("m", "ann", "three"), remove("n"))
		w.up()
		w.want("say three")
		w.accept(edit("m", "ann", "four"))
		w.want("edit 1 four")
	})
	inBubble(t, func(l *put.Live) { l.Abilities.Features = nil }, func(w *world) { // a reply that becomes a quote
		r := reply("n", "m", "two")
		r.Fallback.GetMessage().Text.Segments = []*plugv1.Segment{{Text: "> quote\n"}, {Text: "two"}}
		w.accept(say("m", "ann", "one"), r, edit("n", "bo", "three"))
		w.up()
		w.want("say one", "say > quote\nthree")
	})
	inBubble(t, nil, func(w *world) { // over a restart of the host
		w.accept(say("m", "ann", "one"), edit("m", "ann", "two"), say("n", "ann", "other"), remove("n"))
		w.restart()
		w.up()
		w.want("say two")
	})
	inBubble(t, nil, func(w *world) { // where the channel's only record was begun before
		full := true
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if full && shown(r.Action.GetMessage()) != "one" {
				return fails(plugv1.Verdict_VERDICT_NOT_SENT)
			}
			return nil
		}
		w.up()
		w.together(say("m", "ann", "one"), say("n", "ann", "two"), edit("n", "ann", "three"), say("o", "ann", "four"), remove("o"))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		w.restart()
		full = false
		w.plug.did()
		w.up()
		w.want("say three")
	})
	inBubble(t, nil, func(w *world) { // after NOT_SENT the newest, after UNCERTAIN the same
		var verdict atomic.Value
		verdict.Store(plugv1.Verdict_VERDICT_NOT_SENT)
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if v := verdict.Load().(plugv1.Verdict); r.Action.GetMessage() != nil && v != 0 {
				return fails(v)
			}
			return nil
		}
		w.live.Abilities.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(time.Hour)}
		w.up()
		w.accept(say("m", "ann", "one"))
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		w.accept(edit("m", "ann", "two"))
		verdict.Store(plugv1.Verdict_VERDICT_UNCERTAIN)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.plug.did(); len(got) != 2 || got[0] != "say one" || got[1] != "say two" {
			t.Fatalf("first %q", got)
		}
		w.accept(edit("m", "ann", "three"))
		w.restart()
		verdict.Store(plugv1.Verdict(0))
		w.up()
		time.Sleep(time.Minute)
		w.want("say two", "edit 1 three")
	})
}

// The many react as one: the first adds, the last removes.
func TestReactionsOfMany(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if a := r.Action.GetReactionAdded(); a != nil {
				return &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "r-" + a.Reaction.GetEmoji()}}}
			}
			return nil
		}
		w.up()
		w.accept(say("m", "ann", "one"), react("m", "bo", "👍", true), react("m", "cy", "👍", true), react("m", "bo", "🎉", true), react("m", "bo", "👍", true))
		w.want("say one", "add 👍 to 1 of 👍", "add 🎉 to 1 of 👍🎉")
		w.restart()
		w.up()
		w.accept(react("m", "bo", "👍", false), react("m", "nobody", "👍", false), react("m", "cy", "👍", false), react("m", "cy", "👍", false), react("m", "bo", "👍", true))
		w.want("remove 👍 from 1 of 🎉 by r-👍", "add 👍 to 1 of 🎉👍")
	})
	inBubble(t, func(l *put.Live) {
		l.Abilities.Limits = &plugv1.Limits{ReactionEmoji: []string{"👍", "🎉"}, Reactions: 1}
	}, func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"), react("m", "bo", "🚀", true), react("m", "bo", "👍", true), react("m", "bo", "🎉", true), react("unknown", "bo", "👍", true))
		w.want("say one", "add 👍 to 1 of 👍")
		if n := w.parked(); n != 0 {
			t.Errorf("%d are parked", n)
		}
	})
	inBubble(t, can(), func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.accept(react("m", "bo", "👍", true), remove("m"))
		w.want()
		if n := w.parked(); n != 0 {
			t.Errorf("%d are parked, that nobody can do anything about", n)
		}
	})
}

// "Must" 2: a reply points at what is here: a copy, or the channel's own; else, or where
// there are no replies, it quotes.
func TestReply(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		if err := w.journal.SaveOriginal(t.Context(), here, &journalv1.OriginalRecord{Id: "own", Aliases: []string{"alias"}, Reference: []byte("r")}); err != nil {
			t.Fatal(err)
		}
		var to *plugv1.Receipt
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if t := r.Action.GetMessage().GetReplyTo().GetTarget(); t != nil {
				to = t.Receipts[0]
			}
			return nil
		}
		w.up()
		own := reply("r2", "", "to ours")
		own.ReplyTo = &journalv1.MessageKey{NetworkId: string(here.Network), Channel: string(here.Source), Id: "own"}
		w.accept(say("m", "ann", "one"), reply("r", "m", "yes"), own, reply("r3", "unknown", "no"))
		w.want("say one", "say yes to 1", "say to ours to own", "say > quote\nno")
		w.accept(remove("m"), reply("r4", "m", "late"))
		w.want("delete 1", "say > quote\nlate")
		if to.Id != "own" || string(to.Reference) != "r" || !slices.Equal(to.Aliases, []string{"alias"}) {
			t.Errorf("the last native reply was to %v", to)
		}
	})
	inBubble(t, func(l *put.Live) { l.Abilities.Features = nil }, func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"), reply("r", "m", "yes"))
		w.want("say one", "say > quote\nyes")
	})
	inBubble(t, nil, func(w *world) { // gone on the network, and only the network knows
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Action.GetMessage().GetReplyTo() != nil {
				return fails(plugv1.Verdict_VERDICT_TARGET_GONE)
			}
			return nil
		}
		w.up()
		w.accept(say("m", "ann", "one"), reply("r", "m", "yes"))
		w.want("say one", "say yes to 1", "say > quote\nyes")
	})
}

// What expired before anything was sent is dropped, and is no reason for a person.
func TestExpiry(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		late, early := say("m", "ann", "late"), say("n", "ann", "in time")
		late.Expiry, early.Expiry = timestamppb.New(time.Now().Add(time.Second)), timestamppb.New(time.Now().Add(time.Hour))
		w.accept(late, early)
		time.Sleep(time.Minute)
		w.up()
		w.want("say in time")
		if n := w.parked(); n != 0 {
			t.Errorf("%d are parked", n)
		}
	})
}

// A message that no other message caused is named by its operation.
func TestTargetByOperation(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		first := say("", "bot", "hello")
		first.Source = nil
		w.accept(first)
		w.want("say hello")
		later := edit("", "bot", "hello again")
		later.Source, later.Target = nil, &journalv1.MessageKey{Id: first.Id}
		w.accept(later)
		w.want("edit 1 hello again")
	})
}
