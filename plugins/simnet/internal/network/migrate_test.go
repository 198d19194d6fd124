package network_test

import (
	"errors"
	"testing"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// After a channel has gone on as another, what stands in it can be changed, also by a plug
// that is there since and has asked for the other only; nothing more is said in it.
func TestChangedAfterAMigration(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", Echo: script.EchoNone}))
		p := w.fresh("alice", "left")
		p.send("left", "one", "op1")
		p.want("answer 1 left-1")
		w.do(script.Command{Act: &script.Act{Channel: "left", Kind: script.KindMigrate, To: "right", Follow: true}})
		edit := func(p *plug, text string) {
			p.last++
			p.handle(&wire.Send{ID: p.last, Channel: "left", Text: text, What: &wire.What{Kind: script.KindEdit, Target: "left-1"}})
		}
		p.frames()
		edit(p, "two")
		p.want("answer 2 left-1")
		again := w.fresh("alice", "right")
		edit(again, "three")
		again.want("answer 1 left-1")
		again.send("left", "four", "op2")
		again.want("answer 2 not_sent")
		again.send("right", "five", "op3")
		again.want("answer 3 right-1")
		stranger := w.fresh("bob", "right")
		edit(stranger, "six")
		stranger.want("answer 1 not_sent")
	})
}

// A login to a channel that has gone on as another is told so by the word of it; where
// nothing of before is shown, by the name in the answer.
func TestLoginAfterAMigration(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice"}), account(script.Account{Name: "bob", Resume: script.ResumeNo}))
		names := map[string]string{"alice": "left", "bob": "far"}
		for name := range names {
			w.fresh(name, "left").s.Close(errors.New("killed"))
		}
		for _, way := range [][2]string{{"left", "right"}, {"right", "far"}} {
			w.do(script.Command{Act: &script.Act{Channel: way[0], Kind: script.KindMigrate, To: way[1], Follow: true}})
		}
		for name, want := range names {
			if c := w.connect(name, "left").login.Channels[0]; c.Requested != "left" || c.Name != want {
				t.Errorf("%s asked for left and is told %+v, want the name %q", name, c, want)
			}
		}
	})
}
