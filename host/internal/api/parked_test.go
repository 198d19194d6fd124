package api_test

import (
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D4: the API shows the whole story of what is parked, puts it back once, over a
// restart too, and drops it for good; what is asked for in a wrong way has its code, and
// changes nothing.
func TestParkedOperations(t *testing.T) {
	l := newLive(t, simnettest.Account{Idempotent: simnettest.Duration(time.Hour)}, host.Options{}, "a", "b")
	messages := l.client.messages
	refuse := func(source string, n int) {
		l.do(simnettest.Command{Puts: &simnettest.Puts{Channel: source, Verdict: simnettest.Refused, Count: n}})
	}
	refuse("bot-a", 3)
	refuse("bot-b", 1)
	var parked []string
	for _, r := range []*hostv1.SendRequest{
		{Channel: "bot/bot-a", Text: "one"}, {Channel: "bot/bot-a", Text: "two", Client: "ci", RequestId: "2"}, {Channel: "bot/bot-b", Text: "three"}, {Channel: "bot/bot-a", Text: "four"},
	} {
		r.Wait = true
		op := l.send(r)
		if op.State != hostv1.OperationState_OPERATION_STATE_PARKED {
			t.Fatalf("it is %v", op)
		}
		parked = append(parked, op.OperationId)
	}
	list := func(r *hostv1.ListParkedRequest) (ids []string) {
		t.Helper()
		response, err := messages.ListParked(l.ctx(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range response.Parked {
			ids = append(ids, p.Operation.OperationId)
		}
		return ids
	}
	if all, b := list(&hostv1.ListParkedRequest{}), list(&hostv1.ListParkedRequest{Channel: "bot/bot-b"}); !slices.Equal(all, parked) || !slices.Equal(b, parked[2:3]) {
		t.Errorf("parked: %q, of bot-b %q; want %q", all, b, parked)
	}
	shown, err := messages.GetParked(l.ctx(), &hostv1.GetParkedRequest{OperationId: parked[1]})
	if err != nil {
		t.Fatal(err)
	}
	if p := shown.Parked; p.Operation.Hook != "api:ci" || p.Operation.Channel != "bot/bot-a" || p.Operation.Attempts != 1 || p.Operation.Reason == "" || p.Operation.AcceptedTime == nil ||
		p.Verdict != plugv1.Verdict_VERDICT_REFUSED || p.Action.GetMessage().Text.Segments[0].Text != "two" || p.ParkedTime.AsTime().Before(p.FirstAttemptTime.AsTime()) {
		t.Errorf("shown: %v", p)
	}

	retry := func(s *hostv1.ParkedSelection) (*hostv1.RetryParkedResponse, error) {
		return messages.RetryParked(l.ctx(), &hostv1.RetryParkedRequest{Selection: s})
	}
	drop := func(s *hostv1.ParkedSelection) (*hostv1.DropParkedResponse, error) {
		return messages.DropParked(l.ctx(), &hostv1.DropParkedRequest{Selection: s})
	}
	named := func(ids ...string) *hostv1.ParkedSelection { return &hostv1.ParkedSelection{OperationIds: ids} }
	code := func(what string, err error, want connect.Code) {
		t.Helper()
		if connect.CodeOf(err) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	for _, s := range []*hostv1.ParkedSelection{nil, {}, {All: true, Channel: "bot/bot-a"}, {All: true, OperationIds: parked}, {Channel: "nowhere"}, named(make([]string, 1001)...)} {
		_, err := retry(s)
		code("a wrong selection", err, connect.CodeInvalidArgument)
		_, err = drop(s)
		code("a wrong selection to drop", err, connect.CodeInvalidArgument)
	}
	_, err = retry(named(parked[0], "00000000000000000000"))
	code("one that isn't parked", err, connect.CodeNotFound)
	_, err = drop(named(parked[0], "*"))
	code("one that can't be", err, connect.CodeNotFound)
	_, err = messages.GetParked(l.ctx(), &hostv1.GetParkedRequest{OperationId: "*"})
	code("showing one that can't be", err, connect.CodeNotFound)
	if all := list(&hostv1.ListParkedRequest{}); !slices.Equal(all, parked) {
		t.Errorf("after errors %q are parked", all)
	}

	if dropped, err := drop(named(parked[3])); err != nil || !slices.Equal(dropped.OperationIds, parked[3:]) {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if _, err = drop(named(parked[3])); err != nil {
		t.Errorf("dropping it again: %v", err)
	}
	_, err = retry(named(parked[0], parked[3]))
	code("putting back one that was dropped", err, connect.CodeFailedPrecondition)
	_, err = messages.GetParked(l.ctx(), &hostv1.GetParkedRequest{OperationId: parked[3]})
	code("showing one that was dropped", err, connect.CodeFailedPrecondition)
	if r, err := messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: parked[3]}); err != nil || r.Operation.State != hostv1.OperationState_OPERATION_STATE_EXPIRED {
		t.Errorf("what was dropped is %v, %v", r, err)
	}

	l.do(simnettest.Command{Hold: &simnettest.Hold{Channel: "bot-a", Stage: simnettest.StageAnswers}})
	first, err := retry(named(parked[1], parked[0])) // in the order of parking all the same
	if err != nil || len(first.PutBack) != 2 || first.PutBack[0].OperationId != parked[0] {
		t.Fatalf("put back %v, %v", first, err)
	}
	_, err = drop(named(parked[1]))
	code("dropping one that was put back", err, connect.CodeFailedPrecondition)
	l.stop()
	l.do(simnettest.Command{Release: &simnettest.Release{Channel: "bot-a", Stage: simnettest.StageAnswers}})
	l.start()
	again, err := retry(named(parked[0], parked[1]))
	if err != nil || len(again.PutBack) != 2 {
		t.Fatalf("put back again %v, %v", again, err)
	}
	for i, p := range again.PutBack {
		if p.PutBackId != first.PutBack[i].PutBackId {
			t.Errorf("the second time it was put back as %v, first as %v", p, first.PutBack[i])
		}
		r, err := messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: p.PutBackId, Wait: true})
		if err != nil || r.Operation.State != hostv1.OperationState_OPERATION_STATE_SENT || len(r.Operation.Receipts) != 1 {
			t.Errorf("what was put back is %v, %v", r, err)
		}
		if r, err := messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: p.OperationId}); err != nil || r.Operation.PutBackId != p.PutBackId {
			t.Errorf("what was parked is %v, %v", r, err)
		}
	}
	answer := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Text: "indeed", ReplyTo: &hostv1.MessageRef{OperationId: parked[1]}, Wait: true})
	change := l.send(&hostv1.SendRequest{Channel: "bot/bot-a", Target: &hostv1.MessageRef{OperationId: parked[1]}, Wait: true,
		Action: &plugv1.Action{Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "two, rather"}}}}}}}})
	if sent := hostv1.OperationState_OPERATION_STATE_SENT; answer.State != sent || change.State != sent {
		t.Errorf("answered %v, edited %v", answer, change)
	}
	if all, err := retry(&hostv1.ParkedSelection{All: true}); err != nil || len(all.PutBack) != 1 || all.PutBack[0].OperationId != parked[2] {
		t.Errorf("all that is left: %v, %v", all, err)
	}
	if none, err := retry(&hostv1.ParkedSelection{Channel: "bot/bot-a"}); err != nil || len(none.PutBack) != 0 {
		t.Errorf("of a channel with nothing: %v, %v", none, err)
	}
	said := l.accepted("bot-a")
	if want := []string{"one", "two", "indeed"}; !slices.Equal(said, want) {
		t.Errorf("the network has %q, want %q", said, want)
	}
}
