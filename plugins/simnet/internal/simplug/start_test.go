package simplug_test

import (
	"testing"
	"time"

	hclog "github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/simplug"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	"github.com/plughost/plughost/sdk/go/plug"
)

func account(a simnettest.Account) simnettest.Command {
	a.Name = "alice"
	return simnettest.Command{Account: &a}
}

func TestStartSaysWhatTheAccountCan(t *testing.T) {
	minute := simnettest.Duration(time.Minute)
	for name, c := range map[string]struct {
		set  simnettest.Account
		want string
	}{
		"as it is": {simnettest.Account{}, `{"echo":"ECHO_OPERATION_ID", "resumable":true, "authorMode":"AUTHOR_MODE_NATIVE", "limits":{"textUnit":"LENGTH_UNIT_BYTES"}}`},
		"little": {simnettest.Account{Echo: simnettest.EchoNone, Resume: simnettest.ResumeNo, TextAuthors: true},
			`{"echo":"ECHO_NONE", "authorMode":"AUTHOR_MODE_TEXT", "limits":{"textUnit":"LENGTH_UNIT_BYTES"}}`},
		"own": {simnettest.Account{Echo: simnettest.EchoOwn, Resume: simnettest.ResumeRefused},
			`{"echo":"ECHO_OWN", "resumable":true, "authorMode":"AUTHOR_MODE_NATIVE", "limits":{"textUnit":"LENGTH_UNIT_BYTES"}}`},
		"much": {simnettest.Account{Idempotent: minute, MaxSilence: minute, PutTimeout: minute, TextLength: 9},
			`{"echo":"ECHO_OPERATION_ID", "idempotentPut":{"window":"60s"}, "resumable":true, "maxSilence":"60s",
			  "authorMode":"AUTHOR_MODE_NATIVE", "limits":{"textLength":9, "textUnit":"LENGTH_UNIT_BYTES", "putTimeout":"60s"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				reply := newHost(t, n).start("left")
				var wanted plugv1.Abilities
				if err := protojson.Unmarshal([]byte(c.want), &wanted); err != nil {
					t.Fatal(err)
				}
				// What it can do is the next test's.
				reply.GetAbilities().Actions, reply.GetAbilities().Features = nil, nil
				if got := reply.GetAbilities(); protojson.Format(got) != protojson.Format(&wanted) {
					t.Fatalf("got %v, want %v", got, &wanted)
				}
			}, account(c.set))
		})
	}
}

// What the network lacks, the plug does not announce; what it doesn't, it does.
func TestStartSaysWhatTheAccountLacks(t *testing.T) {
	for name, c := range map[string]struct {
		lacks             []script.Ability
		actions, features int
	}{
		"nothing": {nil, 8, 6},
		"some":    {[]script.Ability{script.CanEdit, script.CanReact, script.CanReply}, 5, 5},
		"all": {[]script.Ability{script.CanEdit, script.CanDelete, script.CanReact, script.CanType, script.CanRead, script.CanChange,
			script.CanReply, script.CanThread, script.CanFormat, script.CanMention, script.CanLocate, script.CanEmote}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				a := newHost(t, n).start("left").GetAbilities()
				if len(a.Actions) != c.actions || len(a.Features) != c.features {
					t.Fatalf("actions %v, features %v", a.Actions, a.Features)
				}
			}, account(simnettest.Account{Lacks: c.lacks}))
		})
	}
}

// The network id is constant and names the account; two instances of one account
// have the same, and it can change.
func TestNetworkID(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		one, two := newHost(t, n).start("left"), newHost(t, n).start("left")
		if one.GetNetworkId() != "simnet:alice" || two.GetNetworkId() != one.GetNetworkId() || one.GetSelf().GetId() != "alice" {
			t.Fatalf("%v and %v", one, two)
		}
		do(t, n, account(simnettest.Account{NetworkID: "simnet:elsewhere"}))
		if three := newHost(t, n).start("left"); three.GetNetworkId() != "simnet:elsewhere" {
			t.Fatalf("%v", three)
		}
	})
}

func TestSourcesAndStates(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		states := []simnettest.Channel{
			{Name: "pending", State: simnettest.StatePending}, {Name: "read", State: simnettest.StateReadOnly},
			{Name: "denied", State: simnettest.StateDenied, Reason: "banned"}, {Name: "none", State: simnettest.StateNotFound},
		}
		for _, c := range states {
			do(t, n, simnettest.Command{Channel: &c})
		}
		reply := newHost(t, n).start("#Case", "pending", "read", "denied", "none")
		want := []string{
			`requested:"#Case" source:"#case" state:CHANNEL_STATE_JOINED`,
			`requested:"pending" source:"pending" state:CHANNEL_STATE_PENDING`,
			`requested:"read" source:"read" state:CHANNEL_STATE_READ_ONLY`,
			`requested:"denied" source:"denied" state:CHANNEL_STATE_DENIED reason:"banned"`,
			`requested:"none" source:"none" state:CHANNEL_STATE_NOT_FOUND`,
		}
		for i, c := range reply.GetChannels() {
			var wanted plugv1.ChannelStatus
			if err := prototext.Unmarshal([]byte(want[i]), &wanted); err != nil {
				t.Fatal(err)
			}
			if protojson.Format(c) != protojson.Format(&wanted) {
				t.Errorf("got %v, want %v", c, &wanted)
			}
		}
	})
}

func TestStartVerdicts(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		do(t, n,
			simnettest.Command{Logins: &simnettest.Logins{
				Account: "alice", Verdict: simnettest.LoginUnreachable, RetryAfter: simnettest.Duration(time.Minute),
			}},
			simnettest.Command{Logins: &simnettest.Logins{Account: "alice", Verdict: simnettest.LoginLoggedOut}},
			simnettest.Command{Logins: &simnettest.Logins{Account: "alice", Verdict: simnettest.LoginBadConfig, Field: "/account"}},
		)
		h := newHost(t, n)
		if f := h.tryStart().GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_UNREACHABLE ||
			f.GetRetryAfter().AsDuration() != time.Minute {
			t.Errorf("%v", f)
		}
		if f := h.tryStart().GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_LOGGED_OUT {
			t.Errorf("%v", f)
		}
		if f := h.tryStart().GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_BAD_CONFIG || f.GetField() != "/account" {
			t.Errorf("%v", f)
		}
		for config, field := range map[string]string{
			`{"address":"x","account":""}`:           "/account",
			`{"address":"","account":"a"}`:           "/address",
			`{"address":"x","account":7}`:            "/account",
			`{"address":"x","account":"a","foo":""}`: "",
		} {
			reply, err := h.client.Start(t.Context(), &plugv1.StartRequest{ConfigJson: config})
			if err != nil {
				t.Fatal(err)
			}
			if f := reply.GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_BAD_CONFIG || f.GetField() != field {
				t.Errorf("%s: %v", config, f)
			}
		}
		do(t, n, account(simnettest.Account{Token: "secret"}))
		if f := h.tryStart().GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_LOGGED_OUT {
			t.Errorf("without the token: %v", f)
		}
		reply, err := h.client.Start(t.Context(), &plugv1.StartRequest{ConfigJson: `{"address":"x","account":"alice","token":"secret"}`})
		if err != nil || reply.GetFailure() != nil {
			t.Errorf("with the token: %v, %v", reply, err)
		}
	})
}

func TestNobodyThere(t *testing.T) {
	server, err := plug.NewServer(
		simplug.Definition("simnet", plugv1.PutScope_PUT_SCOPE_PLUG, simplug.Options{}), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	d, err := server.Describe(t.Context(), &plugv1.DescribeRequest{})
	if err != nil || d.GetPutScope() != plugv1.PutScope_PUT_SCOPE_PLUG || d.GetMaxConcurrentPuts() != 256 {
		t.Fatalf("%v, %v", d, err)
	}
	reply, err := server.Start(t.Context(), &plugv1.StartRequest{
		ConfigJson: `{"address":"unix:` + t.TempDir() + `/none","account":"alice"}`,
	})
	if err != nil || reply.GetFailure().GetVerdict() != plugv1.StartVerdict_START_VERDICT_UNREACHABLE {
		t.Fatalf("%v, %v", reply, err)
	}
}
