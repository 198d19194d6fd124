package plug

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// setter is a Receiver that can change its channels.
type setter struct {
	receiver
	onSet func(context.Context, []string) ([]*plugv1.ChannelStatus, error)
}

func (s setter) SetChannels(ctx context.Context, sources []string) ([]*plugv1.ChannelStatus, error) {
	return s.onSet(ctx, sources)
}

// A change of channels happens while Receive rests; it is run again at once, with the
// cursors of the channels that remain, and sees the new ones.
func TestSetChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type run struct {
			channels []string
			cursors  Cursors
		}
		runs := make(chan run, 5)
		var session *Session
		receiving := false
		p := setter{receiver: receiver{&fake{}}}
		p.onStart = func(_ context.Context, s *Session) (*Started, error) {
			session = s
			return &Started{NetworkID: "fake", Channels: []*plugv1.ChannelStatus{{Requested: "Room", Source: "room"}}}, nil
		}
		p.onReceive = func(ctx context.Context, q *Queue, cursors Cursors) error {
			receiving = true
			defer func() { receiving = false }()
			runs <- run{session.Channels, cursors}
			for _, c := range session.Channels {
				if err := q.Cursor(ctx, Cursor{Scope: strings.ToLower(c), Value: []byte("1")}); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return ctx.Err()
		}
		var fail error
		p.onSet = func(_ context.Context, sources []string) ([]*plugv1.ChannelStatus, error) {
			time.Sleep(time.Second)
			if receiving {
				t.Error("Receive does not rest")
			}
			var states []*plugv1.ChannelStatus
			for _, s := range sources {
				states = append(states, &plugv1.ChannelStatus{Requested: s, Source: strings.ToLower(s)})
			}
			return states, fail
		}
		h := newHost(t, newOf(p))
		if _, err := h.client.Start(t.Context(), &plugv1.StartRequest{ConfigJson: "{}", Sources: []string{"Room", "other"}}); err != nil {
			t.Fatal(err)
		}
		h.open()
		waitFor(t, "receive", runs)
		synctest.Wait()
		began := time.Now()
		channels := plugv1.NewChannelsClient(h.conn)
		resp, err := channels.SetChannels(t.Context(), &plugv1.SetChannelsRequest{Sources: []string{"other", "New"}})
		if err != nil || len(resp.GetChannels()) != 2 || resp.GetChannels()[1].GetSource() != "new" {
			t.Fatalf("got %v, %v", resp, err)
		}
		next := waitFor(t, "receive", runs)
		if !slices.Equal(next.channels, []string{"other", "New"}) || len(next.cursors) != 1 || string(next.cursors["other"]) != "1" || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", next, time.Since(began))
		}
		synctest.Wait()
		// After an error everything is as it was.
		fail = errors.New("connection reset")
		if _, err := channels.SetChannels(t.Context(), &plugv1.SetChannelsRequest{Sources: []string{"Room"}}); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
		next = waitFor(t, "receive", runs)
		if scopes := slices.Sorted(maps.Keys(next.cursors)); !slices.Equal(next.channels, []string{"other", "New"}) || !slices.Equal(scopes, []string{"new", "other"}) {
			t.Errorf("got %v", next)
		}
		// A channel that comes back starts now.
		fail = nil
		for _, sources := range [][]string{{"New"}, {"New", "other"}} {
			if _, err := channels.SetChannels(t.Context(), &plugv1.SetChannelsRequest{Sources: sources}); err != nil {
				t.Fatal(err)
			}
			next = waitFor(t, "receive", runs)
			if len(next.cursors) != 1 || next.cursors["new"] == nil {
				t.Errorf("got %v", next)
			}
			synctest.Wait()
		}
	})
}

// A cursor that waits in the queue when its channel is left must not come after the
// host has deleted it.
func TestCursorOfALeftChannelIsNotSent(t *testing.T) {
	q := newQueue()
	for _, scope := range []string{"room", "other"} {
		if err := q.Event(t.Context(), message("1"), Cursor{Scope: scope, Value: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	q.out.forgetCursor("room")
	if entries := q.out.queued.entries; len(entries) != 2 || len(entries[0].cursors) > 0 || len(entries[1].cursors) != 1 {
		t.Errorf("got %v", entries)
	}
	if got := q.out.lastCursors(); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// If Receive does not rest, the channels are not changed, and it goes on.
func TestSetChannelsWaitsForReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := setter{receiver: receiver{&fake{onReceive: func(context.Context, *Queue, Cursors) error {
			<-release
			return nil
		}}}, onSet: func(context.Context, []string) ([]*plugv1.ChannelStatus, error) {
			t.Error("the channels were changed")
			return nil, nil
		}}
		h := newHost(t, newOf(p))
		h.start()
		h.open()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := plugv1.NewChannelsClient(h.conn).SetChannels(ctx, &plugv1.SetChannelsRequest{})
		if c := status.Code(err); c != codes.Unavailable && c != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

// The host sees how the network is: connected since Start, then each state in turn,
// until Stop.
func TestNetworkStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var session *Session
		h := newHost(t, newOf(&fake{onStart: func(_ context.Context, s *Session) (*Started, error) {
			session = s
			return &Started{NetworkID: "fake"}, nil
		}}))
		client := plugv1.NewNetworkStatusClient(h.conn)
		early, err := client.WatchStatus(t.Context(), &plugv1.WatchStatusRequest{})
		if err == nil {
			_, err = early.Recv()
		}
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("before Start: %v", err)
		}
		h.start()
		watch, err := client.WatchStatus(t.Context(), &plugv1.WatchStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			state  plugv1.NetworkState
			reason string
		}{
			{plugv1.NetworkState_NETWORK_STATE_CONNECTED, ""},
			{plugv1.NetworkState_NETWORK_STATE_CONNECTING, "connection reset\uFFFD"},
			{plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT, "log in again"},
		} {
			if i > 0 {
				for range 2 { // the same again is no news
					session.SetNetworkState(c.state, strings.ReplaceAll(c.reason, "\uFFFD", "\xff"))
				}
			}
			got, err := watch.Recv()
			if err != nil || got.GetState() != c.state || got.GetReason() != c.reason {
				t.Errorf("got %v, %v", got, err)
			}
		}
		if _, err := client.Probe(t.Context(), &plugv1.ProbeRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
		if err := h.stop(time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := watch.Recv(); err != io.EOF {
			t.Errorf("after Stop: %v", err)
		}
		h.start() // another session is connected, whatever the one before was
		if watch, err = client.WatchStatus(t.Context(), &plugv1.WatchStatusRequest{}); err != nil {
			t.Fatal(err)
		}
		if got, err := watch.Recv(); err != nil || got.GetState() != plugv1.NetworkState_NETWORK_STATE_CONNECTED {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

type prober struct {
	*fake
	answer error
}

func (p *prober) Probe(context.Context) error { return p.answer }

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &prober{fake: &fake{}}
		h := newHost(t, newOf(p))
		h.start()
		client := plugv1.NewNetworkStatusClient(h.conn)
		time.Sleep(time.Hour)
		got, err := client.Probe(t.Context(), &plugv1.ProbeRequest{})
		if err != nil || got.GetState() != plugv1.NetworkState_NETWORK_STATE_CONNECTED || time.Since(h.server.outbox.lastActivity().AsTime()) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
		p.answer = LoggedOut(errors.New("log in again"))
		if got, err = client.Probe(t.Context(), &plugv1.ProbeRequest{}); got.GetState() != plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT || got.GetReason() != "log in again" {
			t.Errorf("got %v, %v", got, err)
		}
		p.answer = errors.New("no answer")
		if _, err = client.Probe(t.Context(), &plugv1.ProbeRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}

type validator struct{ *fake }

func (validator) ValidateConfig(_ context.Context, configJSON string) error {
	var c testConfig
	if err := DecodeConfig(configJSON, &c); err != nil {
		return err
	}
	if c.Password == "panic" {
		panic("password hunter2")
	}
	var errs []error
	if c.Server.Host == "" {
		errs = append(errs, BadConfig("/server/host", errors.New("it is empty")))
	}
	if c.Password == "" {
		errs = append(errs, fmt.Errorf("look: %w", BadConfig("/password", errors.New("it is empty"))), errors.New("nothing fits"))
	}
	return errors.Join(errs...)
}

// Mistakes in a config are told all at once, each with its field, also before Start.
func TestValidateConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(validator{&fake{}}))
		client := plugv1.NewConfigValidatorClient(h.conn)
		for config, want := range map[string][]string{
			`{"server": {"host": "x"}, "password": "x"}`: nil,
			`{"server": {}}`: {"/server/host: it is empty", "/password: look: it is empty", ": nothing fits"},
			`{"server": 5}`:  {"/server: a number does not fit here"},
		} {
			resp, err := client.ValidateConfig(t.Context(), &plugv1.ValidateConfigRequest{ConfigJson: config})
			var got []string
			for _, p := range resp.GetProblems() {
				got = append(got, p.GetField()+": "+p.GetMessage())
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v", config, got, err)
			}
		}
		_, err := client.ValidateConfig(t.Context(), &plugv1.ValidateConfigRequest{ConfigJson: `{"password": "panic"}`})
		if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	})
}
