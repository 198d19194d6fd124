package api_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const botChannel = "bot/bot-a"

func edit(text string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: api.PlainText(text).GetMessage()}}}
}

func deletion() *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{}}}
}

func emoji(e string) *plugv1.Reaction {
	return &plugv1.Reaction{Key: &plugv1.Reaction_Emoji{Emoji: e}}
}

func reactionAdded(e string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{Reaction: emoji(e)}}}
}

func reactionRemoved(e string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_ReactionRemoved{ReactionRemoved: &plugv1.ReactionRemoved{Reaction: emoji(e)}}}
}

func title(t string) *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{Title: &t}}}
}

func typing() *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: true}}}
}

func readMarker() *plugv1.Action {
	return &plugv1.Action{Kind: &plugv1.Action_ReadMarker{ReadMarker: &plugv1.ReadMarker{}}}
}

func message(id string) *hostv1.MessageRef {
	return &hostv1.MessageRef{Channel: botChannel, MessageId: id}
}

func operation(op *hostv1.Operation) *hostv1.MessageRef {
	return &hostv1.MessageRef{OperationId: op.OperationId}
}

// shown is what a channel shows now, a line a message.
func (l *live) shown(channel string) string {
	l.t.Helper()
	return strings.Join(simnettest.Lines(simnettest.Standing(l.ledger(), channel)), "\n")
}

// has tells whether the ledger has an entry of a kind in the bot's channel.
func (l *live) has(kind simnettest.Kind, what func(simnettest.Entry) bool) bool {
	l.t.Helper()
	return slices.ContainsFunc(l.ledger(), func(e simnettest.Entry) bool { return e.Kind == kind && e.Channel == "bot-a" && what(e) })
}

// Everything that a network can do is done by the API: the network's ledger has it,
// the answer has what represents it there, and a subscriber is told the outcome before
// the echo (O1).
func TestVocabulary(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	l.do(simnettest.Command{Channel: &simnettest.Channel{Name: "bot-a", Echo: simnettest.Before, EchoDelay: simnettest.Duration(time.Millisecond), AnswerDelay: simnettest.Duration(5 * time.Millisecond)}})
	s := l.subscribe(&hostv1.SubscribeRequest{Channels: []string{botChannel}})
	l.say("bot-a", "hi")
	said := s.next().GetDelivery().Event.MessageId

	var first, second *hostv1.Operation
	for _, step := range []struct {
		what     string
		request  func() *hostv1.SendRequest
		receipts int
		shown    string
	}{
		{"a message", func() *hostv1.SendRequest { return &hostv1.SendRequest{Text: "one"} }, 1, "ann: hi\nbot: one"},
		{"a reply to somebody", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Text: "two", ReplyTo: message(said)}
		}, 1, "ann: hi\nbot: one\nbot: two > \"hi\""},
		{"a reply to our own, by its operation", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Text: "three", ReplyTo: operation(first)}
		}, 1, "ann: hi\nbot: one\nbot: two > \"hi\"\nbot: three > \"one\""},
		{"a message in a thread", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Text: "four", Thread: message(said)}
		}, 1, "ann: hi\nbot: one\nbot: two > \"hi\"\nbot: three > \"one\"\nbot: four # \"hi\""},
		{"an edit, by the id", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Action: edit("uno"), Target: message(first.Receipts[0].Id)}
		}, 1, "ann: hi\nbot: uno (edited)\nbot: two > \"hi\"\nbot: three > \"uno\"\nbot: four # \"hi\""},
		{"an edit, by the operation", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Action: edit("due"), Target: operation(second)}
		}, 1, "ann: hi\nbot: uno (edited)\nbot: due (edited) > \"hi\"\nbot: three > \"uno\"\nbot: four # \"hi\""},
		{"a reaction", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Action: reactionAdded("👍"), Target: message(said)}
		}, 1, "ann: hi [👍 bot]\nbot: uno (edited)\nbot: due (edited) > \"hi\"\nbot: three > \"uno\"\nbot: four # \"hi\""},
		{"no more of it", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Action: reactionRemoved("👍"), Target: message(said)}
		}, 0, "ann: hi\nbot: uno (edited)\nbot: due (edited) > \"hi\"\nbot: three > \"uno\"\nbot: four # \"hi\""},
		{"a delete", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Action: deletion(), Target: operation(second)}
		}, 0, "ann: hi\nbot: uno (edited)\nbot: three > \"uno\"\nbot: four # \"hi\""},
		{"a title", func() *hostv1.SendRequest {
			return &hostv1.SendRequest{Action: title("The bot's room")}
		}, 0, "ann: hi\nbot: uno (edited)\nbot: three > \"uno\"\nbot: four # \"hi\""},
	} {
		r := step.request()
		r.Channel, r.Wait = botChannel, true
		op := l.send(r)
		if op.State != hostv1.OperationState_OPERATION_STATE_SENT || len(op.Receipts) != step.receipts || op.Attempts != 1 {
			t.Fatalf("%s: %v", step.what, op)
		}
		if got := l.shown("bot-a"); got != step.shown {
			t.Errorf("%s: the channel shows\n%s\nwant\n%s", step.what, got, step.shown)
		}
		if got := brief(s.next()); got != "settled "+op.OperationId+" sent" {
			t.Fatalf("%s: first came %s", step.what, got)
		}
		if echo := s.next().GetDelivery(); !echo.GetOurs() || echo.Origin.GetOperationId() != op.OperationId && echo.Event.GetChannelChanged() == nil {
			t.Fatalf("%s: then came %v", step.what, echo)
		}
		if first == nil {
			first = op
		} else if second == nil {
			second = op
		}
	}
	// What others do to our message is about the operation that made it, also after an
	// edit.
	l.do(simnettest.Command{Say: &simnettest.Say{Channel: "bot-a", Author: "ann", Text: "really?", ReplyTo: first.Receipts[0].Id}})
	if about := s.next().GetDelivery().GetAbout(); about.GetOperationId() != first.OperationId {
		t.Errorf("an answer to %s is about %v", first.OperationId, about)
	}
	if !l.has(simnettest.Changed, func(e simnettest.Entry) bool { return strings.Contains(e.Detail, "The bot's room") }) {
		t.Errorf("the channel's title is not changed: %v", l.ledger())
	}
}

// What is shown at once or never has no operation: it is in the network's ledger, and
// no subscriber is told of it.
func TestBestEffort(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	s := l.subscribe(&hostv1.SubscribeRequest{Channels: []string{botChannel}})
	l.say("bot-a", "hi")
	said := s.next().GetDelivery().Event.MessageId
	for _, r := range []*hostv1.SendRequest{{Action: typing()}, {Action: readMarker(), Target: message(said)}} {
		r.Channel, r.Wait = botChannel, true
		if op := l.send(r); op.OperationId != "" || op.State != hostv1.OperationState_OPERATION_STATE_UNSPECIFIED {
			t.Errorf("%v has the operation %v", r.Action, op)
		}
	}
	l.until("it is shown that we write", func() bool {
		return l.has(simnettest.Typed, func(e simnettest.Entry) bool { return e.Account == "bot" })
	})
	l.until("it is shown that we have read", func() bool {
		return l.has(simnettest.Seen, func(e simnettest.Entry) bool { return e.Account == "bot" && e.ID == said })
	})
	op := l.send(&hostv1.SendRequest{Channel: botChannel, Text: "read it", Wait: true})
	if got := brief(s.next()); got != "settled "+op.OperationId+" sent" {
		t.Errorf("what comes next is %s", got)
	}
}

// A file goes over and arrives, on a network without files in words.
func TestFileArrives(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	c := api.NewClient(l.dir)
	t.Cleanup(c.Close)
	file, err := c.Upload(l.ctx(), bytes.NewReader(make([]byte, 210_000)))
	if err != nil {
		t.Fatal(err)
	}
	op := l.send(&hostv1.SendRequest{Channel: botChannel, Text: "look", Wait: true,
		Files: []*hostv1.SendFile{{Sha256: file.Sha256, Name: "cat.png", MediaType: "image/png"}}})
	if op.State != hostv1.OperationState_OPERATION_STATE_SENT || len(op.Receipts) != 1 {
		t.Errorf("sent %v", op)
	}
	if got := l.accepted("bot-a"); len(got) != 1 || got[0] != "look\n[image cat.png, 210 kB]" {
		t.Errorf("the network took %q", got)
	}
}

// What can't be carried out says so in its operation, and holds back nothing.
func TestRefusals(t *testing.T) {
	l := newLive(t, simnettest.Account{Lacks: []simnettest.Ability{simnettest.CanEdit, simnettest.CanReact}}, host.Options{}, "a")
	l.say("bot-a", "hi")
	mine := l.send(&hostv1.SendRequest{Channel: botChannel, Text: "mine", Wait: true})
	yesterday := timestamppb.New(time.Now().Add(-24 * time.Hour))
	for _, c := range []struct {
		what    string
		request *hostv1.SendRequest
		state   hostv1.OperationState
		reason  string
	}{
		{"a delete of what is gone", &hostv1.SendRequest{Action: deletion(), Target: message("nonsense")}, hostv1.OperationState_OPERATION_STATE_SENT, ""},
		{"an edit of what is not ours", &hostv1.SendRequest{Action: edit("x"), Target: message("nonsense")}, hostv1.OperationState_OPERATION_STATE_PARKED, "no copy of the edited message"},
		{"an edit where there are none", &hostv1.SendRequest{Action: edit("x"), Target: operation(mine)}, hostv1.OperationState_OPERATION_STATE_PARKED, "the network can't do this"},
		{"a reaction where there are none", &hostv1.SendRequest{Action: reactionAdded("👍"), Target: operation(mine)}, hostv1.OperationState_OPERATION_STATE_EXPIRED, "the network can't do this"},
		{"one that is too late", &hostv1.SendRequest{Action: deletion(), Target: operation(mine), Expiry: yesterday}, hostv1.OperationState_OPERATION_STATE_EXPIRED, "at the latest"},
	} {
		c.request.Channel, c.request.Wait = botChannel, true
		op := l.send(c.request)
		if op.State != c.state || !strings.Contains(op.Reason, c.reason) || len(op.Receipts) != 0 {
			t.Errorf("%s: %v, want %v: %s", c.what, op, c.state, c.reason)
		}
	}
	if got := l.shown("bot-a"); got != "ann: hi\nbot: mine" {
		t.Errorf("the channel shows\n%s", got)
	}
}

// What is asked for wrongly is refused before it is accepted, in words that say what to
// do.
func TestWrongVocabulary(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	large := edit(strings.Repeat("x", 300<<10))
	for _, c := range []struct {
		request *hostv1.SendRequest
		code    connect.Code
		says    string
	}{
		{&hostv1.SendRequest{Channel: "bot/elsewhere", Text: "x"}, connect.CodeNotFound, `plug bot has no channel "elsewhere"; it has: bot-a;`},
		{&hostv1.SendRequest{Action: edit("x")}, connect.CodeInvalidArgument, "name it as the target"},
		{&hostv1.SendRequest{Action: deletion()}, connect.CodeInvalidArgument, "name it as the target"},
		{&hostv1.SendRequest{Action: reactionAdded("👍")}, connect.CodeInvalidArgument, "name it as the target"},
		{&hostv1.SendRequest{Action: readMarker()}, connect.CodeInvalidArgument, "name it as the target"},
		{&hostv1.SendRequest{Action: typing(), Target: message("x")}, connect.CodeInvalidArgument, "has no target"},
		{&hostv1.SendRequest{Action: title("x"), ReplyTo: message("x")}, connect.CodeInvalidArgument, "leave reply_to out"},
		{&hostv1.SendRequest{Action: large, Target: message("x")}, connect.CodeInvalidArgument, "allowed are 262144"},
		{&hostv1.SendRequest{Action: deletion(), Target: &hostv1.MessageRef{OperationId: "00000000000000000000"}}, connect.CodeNotFound, "no operation"},
		{&hostv1.SendRequest{Action: deletion(), Target: &hostv1.MessageRef{Channel: "nobody/x", MessageId: "x"}}, connect.CodeNotFound, `there is no plug "nobody"`},
		{&hostv1.SendRequest{Action: edit(""), Target: message("x")}, connect.CodeInvalidArgument, "delete"},
		{&hostv1.SendRequest{Action: &plugv1.Action{Kind: &plugv1.Action_ReactionAdded{ReactionAdded: &plugv1.ReactionAdded{}}}, Target: message("x")}, connect.CodeInvalidArgument, "reaction"},
		{&hostv1.SendRequest{Action: &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{}}}}, connect.CodeInvalidArgument, "empty"},
		{&hostv1.SendRequest{Action: &plugv1.Action{Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{}}}}, connect.CodeInvalidArgument, "title"},
	} {
		if c.request.Channel == "" {
			c.request.Channel = botChannel
		}
		_, err := l.client.messages.Send(l.ctx(), c.request)
		if connect.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.200v\n\t%v, want %v: %s", c.request, err, c.code, c.says)
		}
	}
	if got := l.shown("bot-a"); got != "" {
		t.Errorf("the channel shows %s", got)
	}
}

// The same by curl: a reply with a request id that is asked twice is sent once, and
// answered alike; an edit of it names it by its operation.
func TestCurlVocabulary(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	l.say("bot-a", "hi")
	said := simnettest.Standing(l.ledger(), "bot-a")[0].ID
	send := func(json string) string {
		t.Helper()
		out, err := exec.CommandContext(l.ctx(), "curl", "-sS", "--fail-with-body", "--unix-socket", l.dir+"/api/plughost.sock",
			"-H", "Content-Type: application/json", "-d", json, "http://plughost/plughost.host.v1.MessageService/Send").CombinedOutput()
		if err != nil {
			t.Fatalf("curl: %v\n%s", err, out)
		}
		return strings.ReplaceAll(string(out), " ", "") // what Go puts there differs
	}
	reply := `{"channel": "bot/bot-a", "text": "hello", "replyTo": {"channel": "bot/bot-a", "messageId": "` + said + `"}, "requestId": "1", "wait": true}`
	first := send(reply)
	if again := send(reply); again != first || !strings.Contains(first, `"state":"OPERATION_STATE_SENT","receipts":[{"id":"`) {
		t.Errorf("answered first\n%s\nthen\n%s", first, again)
	}
	_, rest, _ := strings.Cut(first, `"operationId":"`)
	id, _, _ := strings.Cut(rest, `"`)
	send(`{"channel": "bot/bot-a", "action": {"edit": {"content": {"text": {"segments": [{"text": "hello, ann"}]}}}}, "target": {"operationId": "` + id + `"}, "wait": true}`)
	if got := l.shown("bot-a"); got != "ann: hi\nbot: hello, ann (edited) > \"hi\"" {
		t.Errorf("the channel shows\n%s", got)
	}
}
