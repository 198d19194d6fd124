package plug

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func newOf(p Plug) Definition { return Definition{New: func() Plug { return p }} }

// The seeds: pick-up runs in a background task that must not block the startup, and
// is cancelled by stop.
func TestStartReturnsWhilePickUpBlocksAndStopCancelsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, ended := make(chan struct{}), make(chan error, 1)
		stopped := make(chan struct{})
		p := receiver{&fake{}}
		p.onReceive = func(ctx context.Context, q *Queue, _ Cursors) error {
			close(began)
			<-ctx.Done() // a long poll that hears nothing
			ended <- context.Cause(ctx)
			return ctx.Err()
		}
		p.onStop = func(context.Context) error {
			if len(ended) == 0 {
				t.Error("the author's Stop was called before the pick-up had ended")
			}
			close(stopped)
			return nil
		}
		h := newHost(t, newOf(p))
		h.start()
		h.open()
		waitFor(t, "the pick-up's begin", began)
		if err := h.stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the author's Stop", stopped)
		if err := waitFor(t, "the pick-up's end", ended); !errors.Is(err, ErrStopped) {
			t.Errorf("receive ended by %v", err)
		}
	})
}

func TestSecondStartWithoutStopIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(&fake{}))
		if err := h.stop(time.Second); err != nil {
			t.Fatalf("stop before start: %v", err)
		}
		h.start()
		if _, err := h.client.Start(t.Context(), &plugv1.StartRequest{}); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("second start: %v", err)
		}
		for range 2 {
			if err := h.stop(time.Second); err != nil {
				t.Fatal(err)
			}
		}
		h.start()
	})
}

func TestTwoStopsAtOnceCallTheAuthorsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := make(chan struct{}, 2)
		release := make(chan struct{})
		h := newHost(t, newOf(&fake{onStop: func(context.Context) error {
			calls <- struct{}{}
			<-release
			return nil
		}}))
		h.start()
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- h.stop(time.Minute) }()
		}
		synctest.Wait()
		close(release)
		for range 2 {
			if err := waitFor(t, "stop", done); err != nil {
				t.Error(err)
			}
		}
		if len(calls) != 1 {
			t.Errorf("the author's Stop was called %d times", len(calls))
		}
	})
}

func TestStopDuringStartCancelsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fake{onStart: func(ctx context.Context, s *Session) (*Started, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		h := newHost(t, newOf(p))
		started := make(chan *plugv1.StartResponse, 1)
		go func() {
			resp, _ := h.client.Start(t.Context(), &plugv1.StartRequest{})
			started <- resp
		}()
		synctest.Wait()
		if err := h.stop(time.Minute); err != nil {
			t.Fatal(err)
		}
		if f := waitFor(t, "start", started).GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_UNREACHABLE {
			t.Errorf("start answered %v", f)
		}
		p.onStart = nil
		h.start()
	})
}

func TestStartVerdicts(t *testing.T) {
	cause := errors.New("no route to the network")
	const (
		unreachable = plugv1.StartVerdict_START_VERDICT_UNREACHABLE
		loggedOut   = plugv1.StartVerdict_START_VERDICT_LOGGED_OUT
		badConfig   = plugv1.StartVerdict_START_VERDICT_BAD_CONFIG
	)
	for name, c := range map[string]struct {
		err     error
		verdict plugv1.StartVerdict
		wait    time.Duration
		field   string
	}{
		"unreachable":     {Unreachable(cause, 90*time.Second), unreachable, 90 * time.Second, ""},
		"logged out":      {LoggedOut(cause), loggedOut, 0, ""},
		"bad config":      {BadConfig("/server/port", cause), badConfig, 0, "/server/port"},
		"rate limited":    {RateLimited(cause, 90*time.Second), unreachable, 90 * time.Second, ""},
		"any other error": {cause, unreachable, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var session *Session
				h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
					session = s
					return nil, c.err
				}, onStop: func(context.Context) error {
					t.Error("Stop was called after a Start that failed")
					return nil
				}}))
				resp, err := h.client.Start(t.Context(), &plugv1.StartRequest{})
				if err != nil {
					t.Fatal(err)
				}
				f := resp.GetFailure()
				if f.GetVerdict() != c.verdict || f.GetField() != c.field ||
					f.GetRetryAfter().AsDuration() != c.wait || f.GetMessage() != cause.Error() {
					t.Errorf("got %v, want %+v", f, c)
				}
				if err := session.Queue.Event(t.Context(), message("1")); !errors.Is(err, ErrStopped) {
					t.Errorf("the queue of a failed start answered %v", err)
				}
				if session.Context().Err() == nil {
					t.Error("the session's context is alive")
				}
			})
		})
	}
}

// I1: a panic ends the call, not the process, and its text stays out of the answer.
func TestPanicInStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fake{
			onStart: func(context.Context, *Session) (*Started, error) { panic("password hunter2") },
			onStop:  func(context.Context) error { panic("password hunter2") },
		}
		h := newHost(t, newOf(p))
		_, err := h.client.Start(t.Context(), &plugv1.StartRequest{})
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("start: %v", err)
		}
		if log := h.log.String(); !strings.Contains(log, "hunter2") || !strings.Contains(log, "server_test.go") {
			t.Errorf("the log lacks the panic or its stack: %s", log)
		}
		p.onStart = nil
		h.start()
		if err := h.stop(time.Second); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("stop: %v", err)
		}
	})
}

func TestStartNeedsANetworkID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, started := range []*Started{nil, {}, {NetworkID: strings.Repeat("x", 513)}, {NetworkID: "\xff"}} {
			h := newHost(t, newOf(&fake{onStart: func(context.Context, *Session) (*Started, error) { return started, nil }}))
			if _, err := h.client.Start(t.Context(), &plugv1.StartRequest{}); status.Code(err) != codes.Internal {
				t.Errorf("start with %v: %v", started, err)
			}
		}
	})
}

// The seeds: a constant identifier of the access, and sources that the plug boxes:
// what Start gives, the canonical sources among it, reaches the host as it is.
func TestStartGivesIdentityAndCanonicalSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
			return &Started{
				NetworkID:   "fake:libera.chat:alice",
				NetworkName: "Libera.Chat",
				Self:        &plugv1.User{Id: "alice"},
				Abilities:   &plugv1.Abilities{Resumable: true},
				Channels:    []*plugv1.ChannelStatus{{Requested: "#Case[1]", Source: "#case{1}"}},
			}, nil
		}}))
		first := h.start()
		if first.GetChannels()[0].GetSource() != "#case{1}" || !first.GetAbilities().GetResumable() ||
			first.GetSelf().GetId() != "alice" || first.GetNetworkName() != "Libera.Chat" {
			t.Errorf("got %v", first)
		}
		if err := h.stop(time.Second); err != nil {
			t.Fatal(err)
		}
		if again := h.start(); again.GetNetworkId() != first.GetNetworkId() {
			t.Errorf("network id %q, then %q", first.GetNetworkId(), again.GetNetworkId())
		}
	})
}

func TestSessionBringsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got *Session
		h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
			got = s
			return &Started{NetworkID: "fake"}, nil
		}}))
		_, err := h.client.Start(t.Context(), &plugv1.StartRequest{
			Instance: "one", Sources: []string{"a", "b"}, StateDir: "/state", SpoolDir: "/spool", TimeZone: "No/Such/Zone",
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Instance != "one" || len(got.Channels) != 2 || got.StateDir != "/state" || got.SpoolDir != "/spool" || got.TimeZone != time.UTC {
			t.Errorf("got %+v", got)
		}
	})
}

// D1: Stop leaves nothing behind that the host could still acknowledge.
func TestStopWaitsForTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var queue *Queue
		stopping := make(chan struct{})
		p := &fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
			queue = s.Queue
			return &Started{NetworkID: "fake"}, nil
		}}
		p.onStop = func(ctx context.Context) error {
			close(stopping)
			return queue.Event(ctx, message("last word"))
		}
		h := newHost(t, newOf(p))
		h.start()
		stream := h.open()
		if err := queue.Event(t.Context(), message("1")); err != nil {
			t.Fatal(err)
		}
		_, number := stream.events(1)
		done := make(chan error, 1)
		go func() { done <- h.stop(20 * time.Second) }()
		synctest.Wait()
		select {
		case <-stopping:
			t.Fatal("the author's Stop was called before the acknowledgement")
		default:
		}
		stream.ack(number)
		waitFor(t, "the author's Stop", stopping)
		ids, number := stream.events(1) // queued during Stop: still taken
		if ids[0] != "last word" {
			t.Errorf("got %v", ids)
		}
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("Stop returned before the acknowledgement")
		}
		stream.ack(number)
		if err := waitFor(t, "stop", done); err != nil {
			t.Fatal(err)
		}
		if err := queue.Event(t.Context(), message("too late")); !errors.Is(err, ErrStopped) {
			t.Errorf("after Stop the queue answered %v", err)
		}
	})
}

// I2: a host that never acknowledges does not keep Stop beyond its grace, and the
// author's Stop has half of it.
func TestStopEndsWithinItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left time.Duration
		var queue *Queue
		h := newHost(t, newOf(&fake{
			onStart: func(_ context.Context, s *Session) (*Started, error) {
				queue = s.Queue
				return &Started{NetworkID: "fake"}, nil
			},
			onStop: func(ctx context.Context) error {
				deadline, _ := ctx.Deadline()
				left = time.Until(deadline)
				return nil
			},
		}))
		h.start()
		h.open()
		if err := queue.Event(t.Context(), message("1")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := h.stop(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 8*time.Second || left != 4*time.Second {
			t.Errorf("Stop took %v, the author's had %v", took, left)
		}
	})
}
