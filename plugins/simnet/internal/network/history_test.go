package network_test

import (
	"slices"
	"testing"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// An account with a history lists what stands in a channel, page by page, and finds the
// parts of its own operations and nobody else's.
func TestHistory(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(script.Command{Account: &script.Account{Name: "alice", History: true, Echo: script.EchoNone}},
			script.Command{Account: &script.Account{Name: "bob", History: true}})
		p, other := w.fresh("alice", "c"), w.fresh("bob", "c")
		for _, text := range []string{"one", "two", "three", "four", "five"} {
			w.say("c", "ann", text)
		}
		w.say("d", "ann", "elsewhere")
		w.do(script.Command{Act: &script.Act{Channel: "c", Kind: script.KindDelete, ID: "c-2"}},
			script.Command{Act: &script.Act{Channel: "c", Kind: script.KindEdit, ID: "c-4", Text: "vier"}})
		for page, want := range map[string][]string{"": {"vier", "five"}, "c-4": {"one", "three"}, "c-1": nil} {
			reply, err := p.s.List(&wire.List{Channel: "c", Before: page, Limit: 2})
			if err != nil || reply.Unknown || !slices.Equal(texts(reply.Events), want) {
				t.Errorf("before %q: %v, %v, want %v", page, texts(reply.Events), err, want)
			}
		}
		if reply, err := p.s.List(&wire.List{Channel: "c", Before: "c-99", Limit: 2}); err != nil || !reply.Unknown {
			t.Errorf("before what is not there: %v, %v", reply, err)
		}
		p.handle(&wire.Send{ID: 1, Channel: "c", OperationID: "op-1", Text: "half"})
		p.handle(&wire.Send{ID: 2, Channel: "c", OperationID: "op-2", Text: "the rest"})
		p.handle(&wire.Send{ID: 3, Channel: "c", OperationID: "op2", Text: "another"})
		other.handle(&wire.Send{ID: 4, Channel: "c", OperationID: "op", Text: "bob's"})
		for name, want := range map[string][]string{"op": {"half", "the rest"}, "op2": {"another"}, "op3": nil} {
			reply, err := p.s.Find(&wire.Find{Channel: "c", OperationID: name})
			if err != nil || !slices.Equal(texts(reply.Events), want) {
				t.Errorf("operation %s made %v, %v, want %v", name, texts(reply.Events), err, want)
			}
		}
	})
}

func texts(events []*wire.Event) (list []string) {
	for _, e := range events {
		list = append(list, e.Text)
	}
	return list
}
