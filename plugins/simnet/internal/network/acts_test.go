package network_test

import (
	"fmt"
	"testing"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// ask asks for something other than a message.
func (p *plug) ask(channel, text, operation string, w wire.What) {
	p.w.t.Helper()
	p.last++
	p.handle(&wire.Send{ID: p.last, Channel: channel, Text: text, OperationID: operation, What: &w})
}

// acts are the ledger's kinds of what is done to messages.
var acts = []ledger.Kind{ledger.Accepted, ledger.Emitted, ledger.Edited, ledger.Deleted, ledger.Reacted, ledger.Unreacted, ledger.Rejected}

// Whatever an account asks for is echoed, answered and remembered as a message is.
func TestActsGoTheWayOfMessages(t *testing.T) {
	for _, when := range []script.When{script.Before, script.At, script.After} {
		inBubble(t, func(t *testing.T, w *world) {
			w.do(script.Command{Account: &script.Account{Name: "alice", Idempotent: script.Duration(1e9)}},
				script.Command{Channel: &script.Channel{Name: "left", Echo: when}})
			p := w.fresh("alice", "left")
			p.send("left", "one", "op1")
			p.ask("left", "uno", "op2", wire.What{Kind: script.KindEdit, Target: "left-1"})
			p.ask("left", "", "op3", wire.What{Kind: script.KindReact, Target: "left-1", Reaction: "👍"})
			p.ask("left", "", "op4", wire.What{Kind: script.KindDelete, Target: "left-1"})
			p.ask("left", "", "op4", wire.What{Kind: script.KindDelete, Target: "left-1"}) // gone before it can be repeated
			got := p.frames()
			events, answers := 0, 0
			for i, l := range got {
				var n int
				if _, err := fmt.Sscanf(l, "answer %d", &n); err == nil {
					answers++
					echoed := i > 0 && l != "answer 5 target_gone" && got[i-1][:5] == "event"
					if when != script.After && n < 5 && !echoed {
						t.Errorf("%s: %q comes without its echo in\n%q", when, l, got)
					}
					continue
				}
				events++
			}
			if events != 4 || answers != 5 {
				t.Errorf("%s: %d events, %d answers: %q", when, events, answers, got)
			}
			want(t, w.ledger(acts...), "accepted left left-1 one", "edited left left-1 uno", "reacted left left-1", "deleted left left-1",
				"rejected left left-1  target_gone")
			// What came while it was away it is shown when it is back.
			again, _ := w.plug("alice", map[string]string{"left": p.cursor(1)}, "left")
			if got := again.frames(); len(got) != 4 {
				t.Errorf("shown again was %q", got)
			}
		})
	}
}

// A verdict that a script decides on is given to an action of any kind.
func TestDecidedVerdictsOfActs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left")
		w.say("left", "Bob", "one")
		p.frames()
		for _, v := range []script.Verdict{script.TargetGone, script.Unsupported, script.Uncertain} {
			w.do(script.Command{Puts: &script.Puts{Channel: "left", Verdict: v, Accepted: v == script.Uncertain}})
			p.ask("left", "", "", wire.What{Kind: script.KindReact, Target: "left-1", Reaction: "👍"})
		}
		p.want("answer 1 target_gone", "answer 2 unsupported", "answer 3 uncertain", "event 2 left-1 by Bob own:yes as left react-1")
		want(t, w.ledger(ledger.Reacted, ledger.Rejected), "rejected left left-1  target_gone", "rejected left left-1  unsupported", "reacted left left-1")
	})
}

// What speaks against an action without a script.
func TestWhatCanNotBeDone(t *testing.T) {
	every := []script.Kind{script.KindEdit, script.KindDelete, script.KindReact, script.KindTyping, script.KindRead, script.KindChange}
	for name, c := range map[string]struct {
		set  script.Account
		what wire.What
		want script.Verdict
	}{
		"edit another's":         {script.Account{}, wire.What{Kind: script.KindEdit, Target: "left-1"}, script.Refused},
		"delete another's":       {script.Account{}, wire.What{Kind: script.KindDelete, Target: "left-1"}, script.Refused},
		"moderate":               {script.Account{Moderates: true}, wire.What{Kind: script.KindDelete, Target: "left-1"}, ""},
		"edit what is not there": {script.Account{}, wire.What{Kind: script.KindEdit, Target: "left-9"}, script.TargetGone},
		"react as before":        {script.Account{}, wire.What{Kind: script.KindReact, Target: "left-2", Reaction: "👍"}, script.Already},
		"one too many":           {script.Account{MaxReactions: 1}, wire.What{Kind: script.KindReact, Target: "left-2", Reaction: "🎉"}, script.Refused},
		"take back what is not":  {script.Account{}, wire.What{Kind: script.KindUnreact, Target: "left-2", Reaction: "🎉"}, script.Already},
		"take back without id":   {script.Account{Reactions: script.ReactionsByID}, wire.What{Kind: script.KindUnreact, Target: "left-2", Reaction: "👍"}, script.Refused},
		"one by one":             {script.Account{Reactions: script.ReactionsWhole}, wire.What{Kind: script.KindReact, Target: "left-2", Reaction: "🎉"}, script.Unsupported},
		"whole":                  {script.Account{}, wire.What{Kind: script.KindReactions, Target: "left-2"}, script.Unsupported},
		"the same whole":         {script.Account{Reactions: script.ReactionsWhole}, wire.What{Kind: script.KindReactions, Target: "left-2", Reactions: []string{"👍"}}, script.Already},
		"another whole":          {script.Account{Reactions: script.ReactionsWhole}, wire.What{Kind: script.KindReactions, Target: "left-2", Reactions: []string{"🎉"}}, ""},
		"a script's":             {script.Account{}, wire.What{Kind: script.KindJoined}, script.Unsupported},
		"reply to nothing":       {script.Account{}, wire.What{ReplyTo: "left-9"}, script.TargetGone},
		"reply":                  {script.Account{}, wire.What{ReplyTo: "left-1"}, ""},
		"reply by alias":         {script.Account{}, wire.What{ReplyTo: "alias:left-1"}, ""},
		"reply where none is":    {script.Account{Lacks: []script.Ability{script.CanReply}}, wire.What{ReplyTo: "left-1"}, script.Refused},
		"no thread":              {script.Account{}, wire.What{Thread: "left-9"}, script.TargetGone},
		"without reference":      {script.Account{References: true}, wire.What{ReplyTo: "left-1"}, script.TargetGone},
		"with reference":         {script.Account{References: true}, wire.What{ReplyTo: "reference:left-1"}, ""},
	} {
		inBubble(t, func(t *testing.T, w *world) {
			p := w.fresh("alice", "left")
			w.say("left", "Bob", "one")
			w.say("left", "Bob", "two")
			p.ask("left", "", "", wire.What{Kind: script.KindReact, Target: "left-2", Reaction: "👍"})
			p.frames()
			c.set.Name = "alice"
			w.do(script.Command{Account: &c.set})
			p.ask("left", "", "", c.what)
			var got string
			for _, l := range p.frames() {
				var n int
				var verdict string
				if k, _ := fmt.Sscanf(l, "answer %d %s", &n, &verdict); k == 2 {
					got = verdict
				}
			}
			if c.want == "" && (got == "left-1" || got == "left-2" || got == "left-3") {
				got = ""
			}
			if got != string(c.want) {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		})
	}
	for _, kind := range every {
		inBubble(t, func(t *testing.T, w *world) {
			p := w.fresh("alice", "left")
			p.send("left", "one", "")
			p.frames()
			w.do(script.Command{Account: &script.Account{Name: "alice", Lacks: []script.Ability{script.Ability(kind)}}})
			p.ask("left", "", "", wire.What{Kind: kind, Target: "left-1", Reaction: "👍"})
			p.want("answer 2 unsupported")
		})
	}
}

// Scripts act on whatever is there, and are told if it isn't; a fleeting thing is shown
// only to those who are there.
func TestActsOfScripts(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left")
		w.say("left", "Bob", "one")
		w.do(script.Command{Act: &script.Act{Channel: "left", Kind: script.KindEdit, ID: "left-1", Author: "Eve", Text: "uno"}},
			script.Command{Act: &script.Act{Channel: "left", Kind: script.KindTyping, Author: "Eve"}},
			script.Command{Act: &script.Act{Channel: "left", Kind: script.KindJoined, Users: []string{"Dan"}}},
			script.Command{Say: &script.Say{Channel: "left", Author: "Bob", Text: "one again", ID: "left-1"}})
		p.want("event 1 left-1 by Bob own:no one", "event 2 left-1 by Bob own:no uno as left edit-1", "event 3 by Eve own:no as left typing-2",
			"event 4 by stranger own:no as left joined-3", "event 5 left-1 by Bob own:no one again as left-1 again-4")
		if _, err := w.n.Act(&script.Act{Channel: "left", Kind: script.KindDelete, ID: "left-7"}); err == nil {
			t.Error("what isn't there was deleted")
		}
		again, _ := w.plug("alice", map[string]string{"left": p.cursor(1)}, "left")
		again.want("event 2 left-1 by Bob own:no uno as left edit-1", "event 4 by stranger own:no as left joined-3",
			"event 5 left-1 by Bob own:no one again as left-1 again-4", "caught up 5 left")
	})
}

// A channel that opens lets those in who asked for it.
func TestChannelOpens(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(script.Command{Channel: &script.Channel{Name: "left", State: script.StatePending}})
		p := w.fresh("alice", "left")
		w.say("left", "Bob", "unheard")
		w.do(script.Command{Act: &script.Act{Channel: "left", Kind: script.KindState, State: script.StateJoined}})
		w.say("left", "Bob", "heard")
		p.send("left", "hello", "")
		p.want("event 1 by stranger own:no as left state-1", "event 2 left-2 by Bob own:no heard", "answer 1 left-3", "event 3 left-3 by alice own:yes hello")
	})
}
