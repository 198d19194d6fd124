package link

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// S3: only the time in which the host reads counts as silence.
func TestLastHeard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := make(chan *plugv1.StreamMessagesResponse)
		l := connect(t, &fakePlug{
			OnStart: func(context.Context, *plugv1.StartRequest) (*plugv1.StartResponse, error) {
				return &plugv1.StartResponse{NetworkId: "n"}, nil
			},
			OnStream: func(s streamServer) error {
				for {
					select {
					case a := <-next:
						if err := s.Send(a); err != nil {
							return err
						}
					case <-s.Context().Done():
						return nil
					}
				}
			},
		})
		silence := func() (stream, network time.Duration) {
			t.Helper()
			synctest.Wait()
			s, n := l.LastHeard()
			return time.Since(s), time.Since(n)
		}
		if _, err := l.Start(t.Context(), &plugv1.StartRequest{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s, n := silence(); s != 0 || n != 0 {
			t.Errorf("without a stream: %v, %v", s, n)
		}
		stream := open(t, l)
		read := make(chan struct{})
		go func() {
			for range read {
				if _, err := stream.Recv(); err != nil {
					return
				}
			}
		}()
		defer close(read)
		time.Sleep(time.Minute)
		if s, _ := silence(); s != 0 {
			t.Errorf("the host doesn't read, yet the plug is silent for %v", s)
		}
		read <- struct{}{}
		time.Sleep(time.Minute)
		if s, n := silence(); s != time.Minute || n != 3*time.Minute {
			t.Errorf("a minute of waiting, three since Start: %v, %v", s, n)
		}
		heard := answer(1)
		heard.LastNetworkActivity = timestamppb.New(time.Now().Add(-10 * time.Second))
		next <- heard
		time.Sleep(time.Minute) // storing the answer takes the host a minute
		if s, n := silence(); s != 0 || n != 0 {
			t.Errorf("busy storing: %v, %v", s, n)
		}
		read <- struct{}{}
		time.Sleep(5 * time.Second)
		if s, n := silence(); s != 5*time.Second || n != 75*time.Second {
			t.Errorf("waiting again: %v, %v", s, n)
		}
		// An older time does not go back, a future one is the present.
		older := answer(2)
		older.LastNetworkActivity = timestamppb.New(time.Now().Add(-time.Hour))
		next <- older
		read <- struct{}{}
		if _, n := silence(); n != 75*time.Second {
			t.Errorf("went back to %v", n)
		}
		future := answer(3)
		future.LastNetworkActivity = timestamppb.New(time.Now().Add(time.Hour))
		next <- future
		read <- struct{}{}
		time.Sleep(time.Second)
		if _, n := silence(); n != time.Second {
			t.Errorf("a time in the future hides a silence: %v", n)
		}
		// The plug's clock is an hour behind: what it tells anew came since its last answer.
		for i := range 3 {
			behind := answer(uint64(4 + i))
			behind.LastNetworkActivity = timestamppb.New(time.Now().Add(-time.Hour))
			time.Sleep(10 * time.Second)
			next <- behind
			read <- struct{}{}
		}
		time.Sleep(time.Second)
		if _, n := silence(); n != 11*time.Second {
			t.Errorf("a plug's clock that is behind: %v, want the time since the last answer but one", n)
		}
		stream.Close()
		if s, _ := silence(); s != 0 {
			t.Errorf("after the stream: %v", s)
		}
	})
}
