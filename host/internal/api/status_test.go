package api_test

import (
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
)

// S1: how a plug says that its connection is, is told by the API with the reason and
// what to do, also to those who watch; it recovers without a restart; logged out it is
// held until a person acts, and nothing is lost.
func TestNetworkStatus(t *testing.T) {
	t.Parallel()
	l := newLive(t, simnettest.Account{}, host.Options{}, "a")
	watch, err := l.client.plugs.WatchPlugs(l.ctx(), &hostv1.WatchPlugsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wait := func(state hostv1.PlugState, reason string) *hostv1.PlugStatus {
		t.Helper()
		for watch.Receive() {
			s := watch.Msg().Plug
			if s.GetPlug() != "bot" || s.State != state || !strings.Contains(s.Reason, reason) {
				continue
			}
			list, err := l.client.plugs.ListPlugs(l.ctx(), &hostv1.ListPlugsRequest{})
			if err != nil || list.Plugs[0].State != state || list.Plugs[0].Reason != s.Reason {
				t.Errorf("the list says %v, %v, and the watch %v", list, err, s)
			}
			return s
		}
		t.Fatalf("the watch ended before %v: %s: %v", state, reason, watch.Err())
		return nil
	}
	says := func(state simnettest.NetworkState, reason string) {
		t.Helper()
		l.do(simnettest.Command{Plug: &simnettest.Plug{Account: "bot", Fault: simnettest.FaultState, State: state, Reason: reason}})
	}
	ready, degraded, held := hostv1.PlugState_PLUG_STATE_READY, hostv1.PlugState_PLUG_STATE_DEGRADED, hostv1.PlugState_PLUG_STATE_HELD
	first := wait(ready, "")

	says(simnettest.NetworkDegraded, "no history; ask the admin for the right to read it")
	wait(degraded, "not everything works on the network: no history; ask the admin for the right to read it")
	says(simnettest.NetworkConnecting, "")
	wait(degraded, "not connected to the network; the plug goes on trying")
	if op := l.send(&hostv1.SendRequest{Channel: botChannel, Text: "one", Wait: true}); op.State != hostv1.OperationState_OPERATION_STATE_SENT {
		t.Errorf("sent while degraded: %v", op)
	}
	says(simnettest.NetworkConnected, "")
	wait(ready, "")

	// The connection is really lost, and comes back.
	l.do(simnettest.Command{Logins: &simnettest.Logins{Account: "bot", Verdict: simnettest.LoginUnreachable, Message: "closed until noon", Count: 1}},
		simnettest.Command{Drop: &simnettest.Drop{Account: "bot"}})
	wait(degraded, "closed until noon")
	if s := wait(ready, ""); s.Pid != first.Pid || s.Restarts != 0 {
		t.Errorf("restarted: %v, before %v", s, first)
	}

	l.do(simnettest.Command{Logins: &simnettest.Logins{Account: "bot", Verdict: simnettest.LoginLoggedOut, Message: "the token was revoked", Count: 1}},
		simnettest.Command{Drop: &simnettest.Drop{Account: "bot"}})
	wait(held, "the network refuses the plug's credentials: log in to account \"bot\": the token was revoked; give it new ones and restart it")
	op := l.send(&hostv1.SendRequest{Channel: botChannel, Text: "two"})
	if _, err := l.client.plugs.RestartPlug(l.ctx(), &hostv1.RestartPlugRequest{Plug: "bot"}); err != nil {
		t.Fatal(err)
	}
	wait(ready, "")
	if r, err := l.client.messages.GetOperation(l.ctx(), &hostv1.GetOperationRequest{OperationId: op.OperationId, Wait: true}); err != nil || r.Operation.State != hostv1.OperationState_OPERATION_STATE_SENT {
		t.Errorf("what waited: %v, %v", r, err)
	}
}
