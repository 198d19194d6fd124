package put_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/internal/put"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

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
		w.together(edit("m", "ann", "three"), remove("m")) // nothing of it is sent any more
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
	for _, restart := range []bool{false, true} { // one that the network finds no target for
		inBubble(t, nil, func(w *world) {
			failed := false
			w.plug.OnPut = func(p *plugv1.PutRequest) *plugv1.PutResponse {
				switch {
				case p.Action.GetMessage().GetReplyTo() != nil:
					return fails(plugv1.Verdict_VERDICT_TARGET_GONE)
				case !failed && strings.Contains(shown(p.Action.GetMessage()), "three"):
					failed = true
					return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
				}
				return nil
			}
			r := reply("n", "m", "two")
			r.Fallback.GetMessage().Text.Segments = []*plugv1.Segment{{Text: "> quote\n"}, {Text: "two"}}
			w.accept(say("m", "ann", "one"), r, edit("n", "bo", "three"))
			w.up()
			w.want("say one", "say three to 1", "say > quote\nthree")
			if restart {
				w.restart()
				w.up()
			}
			time.Sleep(time.Minute)
			w.want("say > quote\nthree")
		})
	}
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

// What is best effort is done at once or not at all, and a read marker names what is here.
func TestBestEffort(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		typing := &plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: true}}}
		read := &plugv1.Action{Kind: &plugv1.Action_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}}
		w.stage.BestEffort(t.Context(), here, "x", typing, nil)
		w.want() // the plug is down
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.stage.BestEffort(t.Context(), here, "x", typing, nil)
		w.want("*plugv1.Action_Typing")
		w.stage.BestEffort(t.Context(), here, "x", read, key("m"))
		w.want("read up to 1")
		w.stage.BestEffort(t.Context(), here, "x", read, key("unknown"))
		w.want()
		if read.GetReadMarker().Target != nil {
			t.Error("the action was changed")
		}
	})
	inBubble(t, can(), func(w *world) {
		w.up()
		w.stage.BestEffort(t.Context(), here, "x", &plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{}}}, nil)
		w.want() // the network can't
	})
}
