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
	"github.com/plughost/plughost/sdk/go/plug/utility"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// known is a Plug with every optional call.
type known struct {
	fake
	mu       sync.Mutex // guards asked
	err      error
	channels []*plugv1.Channel
	history  []*plugv1.Event
	asked    []string
	wait     func(context.Context) // in GetUser, if set
}

func (k *known) ask(format string, args ...any) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, fmt.Sprintf(format, args...))
	return k.err
}

func (k *known) GetUser(ctx context.Context, id string) (*plugv1.User, error) {
	if k.wait != nil {
		k.wait(ctx)
	}
	if id == "nobody" {
		return nil, nil
	}
	return &plugv1.User{Id: id}, k.ask("user %s", id)
}

func (k *known) GetUserByUsername(_ context.Context, name string) (*plugv1.User, error) {
	return &plugv1.User{Username: name}, k.ask("username %s", name)
}

func (k *known) IsSelf(_ context.Context, u *plugv1.User) (bool, error) {
	return u.GetId() == "me", k.ask("self %s", u.GetId())
}

func (k *known) ListChannels(_ context.Context, private bool, contains string, limit int) ([]*plugv1.Channel, error) {
	return k.channels, k.ask("list %v %s %d", private, contains, limit)
}

func (k *known) GetChannel(_ context.Context, source string) (*plugv1.Channel, error) {
	return &plugv1.Channel{Source: source}, k.ask("channel %s", source)
}

func (k *known) GetDirectChannel(_ context.Context, u *plugv1.User) (*plugv1.Channel, error) {
	return &plugv1.Channel{Source: "dm " + u.GetId()}, k.ask("direct %s", u.GetId())
}

func (k *known) ListMembers(_ context.Context, source string) ([]*plugv1.User, error) {
	return []*plugv1.User{{Id: "u"}}, k.ask("members %s", source)
}

func (k *known) ListAdmins(_ context.Context, source string) ([]*plugv1.User, error) {
	return []*plugv1.User{{Id: "a"}}, k.ask("admins %s", source)
}

func (k *known) RenameChannel(_ context.Context, source, title string) error {
	return k.ask("rename %s %s", source, title)
}

func (k *known) InviteMembers(_ context.Context, source string, users []*plugv1.User) error {
	return k.ask("invite %s %d", source, len(users))
}

func (k *known) RemoveMembers(_ context.Context, source string, users []*plugv1.User) error {
	return k.ask("remove %s %d", source, len(users))
}

func (k *known) CreateInviteLink(_ context.Context, source string) (string, error) {
	return "https://chat.example/1", k.ask("link %s", source)
}

func (k *known) RevokeInviteLink(_ context.Context, source, link string) error {
	return k.ask("revoke %s %s", source, link)
}

func (k *known) ListMessages(_ context.Context, channel string, before *plugv1.Receipt, limit int) ([]*plugv1.Event, error) {
	return k.history, k.ask("messages %s %s %d", channel, before.GetId(), limit)
}

func (k *known) GetMessage(_ context.Context, channel string, m *plugv1.Receipt) (*plugv1.Event, error) {
	if m.GetId() == "none" {
		return nil, nil
	}
	return message(m.GetId()), k.ask("message %s %s", channel, m.GetId())
}

func (k *known) FindOperation(_ context.Context, channel, id string) ([]*plugv1.FoundPart, error) {
	return []*plugv1.FoundPart{{Part: 1, Receipt: receipt(id)}}, k.ask("find %s %s", channel, id)
}

// The seeds: the utility methods, by which hooks and external code interact deeper.
// Each reaches the author's method, and its answer the host.
func TestUtilityMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &known{}
		h := newHost(t, newOf(k))
		h.start()
		ctx := t.Context()
		users, channels, history := plugv1.NewUsersClient(h.conn), plugv1.NewChannelsClient(h.conn), plugv1.NewHistoryClient(h.conn)
		someone := &plugv1.User{Id: "u"}
		for want, call := range map[string]func() (string, error){
			"user u": func() (string, error) {
				r, err := users.GetUser(ctx, &plugv1.GetUserRequest{Id: "u"})
				return r.GetUser().GetId(), err
			},
			"username u": func() (string, error) {
				r, err := users.GetUserByUsername(ctx, &plugv1.GetUserByUsernameRequest{Username: "u"})
				return r.GetUser().GetUsername(), err
			},
			"self me": func() (string, error) {
				r, err := users.IsSelf(ctx, &plugv1.IsSelfRequest{User: &plugv1.User{Id: "me"}})
				return fmt.Sprint(r.GetIsSelf()), err
			},
			"list true x 100": func() (string, error) {
				_, err := channels.ListChannels(ctx, &plugv1.ListChannelsRequest{Private: true, Contains: "x"})
				return "ok", err
			},
			"channel room": func() (string, error) {
				r, err := channels.GetChannel(ctx, &plugv1.GetChannelRequest{Source: "room"})
				return r.GetChannel().GetSource(), err
			},
			"direct u": func() (string, error) {
				r, err := channels.GetDirectChannel(ctx, &plugv1.GetDirectChannelRequest{User: someone})
				return r.GetChannel().GetSource(), err
			},
			"members room": func() (string, error) {
				r, err := channels.ListMembers(ctx, &plugv1.ListMembersRequest{Source: "room"})
				return fmt.Sprint(r.GetUsers()), err
			},
			"admins room": func() (string, error) {
				r, err := channels.ListAdmins(ctx, &plugv1.ListAdminsRequest{Source: "room"})
				return fmt.Sprint(r.GetUsers()), err
			},
			"rename room news": func() (string, error) {
				_, err := channels.RenameChannel(ctx, &plugv1.RenameChannelRequest{Source: "room", Title: "news"})
				return "ok", err
			},
			"invite room 1": func() (string, error) {
				_, err := channels.InviteMembers(ctx, &plugv1.InviteMembersRequest{Source: "room", Users: []*plugv1.User{someone}})
				return "ok", err
			},
			"remove room 1": func() (string, error) {
				_, err := channels.RemoveMembers(ctx, &plugv1.RemoveMembersRequest{Source: "room", Users: []*plugv1.User{someone}})
				return "ok", err
			},
			"link room": func() (string, error) {
				r, err := channels.CreateInviteLink(ctx, &plugv1.CreateInviteLinkRequest{Source: "room"})
				return r.GetLink(), err
			},
			"revoke room x": func() (string, error) {
				_, err := channels.RevokeInviteLink(ctx, &plugv1.RevokeInviteLinkRequest{Source: "room", Link: "x"})
				return "ok", err
			},
			"messages room m9 5": func() (string, error) {
				_, err := history.ListMessages(ctx, &plugv1.ListMessagesRequest{Channel: "room", Before: receipt("m9"), Limit: 5})
				return "ok", err
			},
			"message room m1": func() (string, error) {
				r, err := history.GetMessage(ctx, &plugv1.GetMessageRequest{Channel: "room", Message: receipt("m1")})
				if e := r.GetEvent(); err == nil && (!e.GetHistory() || e.GetEventId() == "" || e.GetTime() == nil) {
					return "", fmt.Errorf("event %v", e)
				}
				return r.GetEvent().GetMessageId(), err
			},
			"find room " + op: func() (string, error) {
				r, err := history.FindOperation(ctx, &plugv1.FindOperationRequest{Channel: "room", OperationId: op})
				return fmt.Sprint(r.GetParts()), err
			},
		} {
			k.asked, k.err = nil, nil
			if got, err := call(); err != nil || got == "" || got == "false" || got == "[]" || !slices.Equal(k.asked, []string{want}) {
				t.Errorf("%s: got %q, %v, asked %q", want, got, err, k.asked)
			}
			for code, answer := range map[codes.Code]error{
				codes.NotFound:         fmt.Errorf("look: %w", utility.NotFound(errors.New("no such room"))),
				codes.PermissionDenied: utility.Denied(nil),
				codes.Unimplemented:    errors.ErrUnsupported,
				codes.Unavailable:      errors.New("connection \xff reset"),
			} {
				k.err = answer
				if _, err := call(); status.Code(err) != code {
					t.Errorf("%s: %v became %v", want, answer, err)
				}
			}
		}
		k.err = nil
		if _, err := users.GetUser(ctx, &plugv1.GetUserRequest{Id: "nobody"}); status.Code(err) != codes.NotFound {
			t.Errorf("nobody: %v", err)
		}
		if _, err := history.GetMessage(ctx, &plugv1.GetMessageRequest{Channel: "room", Message: receipt("none")}); status.Code(err) != codes.NotFound {
			t.Errorf("no message: %v", err)
		}
		k.wait = func(context.Context) { panic("password hunter2") }
		if _, err := users.GetUser(ctx, &plugv1.GetUserRequest{}); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a panic: %v", err)
		}
		if !strings.Contains(h.log.String(), "hunter2") {
			t.Error("the log lacks the panic")
		}
		if err := h.stop(time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := users.GetUser(ctx, &plugv1.GetUserRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("after Stop: %v", err)
		}
	})
}

// Lists have what was asked for and no more, also if the author gives all there is.
func TestListsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &known{channels: []*plugv1.Channel{
			{Source: "#go"}, {Source: "#c", Title: "going on"}, {Source: "#go-secret", Private: true}, {Source: "#rust"}, {Source: "#go2"},
		}}
		h := newHost(t, newOf(k))
		h.start()
		list, err := plugv1.NewChannelsClient(h.conn).ListChannels(t.Context(), &plugv1.ListChannelsRequest{Contains: "go", Limit: 2})
		if err != nil || len(list.GetChannels()) != 2 || list.GetChannels()[1].GetSource() != "#c" {
			t.Errorf("got %v, %v", list, err)
		}
		history := plugv1.NewHistoryClient(h.conn)
		for n := range 5 {
			k.history = append(k.history, message(fmt.Sprint(n)))
		}
		newest, err := history.ListMessages(t.Context(), &plugv1.ListMessagesRequest{Channel: "room", Limit: 2})
		if e := newest.GetEvents(); err != nil || len(e) != 2 || e[0].GetMessageId() != "3" || e[1].GetMessageId() != "4" || !e[0].GetHistory() {
			t.Errorf("got %v, %v", newest, err)
		}
		k.history = nil
		for n := range 100 {
			e := message(fmt.Sprint(n))
			e.GetMessage().Text = NewText(strings.Repeat("x", 200<<10))
			k.history = append(k.history, e)
		}
		newest, err = history.ListMessages(t.Context(), &plugv1.ListMessagesRequest{Channel: "room"})
		if e := newest.GetEvents(); err != nil || len(e) < 10 || e[len(e)-1].GetMessageId() != "99" {
			t.Errorf("got %d, %v", len(e), err)
		}
		k.history = []*plugv1.Event{{}}
		if _, err := history.ListMessages(t.Context(), &plugv1.ListMessagesRequest{Channel: "room"}); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}

// A plug serves what it implements of the services, and of those no more.
func TestAbsentServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newOf(onlySelf{&fake{}}))
		h.start()
		if got := h.server.description.GetServices(); !slices.Equal(got, []string{"plughost.plug.v1.NetworkStatus", "plughost.plug.v1.Users"}) {
			t.Errorf("services %v", got)
		}
		users := plugv1.NewUsersClient(h.conn)
		if r, err := users.IsSelf(t.Context(), &plugv1.IsSelfRequest{}); err != nil || !r.GetIsSelf() {
			t.Errorf("got %v, %v", r, err)
		}
		if _, err := users.GetUser(t.Context(), &plugv1.GetUserRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
		if _, err := plugv1.NewChannelsClient(h.conn).SetChannels(t.Context(), &plugv1.SetChannelsRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
		h = newHost(t, newOf(&known{}))
		h.start()
		if _, err := plugv1.NewChannelsClient(h.conn).SetChannels(t.Context(), &plugv1.SetChannelsRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
		if n := len(h.server.description.GetServices()); n != 4 {
			t.Errorf("%d services", n)
		}
	})
}

type onlySelf struct{ *fake }

func (onlySelf) IsSelf(context.Context, *plugv1.User) (bool, error) { return true, nil }

// A call that runs when the plug is stopped ends before the author's Stop.
func TestStopEndsUtilityCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		k := &known{}
		k.wait = func(ctx context.Context) {
			<-ctx.Done()
			order = append(order, fmt.Sprint(context.Cause(ctx)))
		}
		k.onStop = func(context.Context) error {
			order = append(order, "stop")
			return nil
		}
		h := newHost(t, newOf(k))
		h.start()
		go func() { _, _ = plugv1.NewUsersClient(h.conn).GetUser(t.Context(), &plugv1.GetUserRequest{}) }()
		synctest.Wait()
		if err := h.stop(time.Minute); err != nil || !slices.Equal(order, []string{ErrStopped.Error(), "stop"}) {
			t.Errorf("%v, %v", order, err)
		}
	})
}

// Calls are bounded: a flood of them is refused, and Puts go on.
func TestUtilityCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &known{}
		k.wait = func(ctx context.Context) { <-ctx.Done() }
		h := newHost(t, newOf(k))
		h.start()
		users := plugv1.NewUsersClient(h.conn)
		for range maxCalls {
			go func() { _, _ = users.GetUser(t.Context(), &plugv1.GetUserRequest{}) }()
		}
		synctest.Wait()
		if _, err := users.GetUser(t.Context(), &plugv1.GetUserRequest{}); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v", err)
		}
	})
}
