package simplug

import (
	"os"
	"sync"
	"syscall"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/sdk/go/plug"
)

// orders are what the script ordered the plug to do wrong.
type orders struct {
	// session is of the plug's life; die ends or stops the process. Set by begin,
	// before any order comes.
	session *plug.Session
	die     func(script.Fault)

	mu sync.Mutex
	// next holds the orders for coming Puts, in order. Bound: the script.
	next []script.Plug
}

func (o *orders) begin(session *plug.Session, die func(script.Fault)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.session, o.die, o.next = session, die, nil
}

// take keeps an order, or carries it out if it is for now.
func (o *orders) take(p script.Plug) {
	if p.Fault == script.FaultState {
		o.session.SetNetworkState(networkStates[p.State], p.Reason)
		return
	}
	if p.At == script.AtOnce || p.At == "" {
		o.die(p.Fault)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next = append(o.next, p)
}

// at carries out the first order for a point of a Put, if there is one.
func (o *orders) at(point script.Point, channel string) {
	fault, ok := o.find(point, channel)
	if !ok {
		return
	}
	switch fault {
	case script.FaultPanic:
		panic("the script ordered a panic")
	case script.FaultHang:
		<-o.session.Context().Done()
	default:
		o.die(fault)
	}
}

func (o *orders) find(point script.Point, channel string) (script.Fault, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, p := range o.next {
		if p.At == point && (p.Channel == "" || p.Channel == channel) {
			o.next = append(o.next[:i], o.next[i+1:]...)
			return p.Fault, true
		}
	}
	return "", false
}

var networkStates = map[script.NetworkState]plugv1.NetworkState{
	script.NetworkConnecting: plugv1.NetworkState_NETWORK_STATE_CONNECTING,
	script.NetworkConnected:  plugv1.NetworkState_NETWORK_STATE_CONNECTED,
	script.NetworkDegraded:   plugv1.NetworkState_NETWORK_STATE_DEGRADED,
	script.NetworkLoggedOut:  plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT,
}

// exitStatus is that of an ordered exit.
const exitStatus = 3

// die ends or stops this process.
func die(f script.Fault) {
	switch f {
	case script.FaultExit:
		os.Exit(exitStatus)
	case script.FaultHang:
		// To the process itself: no signal handler can be in the way of SIGSTOP. An
		// error would leave the process running, which the script would notice.
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case script.FaultCrash:
		// On a goroutine of its own, where nothing recovers it.
		go panic("the script ordered a crash")
		select {}
	}
}
