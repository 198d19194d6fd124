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

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fakeUsers and fakeHistory serve optional services.
type fakeUsers struct {
	plugv1.UnimplementedUsersServer
	OnGetUser func(context.Context, *plugv1.GetUserRequest) (*plugv1.GetUserResponse, error)
}

func (f *fakeUsers) GetUser(ctx context.Context, r *plugv1.GetUserRequest) (*plugv1.GetUserResponse, error) {
	return f.OnGetUser(ctx, r)
}

type fakeHistory struct {
	plugv1.UnimplementedHistoryServer
	events []*plugv1.Event
}

func (f *fakeHistory) ListMessages(context.Context, *plugv1.ListMessagesRequest) (*plugv1.ListMessagesResponse, error) {
	return &plugv1.ListMessagesResponse{Events: f.events}, nil
}

type fakeChannels struct {
	plugv1.UnimplementedChannelsServer
	channels []*plugv1.ChannelStatus
}

func (f *fakeChannels) SetChannels(context.Context, *plugv1.SetChannelsRequest) (*plugv1.SetChannelsResponse, error) {
	return &plugv1.SetChannelsResponse{Channels: f.channels}, nil
}

// Each error of an optional service has its code and says what to do.
func TestOptionalErrors(t *testing.T) {
	for _, c := range []struct {
		given error
		code  codes.Code
		says  string
	}{
		{status.Error(codes.NotFound, "no user\n\x1b[31mbob"), codes.NotFound, "plug irc1: GetUser: the network knows nothing of that name or id (no user [31mbob)"},
		{status.Error(codes.Unimplemented, ""), codes.Unimplemented, "plug irc1: GetUser: its network has no such thing, or this version of the plug cannot do it"},
		{status.Error(codes.PermissionDenied, ""), codes.PermissionDenied, "plug irc1: GetUser: the network does not let this account do it"},
		{status.Error(codes.Unavailable, "ping timeout"), codes.Unavailable, "plug irc1: GetUser: it is not connected to its network; see its status, and try again (ping timeout)"},
		{status.Error(codes.DataLoss, "?"), codes.Internal, "plug irc1: GetUser: the call failed; see the plug's log (?)"},
		{errors.New("oops"), codes.Internal, "plug irc1: GetUser: the call failed; see the plug's log (oops)"},
	} {
		l := connect(t, &fakePlug{users: &fakeUsers{OnGetUser: func(context.Context, *plugv1.GetUserRequest) (*plugv1.GetUserResponse, error) { return nil, c.given }}})
		_, err := l.Users().GetUser(t.Context(), &plugv1.GetUserRequest{Id: "bob"})
		e := (*CallError)(nil)
		if !errors.As(err, &e) || e.Code != c.code || e.Text != c.says {
			t.Errorf("%v became %v: %q", c.given, e.Code, err)
		}
	}
	l := connect(t, &fakePlug{}) // serves nothing of it
	_, err := l.Channels().ListChannels(t.Context(), &plugv1.ListChannelsRequest{})
	if e := (*CallError)(nil); !errors.As(err, &e) || e.Code != codes.Unimplemented || strings.Contains(e.Text, "unknown") {
		t.Errorf("of a plug without the service: %v", err)
	}
}

// I2: a plug that hangs in an optional service costs its deadline, no more.
func TestOptionalDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := connect(t, &fakePlug{users: &fakeUsers{OnGetUser: func(ctx context.Context, _ *plugv1.GetUserRequest) (*plugv1.GetUserResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}})
		began := time.Now()
		_, err := l.Users().GetUser(t.Context(), &plugv1.GetUserRequest{Id: "bob"})
		if e := (*CallError)(nil); !errors.As(err, &e) || e.Code != codes.DeadlineExceeded || time.Since(began) != usersTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// What an optional service answers is as safe as what comes on the stream.
func TestOptionalAnswersAreChecked(t *testing.T) {
	good := &plugv1.Event{EventId: "1", MessageId: "1", Channel: "#c"}
	l := connect(t, &fakePlug{
		users: &fakeUsers{OnGetUser: func(_ context.Context, r *plugv1.GetUserRequest) (*plugv1.GetUserResponse, error) {
			if r.Id == "nobody" {
				return &plugv1.GetUserResponse{}, nil
			}
			return &plugv1.GetUserResponse{User: &plugv1.User{Id: r.Id, DisplayName: "b\r\nQUIT\u202e"}}, nil
		}},
		history: &fakeHistory{events: []*plugv1.Event{{Channel: "#c"}, good}},
	})
	u, err := l.Users().GetUser(t.Context(), &plugv1.GetUserRequest{Id: "bob"})
	if err != nil || u.User.DisplayName != "b  QUIT" {
		t.Errorf("user %v, %v", u, err)
	}
	_, err = l.Users().GetUser(t.Context(), &plugv1.GetUserRequest{Id: "nobody"})
	if e := (*CallError)(nil); !errors.As(err, &e) || e.Code != codes.Internal {
		t.Errorf("an empty answer: %v", err)
	}
	_, err = l.Users().GetUser(t.Context(), &plugv1.GetUserRequest{Id: strings.Repeat("x", plugv1.MaxEventBytes)})
	if e := (*CallError)(nil); !errors.As(err, &e) || e.Code != codes.InvalidArgument {
		t.Errorf("a request over the size: %v", err)
	}
	h, err := l.History().ListMessages(t.Context(), &plugv1.ListMessagesRequest{Channel: "#c"})
	if err != nil || len(h.Events) != 1 || !h.Events[0].History || !h.Events[0].Time.IsValid() {
		t.Errorf("history %v, %v", h, err)
	}
	if l.Refused() != 1 {
		t.Errorf("%d parts were refused", l.Refused())
	}
}

// What a plug answers to a change of its channels is checked and completed as at Start:
// there is one status for each, and two that meet are the operator's mistake.
func TestSetChannels(t *testing.T) {
	for name, c := range map[string]struct {
		channels []*plugv1.ChannelStatus
		want     string // the canonical sources, or what the error says
		code     codes.Code
	}{
		"an answer for some": {[]*plugv1.ChannelStatus{{Requested: "#B", Source: "#b", State: 77, Reason: "x\ny"}}, "#A #b", codes.OK},
		"none":               {nil, "#A #B", codes.OK},
		"two that meet":      {[]*plugv1.ChannelStatus{{Requested: "#B", Source: "#A"}}, `"#A" and "#B" are one channel of the network`, codes.InvalidArgument},
		"another":            {[]*plugv1.ChannelStatus{{Requested: "#C"}}, "broke the contract", codes.Internal},
		"one twice":          {[]*plugv1.ChannelStatus{{Requested: "#A"}, {Requested: "#A"}}, "broke the contract", codes.Internal},
	} {
		l := connect(t, &fakePlug{rooms: &fakeChannels{channels: c.channels}})
		r, err := l.Channels().SetChannels(t.Context(), &plugv1.SetChannelsRequest{Sources: []string{"#A", "#B"}})
		var got []string
		for _, s := range r.GetChannels() {
			got = append(got, s.Source)
			if s.State != plugv1.ChannelState_CHANNEL_STATE_JOINED || strings.Contains(s.Reason, "\n") {
				t.Errorf("%s: %v", name, s)
			}
		}
		e := &CallError{}
		switch {
		case c.code == codes.OK && (err != nil || strings.Join(got, " ") != c.want):
			t.Errorf("%s: %q, %v", name, got, err)
		case c.code != codes.OK && (!errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Text, c.want)):
			t.Errorf("%s: %v, want %v: %s", name, err, c.code, c.want)
		}
	}
}
