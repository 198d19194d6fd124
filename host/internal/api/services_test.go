package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// O1 on the API: a subscriber gets PutSettled before the echo on its own stream, with
// the id of the message that the echo shows; and the call that waits has returned.
func TestPutSettledBeforeEcho(t *testing.T) {
	for name, echo := range map[string]simnettest.Account{"with the id": {}, "without it": {Echo: simnettest.EchoOwn}} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t, echo, host.Options{}, "a")
			l.do(simnettest.Command{Channel: &simnettest.Channel{Name: "bot-a", Echo: simnettest.Before, EchoDelay: simnettest.Duration(5 * time.Millisecond), AnswerDelay: simnettest.Duration(5 * time.Millisecond)}})
			all := l.subscribe(&hostv1.SubscribeRequest{})
			some := l.subscribe(&hostv1.SubscribeRequest{Channels: []string{"bot/bot-a"}})
			other := l.subscribe(&hostv1.SubscribeRequest{Plugs: []string{"talk"}})
			for i := range 20 {
				text := fmt.Sprint("hello ", i)
				op := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: text, Wait: true})
				if op.State != hostv1.OperationState_OPERATION_STATE_SENT || len(op.Receipts) != 1 || op.Hook != "api" || op.Channel != "bot/bot-a" {
					t.Fatalf("sent %v", op)
				}
				for _, s := range []*subscriber{all, some} {
					settled, echo := s.next(), s.next()
					if got := brief(settled); got != "settled "+op.OperationId+" sent" {
						t.Fatalf("first came %s", got)
					}
					if got := brief(echo); got != "echo "+op.OperationId+" "+text || echo.GetDelivery().Event.MessageId != settled.GetPutSettled().Operation.Receipts[0].Id {
						t.Fatalf("then came %s", echo)
					}
				}
			}
			l.say("talk-a", "of talk")
			if got := brief(other.next()); got != "event of talk" {
				t.Errorf("a subscriber of talk got %s", got)
			}
		})
	}
}

// Accepted is not sent: the outcome is waited for, asked for, or given up waiting for,
// and what can't be sent says why.
func TestOperations(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a", "b", "c")
	l.do(simnettest.Command{Puts: &simnettest.Puts{Channel: "bot-a", Verdict: simnettest.Refused, Count: 1}},
		simnettest.Command{Puts: &simnettest.Puts{Channel: "bot-b", Verdict: simnettest.RateLimited, RetryAfter: simnettest.Duration(time.Hour), Count: 1}})
	parked := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "no", Wait: true, Client: "ci"})
	if parked.State != hostv1.OperationState_OPERATION_STATE_PARKED || parked.Reason == "" || parked.Hook != "api:ci" {
		t.Errorf("refused: %v", parked)
	}
	waits := l.send(&hostv1.SendRequest{Channel: "bot/bot-b", Text: "later"})
	l.send(&hostv1.SendRequest{Channel: "bot/bot-b", Text: "later still"})
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := l.client.messages.GetOperation(short, &hostv1.GetOperationRequest{OperationId: waits.OperationId, Wait: true}); connect.CodeOf(err) != connect.CodeDeadlineExceeded {
		t.Errorf("waiting for what waits: %v", err)
	}
	expires := l.send(&hostv1.SendRequest{Channel: "bot/bot-c", Text: "of yesterday", Expiry: timestamppb.New(time.Now().Add(-time.Hour)), Wait: true})
	if expires.State != hostv1.OperationState_OPERATION_STATE_EXPIRED || !strings.Contains(expires.Reason, "at the latest") {
		t.Errorf("expired: %v", expires)
	}
	check := func(givenUp int) {
		t.Helper()
		for op, want := range map[*hostv1.Operation]hostv1.OperationState{
			parked: hostv1.OperationState_OPERATION_STATE_PARKED, waits: hostv1.OperationState_OPERATION_STATE_WAITING, expires: hostv1.OperationState_OPERATION_STATE_EXPIRED,
		} {
			r, err := l.client.messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: op.OperationId})
			if err != nil || r.Operation.State != want || r.Operation.Reason != op.Reason || r.Operation.Channel != op.Channel || r.Operation.Hook != op.Hook {
				t.Errorf("operation %v, %v", r, err)
			}
		}
		queues, err := l.client.messages.ListQueues(l.ctx(), &hostv1.ListQueuesRequest{Plug: "bot"})
		if err != nil {
			t.Fatal(err)
		}
		if len(queues.Queues) != 2+givenUp || queues.Queues[0].Channel != "bot/bot-a" || queues.Queues[0].Parked != 1 || queues.Queues[0].ParkedSince == nil ||
			queues.Queues[1].Channel != "bot/bot-b" || queues.Queues[1].Waiting != 2 || !queues.Queues[1].WaitingSince.AsTime().Equal(waits.AcceptedTime.AsTime()) {
			t.Errorf("queues %v", queues)
		}
		for _, q := range queues.Queues[2:] {
			if q.Channel != "bot/bot-c" || q.GivenUp != 1 || q.GivenUpReason != expires.Reason || q.Waiting != 0 {
				t.Errorf("given up: %v", q)
			}
		}
		list, err := l.client.messages.ListParked(l.ctx(), &hostv1.ListParkedRequest{})
		if err != nil || len(list.Parked) != 1 || list.Parked[0].Operation.OperationId != parked.OperationId || list.Parked[0].Action.GetMessage() == nil {
			t.Errorf("parked %v, %v", list, err)
		}
	}
	l.until("the first attempt was refused", func() bool {
		r, err := l.client.messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: waits.OperationId})
		return err == nil && r.Operation.Attempts == 1
	})
	check(1)
	l.stop() // and the journal still knows, but for what is counted since the start
	l.do(simnettest.Command{Hold: &simnettest.Hold{Channel: "bot-b", Stage: simnettest.StageAnswers}})
	l.start()
	check(0)
	l.do(simnettest.Command{Release: &simnettest.Release{Channel: "bot-b", Stage: simnettest.StageAnswers}})
	if r, err := l.client.messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: waits.OperationId, Wait: true}); err != nil || r.Operation.State != hostv1.OperationState_OPERATION_STATE_SENT {
		t.Errorf("in the end: %v, %v", r, err)
	}
}

// A request's id makes it one operation, sent once, over a restart of the host, and
// whoever asks at the same time.
func TestRequestIDs(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	var ids sync.Map
	ask := func(client, request string) {
		r, err := l.client.messages.Send(l.ctx(), &hostv1.SendRequest{Channel: "bot/bot-a", Text: client + request, Client: client, RequestId: request, Wait: true})
		if err != nil {
			t.Errorf("send: %v", err)
			return
		}
		ids.Store(client+request+r.Operation.OperationId, true)
	}
	all := func() {
		var asking sync.WaitGroup
		for range 5 {
			for _, client := range []string{"x", "y"} {
				for _, request := range []string{"1", "2"} {
					asking.Go(func() { ask(client, request) })
				}
			}
		}
		asking.Wait()
	}
	all()
	l.stop()
	l.start()
	all()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	got := l.accepted("bot-a")
	slices.Sort(got)
	if n != 4 || strings.Join(got, " ") != "x1 x2 y1 y2" {
		t.Errorf("%d operations; sent was %q", n, got)
	}
}

// A durable subscriber is given everything since its last acknowledgement, after its
// own death and the host's; without a name one begins where it says.
func TestDurableSubscription(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a", "b")
	s := l.subscribe(&hostv1.SubscribeRequest{Name: "bot"})
	if s.resumed {
		t.Error("a new one is resumed")
	}
	if _, err := l.client.events.FetchEvents(l.ctx(), &hostv1.FetchEventsRequest{Name: "bot"}); connect.CodeOf(err) != connect.CodeAlreadyExists {
		t.Errorf("a second client: %v", err)
	}
	var place uint64
	for i := range 4 {
		l.say("bot-a", fmt.Sprint(i))
		e := s.next()
		if brief(e) != fmt.Sprint("event ", i) {
			t.Fatalf("entry %v", e)
		}
		if i == 1 {
			place = e.GetDelivery().Place.Sequence
			if _, err := l.client.events.Acknowledge(l.ctx(), &hostv1.AcknowledgeRequest{Name: "bot", Ack: e.Ack}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.close()
	again := func(what string) (acks []string) {
		t.Helper()
		l.until("the last client is gone: "+what, func() bool {
			list, err := l.client.events.ListSubscriptions(l.ctx(), &hostv1.ListSubscriptionsRequest{})
			return err == nil && len(list.Subscriptions) == 1 && list.Subscriptions[0].Name == "bot" && !list.Subscriptions[0].InUse
		})
		s = l.subscribe(&hostv1.SubscribeRequest{Name: "bot"})
		defer s.close()
		for i := 2; i < 4; i++ {
			e := s.next()
			if brief(e) != fmt.Sprint("event ", i) || !s.resumed {
				t.Fatalf("%s: entry %v, resumed %v", what, e, s.resumed)
			}
			acks = append(acks, e.Ack)
		}
		return acks
	}
	old := again("a new client")
	l.stop()
	l.start()
	again("a new host")
	if _, err := l.client.events.Acknowledge(l.ctx(), &hostv1.AcknowledgeRequest{Name: "bot", Ack: old[1]}); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("an old token: %v", err)
	}
	from := l.subscribe(&hostv1.SubscribeRequest{FromSequence: place})
	for i := 1; i < 4; i++ {
		if e := from.next(); brief(e) != fmt.Sprint("event ", i) {
			t.Errorf("from sequence %d: %v", place, e)
		}
	}
	l.until("the client is gone", func() bool {
		_, err := l.client.events.DeleteSubscription(l.ctx(), &hostv1.DeleteSubscriptionRequest{Name: "bot"})
		return err == nil
	})
	if _, err := l.client.events.DeleteSubscription(l.ctx(), &hostv1.DeleteSubscriptionRequest{Name: "bot"}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if s := l.subscribe(&hostv1.SubscribeRequest{Name: "bot"}); s.resumed {
		t.Error("a removed one is resumed")
	}
}

// O7: a subscriber who doesn't read holds back itself only; in memory there is what
// the bound says; and in the end it gets everything, in order.
func TestSlowSubscriber(t *testing.T) {
	t.Parallel()
	const count = 3000
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	slow := l.subscribe(&hostv1.SubscribeRequest{})
	if err := l.net.Generate(t.Context(), simnettest.Generate{Channels: []string{"bot-a"}, Count: count, First: 1, Size: 2000}); err != nil {
		t.Fatal(err)
	}
	fast := l.subscribe(&hostv1.SubscribeRequest{FromSequence: 1})
	for _, s := range []*subscriber{fast, slow} {
		last := ""
		for range count {
			e := s.next().GetDelivery()
			if e.Event.EventId == last {
				t.Fatalf("twice: %v", e)
			}
			last = e.Event.EventId
		}
	}
	op := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "end", Wait: true})
	if got := brief(slow.next()); got != "settled "+op.OperationId+" sent" {
		t.Errorf("then came %s", got)
	}
}

// What is wrong is told with its code, and in words that name it and say what to do.
func TestErrors(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	send := func(r *hostv1.SendRequest) func() error {
		return func() error { _, err := l.client.messages.Send(l.ctx(), r); return err }
	}
	reaction := func() *hostv1.SendRequest {
		r := &hostv1.SendRequest{Channel: "bot/bot-a", Action: api.PlainText("x")}
		return r
	}
	targeted := reaction()
	targeted.Target = &hostv1.MessageRef{OperationId: "00000000000000000000"}
	replied := reaction()
	replied.ReplyTo = &hostv1.MessageRef{OperationId: "00000000000000000000"}
	half := reaction()
	half.ReplyTo = &hostv1.MessageRef{Channel: "bot/bot-a"}
	for _, c := range []struct {
		call func() error
		code connect.Code
		says string
	}{
		{send(&hostv1.SendRequest{Channel: "bot-a", Text: "x"}), connect.CodeInvalidArgument, "write it as plug/source"},
		{send(&hostv1.SendRequest{Channel: "bto/a", Text: "x"}), connect.CodeNotFound, `there is no plug "bto"; there are: bot, talk`},
		{send(&hostv1.SendRequest{Channel: "bot/bot-a"}), connect.CodeInvalidArgument, "nothing to do"},
		{send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "x", Client: "a b"}), connect.CodeInvalidArgument, "can't be a client's name"},
		{send(targeted), connect.CodeInvalidArgument, "named by reply_to"},
		{send(replied), connect.CodeNotFound, "no operation"},
		{send(half), connect.CodeInvalidArgument, "one of them is missing"},
		{send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: strings.Repeat("x", 300<<10)}), connect.CodeInvalidArgument, "allowed are 262144"},
		{func() error {
			_, err := l.client.messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: "nonsense"})
			return err
		}, connect.CodeNotFound, `no operation "nonsense"`},
		{func() error {
			_, err := l.client.users.GetUser(l.ctx(), &hostv1.GetUserRequest{Plug: "bot", Id: "ann"})
			return err
		}, connect.CodeUnimplemented, "plug bot: GetUser: its network has no such thing"},
		{func() error {
			_, err := l.client.users.IsSelf(l.ctx(), &hostv1.IsSelfRequest{Plug: "bot"})
			return err
		}, connect.CodeInvalidArgument, "neither id nor username"},
		{func() error {
			_, err := l.client.channels.ListMembers(l.ctx(), &hostv1.ListMembersRequest{Channel: "nobody/x"})
			return err
		}, connect.CodeNotFound, `there is no plug "nobody"`},
		{func() error {
			_, err := l.client.history.ListMessages(l.ctx(), &hostv1.ListMessagesRequest{Channel: "bot/bot-a"})
			return err
		}, connect.CodeUnimplemented, "plug bot: ListMessages"},
		{func() error {
			_, err := l.client.events.FetchEvents(l.ctx(), &hostv1.FetchEventsRequest{Name: "x", Plugs: []string{"bto"}})
			return err
		}, connect.CodeNotFound, `there is no plug "bto"`},
		{func() error {
			_, err := l.client.plugs.StopPlug(l.ctx(), &hostv1.StopPlugRequest{Plug: "bto"})
			return err
		}, connect.CodeNotFound, `there is no plug "bto"`},
	} {
		if err := c.call(); connect.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %v: %s", err, c.code, c.says)
		}
	}
}

// A stopped plug stays so until it is started; what is said to it waits; look-ups say
// that it is down; its log says what happened.
func TestStopPlugAndLogs(t *testing.T) {
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, err := l.client.plugs.ReadLogs(ctx, &hostv1.ReadLogsRequest{Plug: "bot", Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.client.plugs.StopPlug(l.ctx(), &hostv1.StopPlugRequest{Plug: "bot"}); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		plugs, err := l.client.plugs.ListPlugs(l.ctx(), &hostv1.ListPlugsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return plugs.Plugs[0].State.String()
	}
	l.until("it has stopped", func() bool { return state() == "PLUG_STATE_STOPPED" })
	op := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "hello"})
	_, err = l.client.channels.ListChannels(l.ctx(), &hostv1.ListChannelsRequest{Plug: "bot"})
	if connect.CodeOf(err) != connect.CodeUnavailable || !strings.Contains(err.Error(), "plug bot: it is stopped") {
		t.Errorf("a look-up: %v", err)
	}
	if got := l.accepted("bot-a"); len(got) != 0 {
		t.Errorf("sent by a stopped plug: %q", got)
	}
	if _, err := l.client.plugs.StartPlug(l.ctx(), &hostv1.StartPlugRequest{Plug: "bot"}); err != nil {
		t.Fatal(err)
	}
	if r, err := l.client.messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: op.OperationId, Wait: true}); err != nil || r.Operation.State != hostv1.OperationState_OPERATION_STATE_SENT {
		t.Errorf("sent: %v, %v", r, err)
	}
	for want := []string{"state=ready", "state=stopped", "state=ready"}; len(want) > 0; {
		if !logs.Receive() {
			t.Fatalf("the log ended: %v", logs.Err())
		}
		if m := logs.Msg(); strings.HasPrefix(m.Text, "state changed "+want[0]) && m.Level == "info" {
			want = want[1:]
		}
	}
}

// Calls that wait end when the host stops, and say so.
func TestWaitingCallsEndWithTheHost(t *testing.T) {
	t.Parallel()
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	l.do(simnettest.Command{Hold: &simnettest.Hold{Channel: "bot-a", Stage: simnettest.StageAnswers}})
	s := l.subscribe(&hostv1.SubscribeRequest{Plugs: []string{"talk"}})
	op := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "hello"})
	waited := make(chan error, 1)
	ctx := l.ctx()
	go func() {
		_, err := l.client.messages.GetOperation(ctx, &hostv1.GetOperationRequest{OperationId: op.OperationId, Wait: true})
		waited <- err
	}()
	l.until("it is under way", func() bool { return len(l.accepted("bot-a")) == 1 })
	l.stop()
	if err := <-waited; connect.CodeOf(err) != connect.CodeUnavailable {
		t.Errorf("a call that waits ended with: %v", err)
	}
	if s.stream.Receive() || connect.CodeOf(s.stream.Err()) != connect.CodeUnavailable {
		t.Errorf("a subscription ended with: %v", s.stream.Err())
	}
}
