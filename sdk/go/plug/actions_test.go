package plug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// startChat starts a chat that takes 12 characters a message.
func startChat(t *testing.T, c *chat) *host {
	t.Helper()
	d := limits(&plugv1.Limits{TextLength: 12})
	d.New = func() Plug { return c }
	h := newHost(t, d)
	h.start()
	return h
}

const op = "0123456789abcdefghij"

// Each kind of action reaches the method that it is for, once, and is answered with
// what the method gave.
func TestEachKindOfAction(t *testing.T) {
	topic := "news"
	thumb := Emoji("👍")
	author := &plugv1.Author{FormattedName: "bob: "}
	for name, c := range map[string]struct {
		ask     func(*plugv1.PutRequest)
		calls   []string
		ids     []string
		verdict plugv1.Verdict
	}{
		"delete":                  {deleteOf("m1", "m2"), []string{"delete " + op + "-1 m1", "delete " + op + "-2 m2"}, nil, 0},
		"delete of a single part": {deleteOf("m9"), []string{"delete " + op + " m9"}, nil, 0}, // gone is done
		"delete of nothing":       {deleteOf(), nil, nil, plugv1.Verdict_VERDICT_TARGET_GONE},
		"reaction": {asking(&plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: thumb, Target: target("m1")}}}),
			[]string{"react " + op}, []string{"r1"}, 0},
		"reaction taken back": {asking(&plugv1.Action{Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: thumb, Target: target("m1")}}}),
			[]string{"react " + op}, nil, 0},
		"reaction to nothing": {asking(&plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: thumb}}}),
			nil, nil, plugv1.Verdict_VERDICT_TARGET_GONE},
		"topic": {asking(&plugv1.Action{Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Topic: &topic}}}),
			[]string{"change room"}, nil, 0},
		"topic as it is": {asking(&plugv1.Action{Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{}}}),
			[]string{"change room"}, nil, plugv1.Verdict_VERDICT_ALREADY},
		"typing": {asking(&plugv1.Action{Author: author, Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: true}}}),
			[]string{"typing room bob: true"}, nil, 0},
		"read": {asking(&plugv1.Action{Kind: &plugv1.Action_ReadMarker{ReadMarker: &plugv1.ReadMarker{Target: target("m1", "m2")}}}),
			[]string{"read room m2"}, nil, 0},
		"read nothing": {asking(&plugv1.Action{Kind: &plugv1.Action_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}}), nil, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plug := &chat{messages: []*posted{{"m1", "a"}, {"m2", "b"}}}
				h := startChat(t, plug)
				resp := h.put(t.Context(), c.ask)
				synctest.Wait()
				if calls := plug.called(); !slices.Equal(calls, c.calls) {
					t.Errorf("calls %q", calls)
				}
				if !slices.Equal(receiptIDs(resp), c.ids) || resp.GetFailure().GetVerdict() != c.verdict {
					t.Errorf("got %v", resp)
				}
			})
		})
	}
}

// What an action carries is given to the author.
func TestWhatAnActionCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plug := &chat{}
		h := startChat(t, plug)
		thumb, heart := Emoji("👍"), CustomEmoji("heart", "a heart")
		deadline := time.Now().Add(20 * time.Second)
		where := &plugv1.Target{Receipts: []*plugv1.Receipt{{Id: "m1", Channel: "thread"}}}
		author := &plugv1.Author{FormattedName: "bob: "}
		h.put(t.Context(), asking(&plugv1.Action{Author: author, Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{
			Reaction: thumb, Target: where, Current: []*plugv1.Reaction{heart}, Added: []*plugv1.Receipt{receipt("r1")},
		}}}), func(req *plugv1.PutRequest) { req.Deadline = timestamppb.New(deadline) })
		r := plug.reacted[0]
		if !r.Remove || r.Channel != "thread" || r.Target[0].GetId() != "m1" || r.Reaction.GetEmoji() != "👍" || !r.Deadline.Equal(deadline) ||
			r.Current[0].GetCustom() != "heart" || r.Added[0].GetId() != "r1" || r.Author.GetFormattedName() != "bob: " || r.OperationID != op {
			t.Errorf("got %+v", r)
		}
		h.put(t.Context(), asking(&plugv1.Action{Author: author, Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{Target: where, Reason: "spam"}}}))
		d := plug.deleted[0]
		if d.Channel != "thread" || d.Reason != "spam" || d.Author.GetFormattedName() != "bob: " || d.Deadline.Before(deadline) || d.OperationID != op {
			t.Errorf("got %+v", d)
		}
	})
}

// A reply and the author's thread, files and "/me" come with the parts.
func TestWhatAMessageCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plug := &chat{}
		h := startChat(t, plug)
		text := &plugv1.Text{Segments: []*plugv1.Segment{{Text: "one", Bold: true}, {Text: " two"}}}
		ask := func(text *plugv1.Text, attachments ...*plugv1.Attachment) []*Part {
			plug.parts = nil
			h.put(t.Context(), asking(&plugv1.Action{Thread: target("t1"), Author: &plugv1.Author{FormattedName: "bob: "},
				Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: text, Emote: true, ReplyTo: &plugv1.Reply{Target: target("m1", "m2")}, Attachments: attachments}}}))
			return plug.parts
		}
		parts := ask(text, file("a"), file("b"))
		if len(parts) != 1 || len(parts[0].Attachments) != 2 || PlainText(parts[0].Content) != "bob: one two" || !parts[0].Content.GetSegments()[1].GetBold() ||
			len(parts[0].ReplyTo) != 2 || parts[0].Thread[0].GetId() != "t1" || !parts[0].Emote || parts[0].OperationID != op {
			t.Errorf("got %+v", parts[0])
		}
		parts = ask(NewText("one two three four"), file("a"), file("b"))
		for i, p := range parts {
			if first := i == 0; (len(p.ReplyTo) == 2) != first || (len(p.Attachments) == 2) != first || !p.Emote || p.Thread[0].GetId() != "t1" ||
				PlainText(p.Content) != p.Text || p.Of != 3 {
				t.Errorf("part %d: %+v", i+1, p)
			}
		}
		// Only files: the author's name is all there is to say.
		if parts = ask(nil, file("a")); len(parts) != 1 || parts[0].Text != "bob: " || len(parts[0].Attachments) != 1 {
			t.Errorf("got %+v", parts)
		}
	})
}

func file(name string) *plugv1.Attachment {
	return &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: &plugv1.File{Name: name, Spool: &plugv1.SpoolFile{Name: name}}}}
}

// Where a message takes fewer files the rest goes with the parts that follow, in
// order; a message of nothing but files is one part with an empty text.
func TestFilesAreSpreadOverParts(t *testing.T) {
	place := &plugv1.Attachment{Kind: &plugv1.Attachment_Location{Location: &plugv1.Location{}}}
	for name, c := range map[string]struct {
		text        string
		attachments []*plugv1.Attachment
		limits      *plugv1.Limits
		want        []string // per part: its id's end, text and files
	}{
		"no limit":      {"", []*plugv1.Attachment{file("a"), file("b")}, nil, []string{" \"\" ab"}},
		"one each":      {"hi", []*plugv1.Attachment{file("a"), file("b"), file("c")}, &plugv1.Limits{Files: 1}, []string{"-1 \"hi\" a", "-2 \"\" b", "-3 \"\" c"}},
		"over texts":    {"one two", []*plugv1.Attachment{file("a"), file("b")}, &plugv1.Limits{Files: 1, TextLength: 3}, []string{"-1 \"one\" a", "-2 \"two\" b"}},
		"places":        {"hi", []*plugv1.Attachment{file("a"), place, file("b")}, &plugv1.Limits{Files: 1}, []string{"-1 \"hi\" a@", "-2 \"\" b"}},
		"unknown":       {"hi", []*plugv1.Attachment{{}, file("a")}, &plugv1.Limits{Files: 1}, []string{" \"hi\" a"}},
		"too many":      {"hi", []*plugv1.Attachment{file("a"), file("b"), file("c")}, &plugv1.Limits{Files: 1, Parts: 2}, []string{"-1 \"hi\" a", "-2 \"\" b"}},
		"none, no text": {"", nil, nil, []string{" \"\" "}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plug := &chat{}
				d := limits(c.limits)
				d.New = func() Plug { return plug }
				h := newHost(t, d)
				h.start()
				resp := h.put(t.Context(), asking(&plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: NewText(c.text), Attachments: c.attachments}}}))
				var got []string
				for _, p := range plug.parts {
					s := fmt.Sprintf("%s %q ", strings.TrimPrefix(p.OperationID, op), p.Text)
					for _, a := range p.Attachments {
						if s += a.GetFile().GetName(); a.GetLocation() != nil {
							s += "@"
						}
					}
					got = append(got, s)
				}
				if !slices.Equal(got, c.want) || len(resp.GetReceipts()) != len(c.want) {
					t.Errorf("got %q, %v", got, resp)
				}
			})
		})
	}
}

// What a plug does not implement, or its abilities leave out, is Unsupported and not
// called.
func TestUnsupportedActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) { return receipt("m"), nil })
		for _, ask := range []func(*plugv1.PutRequest){editTo("x", "m1"), deleteOf("m1"),
			asking(&plugv1.Action{Kind: &plugv1.Action_ReactionAdded{}}), asking(&plugv1.Action{Kind: &plugv1.Action_ReactionRemoved{}}),
			asking(&plugv1.Action{Kind: &plugv1.Action_ChannelChanged{}}), asking(&plugv1.Action{Kind: &plugv1.Action_Typing{}}),
			asking(&plugv1.Action{Kind: &plugv1.Action_ReadMarker{}})} {
			if f := h.put(t.Context(), ask).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNSUPPORTED {
				t.Errorf("got %v", f)
			}
		}
		plug := &chat{}
		plug.onStart = func(context.Context, *Session) (*Started, error) {
			return &Started{NetworkID: "fake", Abilities: &plugv1.Abilities{Actions: []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_MESSAGE}}}, nil
		}
		h = startChat(t, plug)
		if f := h.put(t.Context(), deleteOf("m1")).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNSUPPORTED || len(plug.called()) > 0 {
			t.Errorf("got %v", f)
		}
		h.put(t.Context())
		if len(plug.called()) != 1 {
			t.Error("the action that is left was not called")
		}
	})
}

// An account that claims what the plug can't do does not start.
func TestStartedCanNotClaimMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plug := putter{&fake{onStart: func(context.Context, *Session) (*Started, error) {
			return &Started{NetworkID: "fake", Abilities: &plugv1.Abilities{Actions: []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_EDIT}}}, nil
		}}}
		h := newHost(t, newOf(plug))
		if _, err := h.client.Start(t.Context(), &plugv1.StartRequest{}); err == nil || !strings.Contains(err.Error(), "ACTION_KIND_EDIT") {
			t.Errorf("got %v", err)
		}
	})
}

// A plug that splits for itself gets every kind, and needs a receipt only for what
// makes a message.
func TestPutWholeOfEveryKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []*Whole
		h := newHost(t, newOf(wholePutter{&fake{onPutWhole: func(_ context.Context, w *Whole) ([]*plugv1.Receipt, error) {
			got = append(got, w)
			if w.Action.GetReactionAdded() != nil {
				return nil, Unsupported(nil)
			}
			return nil, nil
		}}}))
		h.start()
		for i, c := range []struct {
			ask     func(*plugv1.PutRequest)
			text    string
			verdict plugv1.Verdict
		}{
			{editTo("x", "m1"), "x", plugv1.Verdict_VERDICT_UNCERTAIN},
			{deleteOf("m1"), "", 0},
			{asking(&plugv1.Action{Author: &plugv1.Author{FormattedName: "bob: "}, Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{}}}), "", plugv1.Verdict_VERDICT_UNSUPPORTED},
			{asking(&plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{}}}), "", 0},
		} {
			f := h.put(t.Context(), c.ask).GetFailure()
			synctest.Wait()
			if f.GetVerdict() != c.verdict || len(got) != i+1 || got[i].Text != c.text {
				t.Errorf("%d: %v, %d calls", i, f, len(got))
			}
		}
	})
}

// Inside one Put the parts go at the network's rate; those that would come after
// the deadline are the host's to try again, with the time to wait.
func TestPartsAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		d := limits(&plugv1.Limits{TextLength: 10, ChannelRate: &plugv1.Rate{PerSecond: 0.125, Burst: 2}})
		h := startPutter(t, d, func(_ context.Context, p *Part) (*plugv1.Receipt, error) {
			at = append(at, time.Since(began))
			return receipt(fmt.Sprint("m", p.Number)), nil
		})
		long := withText("one two three four five six")
		resp := h.put(t.Context(), long)
		f := resp.GetFailure()
		if f.GetVerdict() != plugv1.Verdict_VERDICT_RATE_LIMITED || f.GetRetryAfter().AsDuration() != 8*time.Second || len(resp.GetReceipts()) != 5 {
			t.Errorf("got %v", resp)
		}
		if want := []time.Duration{0, 0, 8 * time.Second, 16 * time.Second, 24 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("parts went after %v", at)
		}
		time.Sleep(f.GetRetryAfter().AsDuration())
		if resp := h.put(t.Context(), long, sent(resp.GetReceipts()...)); len(resp.GetReceipts()) != 6 || resp.GetFailure() != nil || len(at) != 6 {
			t.Errorf("got %v", resp)
		}
	})
}

// However often calls fail and attempts are repeated, a message ends as the parts of
// its last text, none of them twice, and a delete leaves nothing.
func TestActionsAreCompletedAndNotRepeated(t *testing.T) {
	texts := []string{"a", "one two three four", "one two", "x y z one two three four five six seven"}
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			plug := &chat{}
			faults := 0
			plug.fail = func(string) error {
				if faults < 20 && rapid.Bool().Draw(rt, "fault") {
					faults++
					return NotSent(errors.New("not connected"))
				}
				return nil
			}
			h := startChat(t, plug)
			attempts := func(ask func(*plugv1.PutRequest)) []*plugv1.Receipt {
				var done []*plugv1.Receipt
				for {
					resp := h.put(t.Context(), ask, sent(done...))
					done = resp.GetReceipts()
					if resp.GetFailure() == nil {
						return done
					}
				}
			}
			ids := func(receipts []*plugv1.Receipt) []string {
				return receiptIDs(&plugv1.PutResponse{Receipts: receipts})
			}
			put := rapid.SampledFrom(texts).Draw(rt, "text")
			stands := ids(attempts(asking(&plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: NewText(put)}}})))
			expect := func(text string) {
				if got := plug.texts(); strings.Join(got, " ") != text || len(stands) != len(got) {
					rt.Fatalf("on the network: %q, receipts %v, wanted %q", got, stands, text)
				}
			}
			expect(put)
			for _, text := range rapid.SliceOfN(rapid.SampledFrom(texts), 0, 4).Draw(rt, "edits") {
				stands = ids(attempts(editTo(text, stands...)))
				expect(text)
			}
			attempts(deleteOf(stands...))
			stands = nil
			expect("")
		})
	})
}
