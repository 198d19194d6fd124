package plug

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// An edit brings new parts to where the old ones are; what is too few is put, what
// is left over is deleted, or emptied.
func TestEditOverParts(t *testing.T) {
	all := func(c *chat) Plug { return c }
	for name, c := range map[string]struct {
		plug  func(*chat) Plug
		ask   func(*plugv1.PutRequest)
		calls []string
		ids   []string
	}{
		"one to one":  {all, editTo("new", "m1"), []string{"edit " + op + " m1 new"}, []string{"m1"}},
		"one to many": {all, editTo("one two three four", "m1"), []string{"edit " + op + "-1 m1 one two", "put " + op + "-2 three four"}, []string{"m1", "m4"}},
		"many to one": {all, editTo("new", "m1", "m2", "m3"),
			[]string{"edit " + op + "-1 m1 new", "delete " + op + "-2 m2", "delete " + op + "-3 m3"}, []string{"m1"}},
		"many to one, without deletes": {func(c *chat) Plug { return noDeleter{c} }, editTo("new", "m1", "m2"),
			[]string{"edit " + op + "-1 m1 new", "edit " + op + "-2 m2 …"}, []string{"m1", "m2"}},
		"one is gone to be removed": {all, editTo("new", "m1", "m9"), []string{"edit " + op + "-1 m1 new", "delete " + op + "-2 m9"}, []string{"m1"}},
		"it is so already":          {all, editTo("old", "m1"), []string{"edit " + op + " m1 old"}, []string{"m1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plug := &chat{messages: []*posted{{"m1", "old"}, {"m2", "old"}, {"m3", "old"}}}
				d := limits(&plugv1.Limits{TextLength: 12})
				d.New = func() Plug { return c.plug(plug) }
				h := newHost(t, d)
				h.start()
				resp := h.put(t.Context(), c.ask)
				if calls := plug.called(); !slices.Equal(calls, c.calls) {
					t.Errorf("calls %q", calls)
				}
				if !slices.Equal(receiptIDs(resp), c.ids) || resp.GetFailure() != nil {
					t.Errorf("got %v", resp)
				}
				for _, p := range plug.parts {
					if PlainText(p.Content) != p.Text {
						t.Errorf("content %v of %q", p.Content, p.Text)
					}
				}
			})
		})
	}
}

// noDeleter is a chat that can't delete, nor do what needs no mention here.
type noDeleter struct{ chat *chat }

func (n noDeleter) Start(ctx context.Context, s *Session) (*Started, error) {
	return n.chat.Start(ctx, s)
}
func (n noDeleter) Stop(ctx context.Context) error { return n.chat.Stop(ctx) }
func (n noDeleter) Put(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
	return n.chat.Put(ctx, p)
}
func (n noDeleter) Edit(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
	return n.chat.Edit(ctx, p)
}

// If any part is gone the whole edit fails by it: the host posts the message anew.
func TestEditOfWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plug := &chat{messages: []*posted{{"m1", "old"}}}
		h := startChat(t, plug)
		resp := h.put(t.Context(), editTo("one two three four", "m1", "m9"))
		if resp.GetFailure().GetVerdict() != plugv1.Verdict_VERDICT_TARGET_GONE || !slices.Equal(receiptIDs(resp), []string{"m1"}) {
			t.Errorf("got %v", resp)
		}
		if f := h.put(t.Context(), editTo("x")).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_TARGET_GONE {
			t.Errorf("an edit of nothing: %v", f)
		}
	})
}

// The author's name is in front of an edited text too, and its place is the target's.
func TestEditedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plug := &chat{messages: []*posted{{"m1", "old"}}}
		h := startChat(t, plug)
		h.put(t.Context(), editTo("new", "m1"), func(req *plugv1.PutRequest) {
			req.Action.Author = &plugv1.Author{FormattedName: "bob: "}
			req.Action.GetEdit().Target.Receipts[0].Channel = "thread"
		})
		if p := plug.parts[0]; p.Text != "bob: new" || p.Channel != "thread" || p.Target.GetId() != "m1" || p.Action.GetEdit() == nil {
			t.Errorf("got %+v", p)
		}
	})
}
