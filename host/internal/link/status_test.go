package link

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fakeStatus serves NetworkStatus.
type fakeStatus struct {
	plugv1.UnimplementedNetworkStatusServer
	OnWatch func(grpc.ServerStreamingServer[plugv1.WatchStatusResponse]) error
}

func (f *fakeStatus) WatchStatus(_ *plugv1.WatchStatusRequest, s grpc.ServerStreamingServer[plugv1.WatchStatusResponse]) error {
	return f.OnWatch(s)
}

// watched runs WatchStatus for a while, and returns what it told and when.
func watched(t *testing.T, while time.Duration, plug func(grpc.ServerStreamingServer[plugv1.WatchStatusResponse]) error) (told []string) {
	t.Helper()
	l := connect(t, &fakePlug{status: &fakeStatus{OnWatch: plug}})
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	began := time.Now()
	l.WatchStatus(ctx, func(s plugv1.NetworkState, reason string) {
		told = append(told, strings.TrimSpace(strings.TrimPrefix(s.String(), "NETWORK_STATE_")+" "+reason)+" "+time.Since(began).String())
	})
	if after := time.Since(began); after != while {
		t.Errorf("the watch ended after %v, want %v", after, while)
	}
	return told
}

// A plug tells how its connection is, in order and in clean words; a watch that it ends
// or breaks is opened again, and one in which it hangs ends with the host's wish (I2).
func TestWatchStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		told := watched(t, time.Minute, func(s grpc.ServerStreamingServer[plugv1.WatchStatusResponse]) error {
			switch runs++; runs {
			case 1:
				_ = s.Send(&plugv1.WatchStatusResponse{State: plugv1.NetworkState_NETWORK_STATE_CONNECTING, Reason: "it is\n\x1b[31maway"})
				_ = s.Send(&plugv1.WatchStatusResponse{State: plugv1.NetworkState_NETWORK_STATE_DEGRADED})
				return nil
			case 2:
				return errors.New("no such thing")
			}
			_ = s.Send(&plugv1.WatchStatusResponse{State: 77})
			<-s.Context().Done()
			return nil
		})
		want := []string{"CONNECTING it is [31maway 0s", "DEGRADED 0s", "77 10s"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// D5: a plug that says another state all the time is waited with: what it says goes to
// logs and to whoever watches.
func TestWatchStatusIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := watched(t, 10*time.Second, func(s grpc.ServerStreamingServer[plugv1.WatchStatusResponse]) error {
			for {
				if err := s.Send(&plugv1.WatchStatusResponse{State: plugv1.NetworkState_NETWORK_STATE_DEGRADED}); err != nil {
					return err
				}
			}
		})
		if most := 11 * maxStates; len(told) > most || len(told) < most-maxStates {
			t.Errorf("told %d states in 10 s, want about %d", len(told), most)
		}
	})
}
