package put_test

import (
	"testing"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// O4: the echo of an act has its own operation as origin, and not that of the message
// that it has to do with, also after a restart; the message stays what it is.
func TestOriginsOfActs(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		m, e, r, d := say("m", "ann", "one"), edit("m", "ann", "two"), react("m", "ann", "👍", true), remove("m")
		w.accept(m)
		w.want("say one")
		w.accept(e, r)
		w.want("edit 1 two", "add 👍 to 1 of 👍")
		w.accept(d)
		w.want("delete 1")
		check := func(when string) {
			t.Helper()
			for _, c := range []struct {
				what string
				of   *journalv1.Operation
				e    *plugv1.Event
			}{
				{"the message", m, &plugv1.Event{Kind: &plugv1.Event_Message{Message: text("one")}}},
				{"its edit", e, &plugv1.Event{Kind: &plugv1.Event_Edit{}}},
				{"a reaction to it", r, &plugv1.Event{Kind: &plugv1.Event_ReactionAdded{}}},
				{"its end", d, &plugv1.Event{Kind: &plugv1.Event_Delete{}}},
			} {
				c.e.Own, c.e.MessageId, c.e.OperationId = plugv1.Own_OWN_YES, "1", c.of.Id
				if o, err := w.stage.Origin(t.Context(), here, c.e); err != nil || o == nil || string(o.Operation) != c.of.Id || o.Source == nil || o.Source.ID != "m" {
					t.Errorf("%s: the echo of %s, %s, has the origin %+v, %v", when, c.what, c.of.Id, o, err)
				}
			}
			o, err := w.stage.Origin(t.Context(), here, &plugv1.Event{Own: plugv1.Own_OWN_YES, MessageId: "1", Kind: &plugv1.Event_Message{Message: text("two")}})
			if err != nil || o == nil || string(o.Operation) != m.Id {
				t.Errorf("%s: an echo without an operation's id has the origin %+v, %v", when, o, err)
			}
		}
		check("at once")
		w.restart()
		check("after a restart")
	})
}
