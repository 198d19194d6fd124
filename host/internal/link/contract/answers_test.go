package contract

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

var (
	now     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	longest = strings.Repeat("x", plugv1.MaxIDBytes)
	tooLong = longest + "x"
)

// refusals collects what was refused.
type refusals []string

func (r *refusals) refuse(part string, _ error) { *r = append(*r, part) }

func event(id string, change func(*plugv1.Event)) *plugv1.Event {
	e := &plugv1.Event{
		EventId: id, MessageId: "m" + id, Channel: "#c", Time: timestamppb.New(now), Own: plugv1.Own_OWN_NO,
		Kind: &plugv1.Event_Message{Message: &plugv1.Message{}},
	}
	if change != nil {
		change(e)
	}
	return e
}

func text(n int) *plugv1.Message {
	return &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: strings.Repeat("x", n)}}}}
}

// Each broken event between two good ones is dropped, and only that one.
func TestCheckBatchDropsEvents(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*plugv1.Event){
		"no event id":               func(e *plugv1.Event) { e.EventId = "" },
		"event id too long":         func(e *plugv1.Event) { e.EventId = tooLong },
		"event id not UTF-8":        func(e *plugv1.Event) { e.EventId = "\xff" },
		"no channel":                func(e *plugv1.Event) { e.Channel = "" },
		"channel too long":          func(e *plugv1.Event) { e.Channel = tooLong },
		"a message without an id":   func(e *plugv1.Event) { e.MessageId = "" },
		"message id too long":       func(e *plugv1.Event) { e.MessageId = tooLong },
		"operation id too long":     func(e *plugv1.Event) { e.OperationId = tooLong },
		"alias too long":            func(e *plugv1.Event) { e.Aliases = []string{"a", tooLong} },
		"empty alias":               func(e *plugv1.Event) { e.Aliases = []string{""} },
		"author's id too long":      func(e *plugv1.Event) { e.Author = &plugv1.User{Id: tooLong} },
		"actor's id too long":       func(e *plugv1.Event) { e.Actor = &plugv1.User{Id: tooLong} },
		"one byte more than 256 KB": func(e *plugv1.Event) { e.Kind = &plugv1.Event_Message{Message: text(plugv1.MaxEventBytes)} },
	} {
		var refused refusals
		resp := &plugv1.StreamMessagesResponse{Events: []*plugv1.Event{event("1", nil), event("2", breakIt), event("3", nil)}}
		CheckBatch(resp, now, refused.refuse)
		if len(resp.Events) != 2 || resp.Events[0].EventId != "1" || resp.Events[1].EventId != "3" {
			t.Errorf("%s: left are %v", name, resp.Events)
		}
		if len(refused) != 1 || refused[0] != "event" {
			t.Errorf("%s: refused are %q", name, refused)
		}
	}
}

// What is at its limit, absent though optional, or unknown, passes unchanged.
func TestCheckBatchKeepsEvents(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*plugv1.Event){
		"as usual": nil,
		"longest ids": func(e *plugv1.Event) {
			e.EventId, e.MessageId, e.Channel, e.OperationId = longest, longest, longest, longest
			e.Aliases = []string{longest}
		},
		"longest reference": func(e *plugv1.Event) { e.Reference = make([]byte, plugv1.MaxReferenceBytes) },
		"a kind not known":  func(e *plugv1.Event) { e.Kind, e.MessageId = nil, "" },
		"a large message": func(e *plugv1.Event) {
			e.Kind = &plugv1.Event_Message{Message: text(plugv1.MaxEventBytes - 200)}
		},
	} {
		var refused refusals
		want := event("1", change)
		resp := &plugv1.StreamMessagesResponse{Events: []*plugv1.Event{proto.CloneOf(want)}}
		CheckBatch(resp, now, refused.refuse)
		if len(resp.Events) != 1 || !proto.Equal(resp.Events[0], want) || len(refused) != 0 {
			t.Errorf("%s: %v, refused %q", name, resp.Events, refused)
		}
	}
}

// What can be read without harm is put right, and the event lives.
func TestCheckBatchRepairsEvents(t *testing.T) {
	t.Parallel()
	var refused refusals
	resp := &plugv1.StreamMessagesResponse{Events: []*plugv1.Event{
		event("1", func(e *plugv1.Event) { e.Time = nil }),
		event("2", func(e *plugv1.Event) { e.Time = &timestamppb.Timestamp{Nanos: -1} }),
		event("3", func(e *plugv1.Event) { e.Own = 99 }),
		event("4", func(e *plugv1.Event) { e.Reference = make([]byte, plugv1.MaxReferenceBytes+1) }),
	}}
	CheckBatch(resp, now, refused.refuse)
	if len(resp.Events) != 4 {
		t.Fatalf("left are %d events", len(resp.Events))
	}
	for _, e := range resp.Events[:2] {
		if !e.Time.AsTime().Equal(now) {
			t.Errorf("event %s: time %v, want that of receipt", e.EventId, e.Time.AsTime())
		}
	}
	if own := resp.Events[2].Own; own != plugv1.Own_OWN_UNSPECIFIED {
		t.Errorf("unknown own is read as %v", own)
	}
	if resp.Events[3].Reference != nil || len(refused) != 1 || refused[0] != "reference" {
		t.Errorf("reference %d bytes, refused %q", len(resp.Events[3].Reference), refused)
	}
}

func TestCheckBatchOtherParts(t *testing.T) {
	t.Parallel()
	var refused refusals
	receipt := []*plugv1.Receipt{{Id: "1"}}
	resp := &plugv1.StreamMessagesResponse{
		Cursors: []*plugv1.Cursor{
			{Scope: "#a", Value: make([]byte, plugv1.MaxCursorBytes)},
			{Scope: "#b", Value: make([]byte, plugv1.MaxCursorBytes+1)},
			{Scope: "#c"},
			{Scope: tooLong, Value: []byte("v")},
			{Value: []byte("whole plug")},
		},
		CaughtUp: []string{"", tooLong, "#a"},
		Gaps: []*plugv1.Gap{
			{Scope: "#a", Since: timestamppb.New(now), Until: timestamppb.New(now), Reason: "gone\x1b[2J"},
			{Scope: tooLong},
			{Since: &timestamppb.Timestamp{Nanos: -1}},
		},
		Outcomes: []*plugv1.PutOutcome{
			{OperationId: "op1", Response: &plugv1.PutResponse{Receipts: receipt}},
			{OperationId: "", Response: &plugv1.PutResponse{Receipts: receipt}},
			{OperationId: "op3"},
			{OperationId: "op4", Response: &plugv1.PutResponse{}},
		},
	}
	CheckBatch(resp, now, refused.refuse)
	if len(resp.Cursors) != 2 || resp.Cursors[0].Scope != "#a" || resp.Cursors[1].Scope != "" {
		t.Errorf("cursors %v", resp.Cursors)
	}
	if len(resp.CaughtUp) != 2 || resp.CaughtUp[1] != "#a" {
		t.Errorf("caught up %q", resp.CaughtUp)
	}
	if len(resp.Gaps) != 2 || resp.Gaps[0].Reason != "gone[2J" || resp.Gaps[1].Since != nil || !resp.Gaps[1].Until.AsTime().Equal(now) {
		t.Errorf("gaps %v", resp.Gaps)
	}
	if len(resp.Outcomes) != 2 || resp.Outcomes[0].Response.Failure != nil ||
		resp.Outcomes[1].OperationId != "op4" || resp.Outcomes[1].Response.Failure != nil {
		t.Errorf("outcomes %v", resp.Outcomes)
	}
	want := "cursor cursor cursor caught_up gap outcome outcome"
	if got := strings.Join(refused, " "); got != want {
		t.Errorf("refused %q, want %q", got, want)
	}
}

func TestCheckPut(t *testing.T) {
	t.Parallel()
	ok := func() *plugv1.Receipt { return &plugv1.Receipt{Id: "1"} }
	bad := &plugv1.Receipt{Id: tooLong}
	fail := func(v plugv1.Verdict) *plugv1.PutFailure { return &plugv1.PutFailure{Verdict: v, Message: "so"} }
	const (
		sent       = plugv1.Verdict_VERDICT_UNSPECIFIED // stands for success here
		notSent    = plugv1.Verdict_VERDICT_NOT_SENT
		isUnsure   = plugv1.Verdict_VERDICT_UNCERTAIN
		refusedPut = plugv1.Verdict_VERDICT_REFUSED
	)
	for name, c := range map[string]struct {
		resp     *plugv1.PutResponse
		verdict  plugv1.Verdict
		receipts int
		refused  int
	}{
		"success":                         {&plugv1.PutResponse{Receipts: []*plugv1.Receipt{ok()}}, sent, 1, 0},
		"success without a receipt":       {&plugv1.PutResponse{}, isUnsure, 0, 1},
		"success with an empty id":        {&plugv1.PutResponse{Receipts: []*plugv1.Receipt{{}}}, isUnsure, 0, 1},
		"success with an id too long":     {&plugv1.PutResponse{Receipts: []*plugv1.Receipt{bad}}, isUnsure, 0, 1},
		"success, one of two is bad":      {&plugv1.PutResponse{Receipts: []*plugv1.Receipt{bad, ok()}}, sent, 1, 1},
		"success of 256 KiB and more":     {&plugv1.PutResponse{Receipts: manyReceipts(600)}, isUnsure, 0, 1},
		"not sent":                        {&plugv1.PutResponse{Failure: fail(notSent)}, notSent, 0, 0},
		"no verdict":                      {&plugv1.PutResponse{Failure: fail(0)}, isUnsure, 0, 0},
		"a verdict not known":             {&plugv1.PutResponse{Failure: fail(99)}, isUnsure, 0, 0},
		"refused after the first part":    {&plugv1.PutResponse{Failure: fail(refusedPut), Receipts: []*plugv1.Receipt{ok()}}, refusedPut, 1, 0},
		"refused, the second part is bad": {&plugv1.PutResponse{Failure: fail(refusedPut), Receipts: []*plugv1.Receipt{ok(), bad, ok()}}, isUnsure, 1, 1},
	} {
		var refused refusals
		got := CheckPut(c.resp, "#asked", true, refused.refuse)
		if v := got.GetFailure().GetVerdict(); v != c.verdict || (got.Failure == nil) != (c.verdict == sent) {
			t.Errorf("%s: failure %v, want verdict %v", name, got.Failure, c.verdict)
		}
		if len(got.Receipts) != c.receipts || len(refused) != c.refused {
			t.Errorf("%s: %d receipts, refused %q", name, len(got.Receipts), refused)
		}
		for _, r := range got.Receipts {
			if r.Channel != "#asked" {
				t.Errorf("%s: receipt in channel %q, want the one asked for", name, r.Channel)
			}
		}
		if c.verdict == isUnsure && c.refused > 0 && !strings.Contains(got.Failure.Message, "broke the contract") {
			t.Errorf("%s: the message doesn't name the breach: %q", name, got.Failure.Message)
		}
	}
}

func manyReceipts(n int) (all []*plugv1.Receipt) {
	for range n {
		all = append(all, &plugv1.Receipt{Id: longest})
	}
	return all
}

func TestCheckPutDetails(t *testing.T) {
	t.Parallel()
	var refused refusals
	got := CheckPut(&plugv1.PutResponse{Receipts: []*plugv1.Receipt{
		{Id: "1", Channel: "#elsewhere", Reference: make([]byte, plugv1.MaxReferenceBytes), Time: timestamppb.New(now)},
		{Id: "2", Reference: make([]byte, plugv1.MaxReferenceBytes+1), Time: &timestamppb.Timestamp{Nanos: -1}},
		{Id: "3", Channel: tooLong}, {Id: "4", Revision: tooLong}, {Id: "5", Aliases: []string{tooLong}},
	}}, "#asked", true, refused.refuse)
	if len(got.Receipts) != 2 || len(refused) != 4 {
		t.Fatalf("receipts %v, refused %q", got.Receipts, refused)
	}
	if r := got.Receipts[0]; r.Channel != "#elsewhere" || len(r.Reference) != plugv1.MaxReferenceBytes || r.Time == nil {
		t.Errorf("a good receipt was changed: %v", r)
	}
	if r := got.Receipts[1]; r.Reference != nil || r.Time != nil {
		t.Errorf("a breach stayed: %v", r)
	}

	got = CheckPut(&plugv1.PutResponse{Failure: &plugv1.PutFailure{
		Verdict: plugv1.Verdict_VERDICT_RATE_LIMITED, Scope: 99, RetryAfter: durationpb.New(-time.Second),
		Message: "slow\ndown", Continuation: make([]byte, maxContinuationBytes+1),
	}}, "#asked", true, refused.refuse)
	f := got.Failure
	if f.Scope != plugv1.FailureScope_FAILURE_SCOPE_CHANNEL || f.RetryAfter != nil || f.Message != "slow down" || f.Continuation != nil {
		t.Errorf("failure %v", f)
	}
	if got := CheckPut(&plugv1.PutResponse{}, "#asked", false, refused.refuse); got.Failure != nil {
		t.Errorf("an action that makes no message needs no receipt: %v", got.Failure)
	}
}

func TestCheckStart(t *testing.T) {
	t.Parallel()
	req := &plugv1.StartRequest{Sources: []string{"#B", "#a", "#c"}}
	resp := &plugv1.StartResponse{
		NetworkId: longest, NetworkName: "Net\x07",
		Channels: []*plugv1.ChannelStatus{
			{Requested: "#c", State: 99},
			{Requested: "#B", Source: "#b", State: plugv1.ChannelState_CHANNEL_STATE_DENIED, Reason: "no\nway"},
		},
	}
	if err := CheckStart(req, resp); err != nil {
		t.Fatal(err)
	}
	const joined = plugv1.ChannelState_CHANNEL_STATE_JOINED
	want := &plugv1.StartResponse{
		NetworkId: longest, NetworkName: "Net",
		Channels: []*plugv1.ChannelStatus{
			{Requested: "#B", Source: "#b", State: plugv1.ChannelState_CHANNEL_STATE_DENIED, Reason: "no way"},
			{Requested: "#a", Source: "#a", State: joined},
			{Requested: "#c", Source: "#c", State: joined},
		},
	}
	if !proto.Equal(resp, want) {
		t.Errorf("got  %v\nwant %v", resp, want)
	}

	status := func(requested, source string) *plugv1.ChannelStatus {
		return &plugv1.ChannelStatus{Requested: requested, Source: source}
	}
	for name, resp := range map[string]*plugv1.StartResponse{
		"no network id":           {},
		"network id too long":     {NetworkId: tooLong},
		"network id not UTF-8":    {NetworkId: "\xff"},
		"a channel not asked for": {NetworkId: "n", Channels: []*plugv1.ChannelStatus{status("#x", "")}},
		"a channel twice":         {NetworkId: "n", Channels: []*plugv1.ChannelStatus{status("#a", ""), status("#a", "")}},
		"a source too long":       {NetworkId: "n", Channels: []*plugv1.ChannelStatus{status("#a", tooLong)}},
	} {
		err := CheckStart(req, resp)
		if same := (*SameChannelError)(nil); err == nil || errors.As(err, &same) {
			t.Errorf("%s: %v, want a breach", name, err)
		}
	}
	err := CheckStart(req, &plugv1.StartResponse{NetworkId: "n", Channels: []*plugv1.ChannelStatus{status("#B", "#a")}})
	same := (*SameChannelError)(nil)
	if !errors.As(err, &same) || *same != (SameChannelError{Requested: [2]string{"#B", "#a"}, Source: "#a"}) {
		t.Errorf("two channels that meet: %v", err)
	}
}

func TestCheckDescribe(t *testing.T) {
	t.Parallel()
	for scope, want := range map[plugv1.PutScope]plugv1.PutScope{
		0: plugv1.PutScope_PUT_SCOPE_PLUG, 1: plugv1.PutScope_PUT_SCOPE_PLUG,
		2: plugv1.PutScope_PUT_SCOPE_CHANNEL, 99: plugv1.PutScope_PUT_SCOPE_PLUG,
	} {
		resp := &plugv1.DescribeResponse{PutScope: scope}
		CheckDescribe(resp)
		if resp.PutScope != want || resp.MaxConcurrentPuts != 1 {
			t.Errorf("scope %v is read as %v, %d puts", scope, resp.PutScope, resp.MaxConcurrentPuts)
		}
	}
}
