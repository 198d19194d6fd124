package network_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

// D1: what was said while the plug was down comes after the stored cursor, once,
// and so does an echo that was late.
func TestStrangersGoOnWhileThePlugIsDown(t *testing.T) {
	for _, scope := range []script.CursorScope{script.CursorChannel, script.CursorAccount} {
		t.Run(string(scope), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.do(account(script.Account{Name: "alice", CursorScope: scope}),
					script.Command{Hold: &script.Hold{Channel: "left", Stage: script.StageEchoes}})
				p := w.fresh("alice", "left", "right")
				w.say("left", "Bob", "one")
				w.say("right", "Bob", "two")
				p.send("left", "mine", "op")
				p.want("event 1 left-1 by Bob own:no one", "event 2 right-1 by Bob own:no two", "answer 1 left-2")
				p.s.Close(errors.New("killed"))

				w.say("left", "Bob", "three")
				w.do(script.Command{Release: &script.Release{Channel: "left", Stage: script.StageEchoes}})
				w.say("right", "Bob", "four")

				cursors := map[string]string{"left": p.cursor(1), "right": p.cursor(2)}
				caughtUp := []string{"caught up 5 left", "caught up 5 right"}
				if scope == script.CursorAccount {
					cursors, caughtUp = map[string]string{"": p.cursor(2)}, []string{"caught up 5"}
				}
				again, reply := w.plug("alice", cursors, "left", "right")
				if len(reply.Refused) > 0 {
					t.Fatal(reply.Refused)
				}
				again.want(append([]string{
					"event 3 left-3 by Bob own:no three",
					"event 4 left-2 by alice own:yes op mine",
					"event 5 right-2 by Bob own:no four",
				}, caughtUp...)...)
			})
		})
	}
}

func TestChannelsResumeEachAtItsOwnCursor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left", "right", "new")
		w.say("left", "Bob", "one")
		w.say("right", "Bob", "two")
		w.say("left", "Bob", "three")
		w.say("new", "Bob", "old")
		p.s.Close(errors.New("killed"))
		again, _ := w.plug("alice", map[string]string{"left": p.cursor(1), "right": p.cursor(0)}, "left", "right", "new")
		w.say("new", "Bob", "fresh")
		// A channel without a cursor begins now: the old message of it stays away.
		again.want("event 2 right-1 by Bob own:no two", "event 3 left-2 by Bob own:no three",
			"caught up 4 left", "caught up 4 new", "caught up 4 right", "event 5 new-2 by Bob own:no fresh")
	})
}

func TestCursorsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		set     script.Account
		cursor  func(p *plug) string
		forget  bool
		says    int
		because string
	}{
		"refused":       {set: script.Account{Resume: script.ResumeRefused}, because: "unknown cursor"},
		"no":            {set: script.Account{Resume: script.ResumeNo}, because: "nothing to resume"},
		"forgotten":     {forget: true, because: "unknown cursor"},
		"expired":       {set: script.Account{Keep: 4}, says: 20, because: "expired"},
		"other network": {cursor: func(*plug) string { return "ABCDEFGH.1" }, because: "another epoch"},
		"future":        {cursor: func(p *plug) string { return p.cursor(99) }, because: "future"},
		"garbage":       {cursor: func(*plug) string { return "\x00" }, because: "another epoch"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c.set.Name = "alice"
				w.do(account(c.set))
				p := w.fresh("alice", "left")
				w.say("left", "Bob", "one")
				p.s.Close(errors.New("killed"))
				for range c.says {
					w.say("left", "Bob", "more")
				}
				if c.forget {
					w.do(script.Command{Forget: &script.Forget{Account: "alice"}})
				}
				cursor := p.cursor(1)
				if c.cursor != nil {
					cursor = c.cursor(p)
				}
				again, reply := w.plug("alice", map[string]string{"left": cursor}, "left")
				if !strings.Contains(reply.Refused["left"], c.because) {
					t.Fatalf("refused %q, want it to say %q", reply.Refused, c.because)
				}
				w.say("left", "Bob", "now")
				frames := again.frames()
				if len(frames) != 2 || !strings.HasSuffix(frames[1], "now") {
					t.Fatalf("it does not go on from now: %q", frames)
				}
				if lines := w.ledger(ledger.Subscribed); !strings.Contains(lines[1], c.because) {
					t.Fatalf("the ledger does not have the refusal: %q", lines)
				}
			})
		})
	}
}

// After Forget, cursors that are given from then on are good.
func TestForgottenOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left")
		w.do(script.Command{Forget: &script.Forget{Account: "alice"}})
		p.want("cursor 1")
		_, reply := w.plug("alice", map[string]string{"left": p.cursor(1)}, "left")
		if len(reply.Refused) > 0 {
			t.Fatal(reply.Refused)
		}
	})
}

func TestMarksMoveTheCursorWithoutAnEvent(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left", "right")
		w.do(script.Command{Mark: &script.Mark{Account: "alice", Channel: "left"}},
			script.Command{Mark: &script.Mark{Account: "alice"}},
			script.Command{Mark: &script.Mark{Account: "alice", Channel: "elsewhere"}})
		p.want("cursor 1 left", "cursor 2")
		w.say("left", "Bob", "hi")
		p.want("event 4 left-1 by Bob own:no hi")
	})
}
