package simplug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
	"github.com/plughost/plughost/sdk/go/plug"
)

// heardEvents is what came on the stream, whole.
func heardEvents(h *host) []*plugv1.Event {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

// inWords says what an event is.
func inWords(e *plugv1.Event) string {
	s := fmt.Sprintf("%s %s", e.MessageId, strings.TrimPrefix(e.Own.String(), "OWN_"))
	if e.Actor != nil {
		s += " by " + e.Actor.Id
	}
	if e.Author != nil {
		s += " of " + e.Author.Id
	}
	switch k := e.Kind.(type) {
	case *plugv1.Event_Message:
		s += fmt.Sprintf(": %q to %s in %s", plug.PlainText(k.Message.Text), k.Message.ReplyTo.GetMessageId(), e.Thread)
	case *plugv1.Event_Edit:
		s += fmt.Sprintf(": edit %q %s %v", plug.PlainText(k.Edit.Content.Text), k.Edit.Revision, k.Edit.Moderation)
	case *plugv1.Event_Delete:
		s += ": delete " + k.Delete.Reason
	case *plugv1.Event_ReactionAdded:
		s += ": add " + feeling(k.ReactionAdded.Reaction) + " " + k.ReactionAdded.ReactionId
	case *plugv1.Event_ReactionRemoved:
		s += ": remove " + feeling(k.ReactionRemoved.Reaction) + " " + k.ReactionRemoved.ReactionId
	case *plugv1.Event_ReactionsSet:
		s += ": set"
		for _, r := range k.ReactionsSet.Reactions {
			s += " " + feeling(r)
		}
	default:
		s += fmt.Sprintf(": %T", e.Kind)
	}
	return s
}

func feeling(r *plugv1.Reaction) string {
	if r.GetCustom() != "" {
		return "custom " + r.GetCustom()
	}
	return r.GetEmoji()
}

// What happens is told as the account has it told.
func TestEventsOfEveryKind(t *testing.T) {
	title := "a title"
	acts := []simnettest.Act{
		{Kind: simnettest.KindEdit, ID: "left-1", Author: "Eve", Text: "uno", Moderation: true},
		{Kind: simnettest.KindReact, ID: "left-1", Author: "Ann", Reaction: "👍"},
		{Kind: simnettest.KindReact, ID: "left-1", Author: "Ann", Reaction: "parrot"},
		{Kind: simnettest.KindUnreact, ID: "left-1", Author: "Ann", Reaction: "👍"},
		{Kind: simnettest.KindDelete, ID: "left-1", Author: "Bob", Text: "typo"},
		{Kind: simnettest.KindTyping, Author: "Bob"}, {Kind: simnettest.KindRead, ID: "left-2", Author: "Bob"},
		{Kind: simnettest.KindJoined, Users: []string{"Dan"}}, {Kind: simnettest.KindLeft, Users: []string{"Dan"}},
		{Kind: simnettest.KindChange, Title: &title}, {Kind: simnettest.KindState, State: simnettest.StateReadOnly},
		{Kind: simnettest.KindMigrate, To: "elsewhere"},
	}
	messages := []string{`left-1 NO of Bob: "one" to  in `, `left-2 NO of Bob: "two" to left-1 in left-1`}
	changes := []string{"left-1 NO by Eve of Bob: edit \"uno\" 1 true", "left-1 NO by Ann of Bob: add 👍 ", "left-1 NO by Ann of Bob: add custom parrot ",
		"left-1 NO by Ann of Bob: remove 👍 ", "left-1 NO by Bob of Bob: delete typo"}
	rest := []string{" NO by Bob: *plugv1.Event_Typing", "left-2 NO by Bob: *plugv1.Event_ReadMarker", " NO: *plugv1.Event_MembersJoined",
		" NO: *plugv1.Event_MembersLeft", " NO: *plugv1.Event_ChannelChanged", " NO: *plugv1.Event_ChannelStateChanged", " NO: *plugv1.Event_ChannelMigrated"}
	for name, c := range map[string]struct {
		set      simnettest.Account
		messages []string
		changes  []string
	}{
		"as they are": {simnettest.Account{}, messages, changes},
		"by id": {simnettest.Account{Reactions: simnettest.ReactionsByID}, messages, []string{changes[0],
			"left-1 NO by Ann of Bob: add 👍 left react-2", "left-1 NO by Ann of Bob: add custom parrot left react-3", " NO by Ann of Bob: remove  left react-2", changes[4]}},
		"whole": {simnettest.Account{Reactions: simnettest.ReactionsWhole}, messages, []string{changes[0],
			"left-1 NO by Ann of Bob: set 👍", "left-1 NO by Ann of Bob: set 👍 custom parrot", "left-1 NO by Ann of Bob: set custom parrot", changes[4]}},
		"aliases": {simnettest.Account{Aliases: true, References: true},
			[]string{messages[0], strings.ReplaceAll(messages[1], " left-1", " alias:left-1")},
			func() (list []string) {
				for _, l := range changes {
					list = append(list, "alias:"+l)
				}
				return list
			}()},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				h := newHost(t, n)
				h.start("left")
				h.open(nil)
				h.want("caught up left")
				do(t, n, simnettest.Command{Say: &simnettest.Say{Channel: "left", Author: "Bob", Text: "one"}},
					simnettest.Command{Say: &simnettest.Say{Channel: "left", Author: "Bob", Text: "two", ReplyTo: "left-1", Thread: "left-1"}})
				for _, a := range acts {
					a.Channel = "left"
					do(t, n, simnettest.Command{Act: &a})
				}
				var got []string
				for _, e := range heardEvents(h) {
					got = append(got, inWords(e))
					if m := e.GetMessage(); m != nil && (len(e.Aliases) > 0) != c.set.Aliases || m == nil && len(e.Reference) > 0 {
						t.Errorf("%s has the aliases %q, the reference %q", got[len(got)-1], e.Aliases, e.Reference)
					}
				}
				wanted := append(append(append([]string{}, c.messages...), c.changes...), rest...)
				if name == "aliases" {
					wanted[8] = "alias:" + wanted[8]
				}
				// What can't be kept comes when there is room for it: in no order with the rest.
				want(t, sorted(got), sorted(wanted)...)
			}, account(c.set))
		})
	}
}

// What is asked for is done by the names that the account has for messages, in the way
// in which the network takes it.
func TestActionsOfEveryKind(t *testing.T) {
	for name, set := range map[string]simnettest.Account{
		"as it is": {}, "by id": {Reactions: simnettest.ReactionsByID}, "whole": {Reactions: simnettest.ReactionsWhole},
		"named": {Aliases: true, References: true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				h := newHost(t, n)
				h.start("left")
				h.open(nil)
				put := func(a *plugv1.Action) []*plugv1.Receipt {
					t.Helper()
					ctx, cancel := context.WithTimeout(t.Context(), putTimeout)
					defer cancel()
					a.Author = &plugv1.Author{FormattedName: "Ann"}
					reply, err := h.client.Put(ctx, &plugv1.PutRequest{OperationId: fmt.Sprint(time.Now().UnixNano()), Channel: "left",
						Attempt: 1, FirstAttemptTime: timestamppb.Now(), Deadline: timestamppb.New(time.Now().Add(putTimeout)), Action: a})
					if err != nil || reply.Failure != nil {
						t.Fatalf("%v, %v", err, reply.GetFailure())
					}
					time.Sleep(time.Millisecond) // another operation id
					return reply.Receipts
				}
				rich := &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "one", Bold: true}}}}
				one := put(&plugv1.Action{Kind: &plugv1.Action_Message{Message: rich}})
				two := put(&plugv1.Action{Thread: &plugv1.Target{Receipts: one}, Kind: &plugv1.Action_Message{Message: &plugv1.Message{
					Text: plug.NewText("two"), ReplyTo: &plugv1.Reply{Target: &plugv1.Target{Receipts: one}}}}})
				edited := put(&plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Target: &plugv1.Target{Receipts: one},
					Content: &plugv1.Message{Text: plug.NewText("uno")}}}})
				if len(edited) != 1 || edited[0].Revision != "1" || edited[0].Id != "left-1" || len(edited[0].Aliases) != len(one[0].Aliases) {
					t.Errorf("the edit's receipts are %v", edited)
				}
				thumb, party := plug.Emoji("👍"), plug.Emoji("🎉")
				added := put(&plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{
					Target: &plugv1.Target{Receipts: two}, Reaction: thumb, Current: []*plugv1.Reaction{thumb}}}})
				put(&plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{
					Target: &plugv1.Target{Receipts: two}, Reaction: party, Current: []*plugv1.Reaction{thumb, party}}}})
				put(&plugv1.Action{Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{
					Target: &plugv1.Target{Receipts: two}, Reaction: thumb, Current: []*plugv1.Reaction{party}, Added: added}}})
				put(&plugv1.Action{Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Title: proto.String("t")}}})
				put(&plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: true}}})
				put(&plugv1.Action{Kind: &plugv1.Action_ReadMarker{ReadMarker: &plugv1.ReadMarker{Target: &plugv1.Target{Receipts: two}}}})
				synctest.Wait()
				ledger, err := n.Ledger(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				board := simnettest.Standing(ledger, "left")
				want(t, simnettest.Lines(board), "Ann: uno (edited)", `Ann: two > "uno" # "uno" [🎉 alice]`)
				var m struct {
					Text struct{ Segments []struct{ Bold bool } }
				}
				for _, e := range ledger {
					if e.Kind == simnettest.Accepted && e.ID == "left-1" {
						if err := json.Unmarshal(e.Rich, &m); err != nil || !m.Text.Segments[0].Bold {
							t.Errorf("%s: %v", e.Rich, err)
						}
					}
				}
				put(&plugv1.Action{Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{Target: &plugv1.Target{Receipts: one}}}})
				var rest []string
				if ledger, err = n.Ledger(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, e := range ledger {
					switch e.Kind {
					case simnettest.Deleted, simnettest.Changed, simnettest.Typed, simnettest.Seen:
						rest = append(rest, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.ID, e.Detail)))
					}
				}
				want(t, rest, "changed  t /", "typed  begun", "seen left-2", "deleted left-1")
			}, account(set))
		})
	}
}
