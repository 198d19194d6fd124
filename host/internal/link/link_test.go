package link

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnDescribe: func(context.Context, *plugv1.DescribeRequest) (*plugv1.DescribeResponse, error) {
		return &plugv1.DescribeResponse{Name: "irc", Version: "1.0.0"}, nil
	}})
	resp, err := l.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if resp.Name != "irc" || resp.PutScope != plugv1.PutScope_PUT_SCOPE_PLUG || resp.MaxConcurrentPuts != 1 {
		t.Errorf("got %v", resp)
	}
}

// I2: no call waits for ever for a plug that hangs.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	plug := &fakePlug{
		OnDescribe: func(ctx context.Context, _ *plugv1.DescribeRequest) (*plugv1.DescribeResponse, error) {
			return nil, hang(ctx)
		},
		OnStart: func(ctx context.Context, _ *plugv1.StartRequest) (*plugv1.StartResponse, error) {
			return nil, hang(ctx)
		},
		OnStop: func(ctx context.Context, _ *plugv1.StopRequest) (*plugv1.StopResponse, error) {
			return nil, hang(ctx)
		},
	}
	for name, c := range map[string]struct {
		options []Option
		call    func(*Link) error
		want    time.Duration
	}{
		"describe": {nil, func(l *Link) error { _, err := l.Describe(context.Background()); return err }, 5 * time.Second},
		"start": {nil, func(l *Link) error {
			_, err := l.Start(context.Background(), &plugv1.StartRequest{})
			return err
		}, 60 * time.Second},
		"start with an option": {[]Option{WithStartTimeout(7 * time.Second)}, func(l *Link) error {
			_, err := l.Start(context.Background(), &plugv1.StartRequest{})
			return err
		}, 7 * time.Second},
		"stop": {nil, func(l *Link) error { return l.Stop(context.Background(), 3*time.Second) }, 4 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := connect(t, plug, c.options...)
			began := time.Now()
			err := c.call(l)
			if took := time.Since(began); took != c.want {
				t.Errorf("%s: ended after %v, want %v", name, took, c.want)
			}
			if status.Code(err) != codes.DeadlineExceeded || !strings.HasPrefix(err.Error(), "plug irc1: ") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnStart: func(_ context.Context, r *plugv1.StartRequest) (*plugv1.StartResponse, error) {
		return &plugv1.StartResponse{
			NetworkId: "irc:net:" + r.Instance,
			Channels:  []*plugv1.ChannelStatus{{Requested: "#B", Source: "#b"}},
		}, nil
	}})
	resp, err := l.Start(t.Context(), &plugv1.StartRequest{Instance: "irc1", Sources: []string{"#a", "#B"}})
	if err != nil {
		t.Fatal(err)
	}
	if resp.NetworkId != "irc:net:irc1" || len(resp.Channels) != 2 || resp.Channels[0].Source != "#a" || resp.Channels[1].Source != "#b" {
		t.Errorf("got %v", resp)
	}
}

func TestStartFailures(t *testing.T) {
	t.Parallel()
	const (
		unreachable = plugv1.StartVerdict_START_VERDICT_UNREACHABLE
		loggedOut   = plugv1.StartVerdict_START_VERDICT_LOGGED_OUT
		badConfig   = plugv1.StartVerdict_START_VERDICT_BAD_CONFIG
	)
	for name, c := range map[string]struct {
		failure *plugv1.StartFailure
		want    StartError
	}{
		"unreachable": {
			&plugv1.StartFailure{Verdict: unreachable, Message: "refused", RetryAfter: durationpb.New(time.Minute)},
			StartError{Verdict: unreachable, Message: "refused", RetryAfter: time.Minute},
		},
		"a negative time to wait": {
			&plugv1.StartFailure{Verdict: unreachable, RetryAfter: durationpb.New(-time.Minute)},
			StartError{Verdict: unreachable},
		},
		"a verdict not known": {&plugv1.StartFailure{Verdict: 99}, StartError{Verdict: unreachable}},
		"no verdict":          {&plugv1.StartFailure{}, StartError{Verdict: unreachable}},
		"logged out": {
			&plugv1.StartFailure{Verdict: loggedOut, Message: "bad\npassword", RetryAfter: durationpb.New(time.Minute)},
			StartError{Verdict: loggedOut, Message: "bad password"},
		},
		"bad config": {
			&plugv1.StartFailure{Verdict: badConfig, Message: "no such server", Field: "/server"},
			StartError{Verdict: badConfig, Message: "no such server", Field: "/server"},
		},
	} {
		l := connect(t, &fakePlug{OnStart: func(context.Context, *plugv1.StartRequest) (*plugv1.StartResponse, error) {
			return &plugv1.StartResponse{Failure: c.failure}, nil
		}})
		_, err := l.Start(t.Context(), &plugv1.StartRequest{})
		var got *StartError
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.want.plug = "irc1"
		if *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
		if !strings.HasPrefix(got.Error(), "plug irc1: ") || !strings.Contains(got.Error(), c.want.Message) || !strings.Contains(got.Error(), c.want.Field) {
			t.Errorf("%s: text %q", name, got)
		}
	}
}

// Two channels that are one on the network are a mistake in the config.
func TestStartSameChannel(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnStart: func(context.Context, *plugv1.StartRequest) (*plugv1.StartResponse, error) {
		return &plugv1.StartResponse{NetworkId: "n", Channels: []*plugv1.ChannelStatus{{Requested: "#A", Source: "#a"}}}, nil
	}})
	_, err := l.Start(t.Context(), &plugv1.StartRequest{Sources: []string{"#a", "#A"}})
	var got *StartError
	if !errors.As(err, &got) || got.Verdict != plugv1.StartVerdict_START_VERDICT_BAD_CONFIG {
		t.Errorf("got %v", err)
	}
}

// A gRPC error and an answer that breaks the contract are crashes: errors that
// are no verdict.
func TestStartCrashes(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func() (*plugv1.StartResponse, error){
		"unavailable":   func() (*plugv1.StartResponse, error) { return nil, status.Error(codes.Unavailable, "gone") },
		"a panic":       func() (*plugv1.StartResponse, error) { return nil, status.Error(codes.Internal, "oh\x1b[2J") },
		"no network id": func() (*plugv1.StartResponse, error) { return &plugv1.StartResponse{}, nil },
	} {
		l := connect(t, &fakePlug{OnStart: func(context.Context, *plugv1.StartRequest) (*plugv1.StartResponse, error) { return answer() }})
		_, err := l.Start(t.Context(), &plugv1.StartRequest{})
		var verdict *StartError
		if err == nil || errors.As(err, &verdict) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), "plug irc1: start: ") || strings.ContainsRune(err.Error(), '\x1b') {
			t.Errorf("%s: text %q", name, err)
		}
	}
}

// Stop tells the plug its grace, and no Put begins after it.
func TestStop(t *testing.T) {
	t.Parallel()
	var grace time.Duration
	l := connect(t, &fakePlug{OnStop: func(_ context.Context, r *plugv1.StopRequest) (*plugv1.StopResponse, error) {
		grace = r.Grace.AsDuration()
		return &plugv1.StopResponse{}, nil
	}})
	if err := l.Stop(t.Context(), 8*time.Second); err != nil {
		t.Fatal(err)
	}
	if grace != 8*time.Second {
		t.Errorf("the plug was given %v", grace)
	}
	if v := l.Put(t.Context(), putRequest("1"), time.Second).GetFailure().GetVerdict(); v != plugv1.Verdict_VERDICT_NOT_SENT {
		t.Errorf("a Put after Stop: %v", v)
	}
}
