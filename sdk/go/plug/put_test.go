package plug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// startPutter starts a plug whose Put is the function given.
func startPutter(t *testing.T, d Definition, put func(context.Context, *Part) (*plugv1.Receipt, error)) *host {
	t.Helper()
	d.New = func() Plug { return putter{&fake{onPut: put}} }
	h := newHost(t, d)
	h.start()
	return h
}

func limits(l *plugv1.Limits) Definition { return Definition{Abilities: &plugv1.Abilities{Limits: l}} }

func receiptIDs(resp *plugv1.PutResponse) []string {
	var ids []string
	for _, r := range resp.GetReceipts() {
		ids = append(ids, r.GetId())
	}
	return ids
}

// The seeds: put pushes new messages into the network and returns their identifiers.
func TestPutReturnsIdentifiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := time.Now().Add(-time.Hour)
		deadline := time.Now().Add(20 * time.Second)
		var got *Part
		h := startPutter(t, Definition{}, func(ctx context.Context, p *Part) (*plugv1.Receipt, error) {
			got = p
			if end, ok := ctx.Deadline(); !ok || !end.Equal(deadline) {
				t.Errorf("ctx ends at %v, the deadline is %v", end, deadline)
			}
			return &plugv1.Receipt{Id: "$42", Aliases: []string{"m1"}}, nil
		})
		resp := h.put(t.Context(), func(req *plugv1.PutRequest) {
			req.Attempt, req.FirstAttemptTime, req.Deadline = 3, timestamppb.New(first), timestamppb.New(deadline)
		})
		if !slices.Equal(receiptIDs(resp), []string{"$42"}) || resp.GetFailure() != nil || resp.GetReceipts()[0].GetAliases()[0] != "m1" {
			t.Errorf("got %v", resp)
		}
		if got.OperationID != "0123456789abcdefghij" || got.Channel != "room" || got.Text != "bob: hello" || got.Number != 1 || got.Of != 1 ||
			got.Attempt != 3 || !got.FirstAttempt.Equal(first) || !got.Deadline.Equal(deadline) || got.Author.GetFormattedName() != "bob: " {
			t.Errorf("got %+v", got)
		}
	})
}

func TestAuthorModeNativeLeavesTheTextAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := Definition{Abilities: &plugv1.Abilities{AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE}}
		h := startPutter(t, d, func(_ context.Context, p *Part) (*plugv1.Receipt, error) { return receipt(p.Text), nil })
		if got := receiptIDs(h.put(t.Context())); got[0] != "hello" {
			t.Errorf("sent %q", got)
		}
	})
}

// Started.Abilities replaces the definition's whole.
func TestStartNarrowsAbilities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := limits(&plugv1.Limits{TextLength: 8})
		d.New = func() Plug {
			return putter{&fake{
				onStart: func(context.Context, *Session) (*Started, error) {
					return &Started{NetworkID: "fake", Abilities: &plugv1.Abilities{AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE}}, nil
				},
				onPut: func(_ context.Context, p *Part) (*plugv1.Receipt, error) { return receipt(p.Text), nil },
			}}
		}
		h := newHost(t, d)
		h.start()
		if got := receiptIDs(h.put(t.Context(), withText("hello out there"))); !slices.Equal(got, []string{"hello out there"}) {
			t.Errorf("sent %q", got)
		}
	})
}

// Each part has the author's name and its own operation id; the receipts come in
// the parts' order, the primary one first.
func TestPutPerPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parts []string
		h := startPutter(t, limits(&plugv1.Limits{TextLength: 12}), func(_ context.Context, p *Part) (*plugv1.Receipt, error) {
			parts = append(parts, fmt.Sprintf("%s %d/%d %q", p.OperationID, p.Number, p.Of, p.Text))
			return receipt(fmt.Sprint("m", p.Number)), nil
		})
		resp := h.put(t.Context(), withText("one two three four"))
		want := []string{
			`0123456789abcdefghij-1 1/3 "bob: one two"`,
			`0123456789abcdefghij-2 2/3 "bob: three"`,
			`0123456789abcdefghij-3 3/3 "bob: four"`,
		}
		if !slices.Equal(parts, want) {
			t.Errorf("got %q", parts)
		}
		if !slices.Equal(receiptIDs(resp), []string{"m1", "m2", "m3"}) {
			t.Errorf("receipts %v", receiptIDs(resp))
		}
	})
}

// D3: a part that was sent is never sent again: the answer holds the receipts so
// far, the next attempt brings them back and completes.
func TestPartialFailureIsCompletedAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []int
		broken := true
		h := startPutter(t, limits(&plugv1.Limits{TextLength: 12}), func(_ context.Context, p *Part) (*plugv1.Receipt, error) {
			calls = append(calls, p.Number)
			if p.Number == 2 && broken {
				return nil, RateLimited(errors.New("slow down"), 7*time.Second)
			}
			return receipt(fmt.Sprint("m", p.Number)), nil
		})
		resp := h.put(t.Context(), withText("one two three four"))
		f := resp.GetFailure()
		if !slices.Equal(receiptIDs(resp), []string{"m1"}) || f.GetVerdict() != plugv1.Verdict_VERDICT_RATE_LIMITED || f.GetRetryAfter().AsDuration() != 7*time.Second {
			t.Fatalf("got %v", resp)
		}
		broken = false
		resp = h.put(t.Context(), withText("one two three four"), func(req *plugv1.PutRequest) {
			req.Attempt = 2
			req.Sent = []*plugv1.SentPart{{Part: 1, Receipt: resp.GetReceipts()[0]}}
		})
		if !slices.Equal(receiptIDs(resp), []string{"m1", "m2", "m3"}) || resp.GetFailure() != nil {
			t.Errorf("got %v", resp)
		}
		if !slices.Equal(calls, []int{1, 2, 2, 3}) {
			t.Errorf("parts were sent in this order: %v", calls)
		}
	})
}

// O5: with every part settled by its echo the next attempt answers at once.
func TestNothingLeftToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) {
			t.Error("sent again")
			return nil, nil
		})
		resp := h.put(t.Context(), func(req *plugv1.PutRequest) {
			req.Sent = []*plugv1.SentPart{{Part: 1, Receipt: receipt("m1")}}
		})
		if !slices.Equal(receiptIDs(resp), []string{"m1"}) || resp.GetFailure() != nil {
			t.Errorf("got %v", resp)
		}
	})
}

func TestPutVerdicts(t *testing.T) {
	cause := errors.New("what happened")
	for name, c := range map[string]struct {
		err     error
		verdict plugv1.Verdict
		scope   plugv1.FailureScope
	}{
		"not sent":                {NotSent(cause), plugv1.Verdict_VERDICT_NOT_SENT, 0},
		"rate limited":            {RateLimited(cause, time.Second), plugv1.Verdict_VERDICT_RATE_LIMITED, 0},
		"rate limited plug-wide":  {PlugWide(RateLimited(cause, time.Second)), plugv1.Verdict_VERDICT_RATE_LIMITED, plugv1.FailureScope_FAILURE_SCOPE_PLUG},
		"refused":                 {Refused(cause), plugv1.Verdict_VERDICT_REFUSED, 0},
		"uncertain":               {Uncertain(cause), plugv1.Verdict_VERDICT_UNCERTAIN, 0},
		"already":                 {Already(), plugv1.Verdict_VERDICT_ALREADY, 0},
		"target gone":             {TargetGone(cause), plugv1.Verdict_VERDICT_TARGET_GONE, 0},
		"unsupported":             {Unsupported(cause), plugv1.Verdict_VERDICT_UNSUPPORTED, 0},
		"logged out":              {LoggedOut(cause), plugv1.Verdict_VERDICT_LOGGED_OUT, plugv1.FailureScope_FAILURE_SCOPE_PLUG},
		"wrapped":                 {fmt.Errorf("post: %w", Refused(cause)), plugv1.Verdict_VERDICT_REFUSED, 0},
		"any other error":         {cause, plugv1.Verdict_VERDICT_UNCERTAIN, 0},
		"an error of Start":       {Unreachable(cause, 0), plugv1.Verdict_VERDICT_UNCERTAIN, 0},
		"plug-wide other error":   {PlugWide(cause), plugv1.Verdict_VERDICT_UNCERTAIN, 0},
		"words of invalid UTF-8":  {NotSent(errors.New("\xff")), plugv1.Verdict_VERDICT_NOT_SENT, 0},
		"words without an end":    {NotSent(errors.New(strings.Repeat("é", 99999))), plugv1.Verdict_VERDICT_NOT_SENT, 0},
		"no words":                {NotSent(nil), plugv1.Verdict_VERDICT_NOT_SENT, 0},
		"no receipt and no error": {nil, plugv1.Verdict_VERDICT_UNCERTAIN, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) { return nil, c.err })
				f := h.put(t.Context()).GetFailure()
				if f.GetVerdict() != c.verdict || f.GetScope() != c.scope || f.GetMessage() == "" || len(f.GetMessage()) > maxFailureMessage {
					t.Errorf("got %v", f)
				}
				if c.err != nil && VerdictOf(c.err) != c.verdict {
					t.Errorf("VerdictOf gives %v", VerdictOf(c.err))
				}
			})
		})
	}
}

// A receipt that would not reach the host must not end as a gRPC error after the
// network took the message, nor as a success without an id.
func TestBadReceiptIsUncertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bad := range []*plugv1.Receipt{nil, {}, {Id: "\xff"}, {Id: strings.Repeat("x", 513)}, {Id: "1", Reference: make([]byte, 1025)},
			{Id: "1", Revision: "\xff"}} {
			h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) { return bad, nil })
			if f := h.put(t.Context()).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNCERTAIN {
				t.Errorf("receipt %v: %v", bad, f)
			}
		}
	})
}

// I1: a panic in Put is an uncertain outcome of that call; its text goes to the log
// and not to the host's answer.
func TestPanicInPut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		h := startPutter(t, Definition{}, func(context.Context, *Part) (*plugv1.Receipt, error) {
			if first {
				first = false
				panic("password hunter2")
			}
			return receipt("m"), nil
		})
		f := h.put(t.Context()).GetFailure()
		if f.GetVerdict() != plugv1.Verdict_VERDICT_UNCERTAIN || strings.Contains(f.GetMessage(), "hunter2") {
			t.Errorf("got %v", f)
		}
		if log := h.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, "put_test.go") {
			t.Errorf("the log lacks the panic or its stack: %s", log)
		}
		if resp := h.put(t.Context()); resp.GetFailure() != nil {
			t.Errorf("the next put failed: %v", resp)
		}
	})
}

func TestPutOfAnUnknownKindAndBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(&fake{})) // can only be read
		if f := h.put(t.Context()).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT {
			t.Errorf("before Start: %v", f)
		}
		h.start()
		if f := h.put(t.Context()).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNSUPPORTED {
			t.Errorf("of a plug without Put: %v", f)
		}
		h = startPutter(t, Definition{}, nil)
		unknown := func(req *plugv1.PutRequest) { req.Action = &plugv1.Action{} }
		if f := h.put(t.Context(), unknown).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNSUPPORTED {
			t.Errorf("of an unknown kind: %v", f)
		}
	})
}

// O6 and the declared concurrency: never two Puts in one channel, never more than
// MaxConcurrentPuts, and as many as that allows.
func TestPutConcurrency(t *testing.T) {
	for name, c := range map[string]struct {
		channels []string
		rounds   []int // Puts that run at once, until all have run
	}{
		"one per channel":     {[]string{"a", "a", "b"}, []int{2, 1}},
		"two over all":        {[]string{"a", "b", "c", "d", "e"}, []int{2, 2, 1}},
		"nothing is left out": {[]string{"a", "a", "a"}, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				begun := make(chan string, len(c.channels))
				h := startPutter(t, Definition{MaxConcurrentPuts: 2}, func(_ context.Context, p *Part) (*plugv1.Receipt, error) {
					begun <- p.Channel
					<-release
					return receipt("m"), nil
				})
				var puts sync.WaitGroup
				for _, channel := range c.channels {
					puts.Go(func() { h.put(t.Context(), inChannel(channel)) })
				}
				for round, want := range c.rounds {
					synctest.Wait()
					running := make(map[string]bool)
					n := len(begun)
					for range n {
						running[<-begun] = true
					}
					if n != want || len(running) != n {
						t.Errorf("round %d: %d puts at once in channels %v", round, n, running)
					}
					for range n {
						release <- struct{}{}
					}
				}
				puts.Wait()
			})
		})
	}
}

func TestPutWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got *Whole
		answer := func() ([]*plugv1.Receipt, error) {
			return []*plugv1.Receipt{receipt("m1")}, WithContinuation(NotSent(errors.New("upload failed")), []byte("upload 7"))
		}
		h := newHost(t, newOf(wholePutter{&fake{onPutWhole: func(_ context.Context, w *Whole) ([]*plugv1.Receipt, error) {
			got = w
			return answer()
		}}}))
		h.start()
		resp := h.put(t.Context())
		f := resp.GetFailure()
		if got.Text != "bob: hello" || f.GetVerdict() != plugv1.Verdict_VERDICT_NOT_SENT || string(f.GetContinuation()) != "upload 7" || f.GetMessage() != "upload failed" {
			t.Errorf("got %+v, %v", got, resp)
		}
		answer = func() ([]*plugv1.Receipt, error) { return []*plugv1.Receipt{receipt("m1"), receipt("m2")}, nil }
		resp = h.put(t.Context(), func(req *plugv1.PutRequest) {
			req.Sent = []*plugv1.SentPart{{Part: 1, Receipt: receipt("m1")}}
			req.Continuation = f.GetContinuation()
		})
		if len(got.Sent) != 1 || string(got.Continuation) != "upload 7" || len(resp.GetReceipts()) != 2 || resp.GetFailure() != nil {
			t.Errorf("got %+v, %v", got, resp)
		}
		for _, bad := range [][]*plugv1.Receipt{nil, {nil}, {{Id: "\xff"}}} {
			answer = func() ([]*plugv1.Receipt, error) { return bad, nil }
			if f := h.put(t.Context()).GetFailure(); f.GetVerdict() != plugv1.Verdict_VERDICT_UNCERTAIN {
				t.Errorf("receipts %v: %v", bad, f)
			}
		}
	})
}

// A part that the network has already, without telling its id, does not end the
// message: the other parts are sent.
func TestAlreadyOnOnePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startPutter(t, limits(&plugv1.Limits{TextLength: 12}), func(_ context.Context, p *Part) (*plugv1.Receipt, error) {
			if p.Number == 1 {
				return nil, Already()
			}
			return receipt(fmt.Sprint("m", p.Number)), nil
		})
		resp := h.put(t.Context(), withText("one two three four"))
		if !slices.Equal(receiptIDs(resp), []string{"m2", "m3"}) || resp.GetFailure() != nil {
			t.Errorf("got %v", resp)
		}
	})
}
