package plug

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Typing is answered at once, in order, holds up neither Puts nor the stop, and its
// failure is the log's.
func TestBestEffortActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		plug := &chat{}
		plug.fail = func(call string) error {
			if strings.HasPrefix(call, "typing") {
				<-release
				return errors.New("no such thing")
			}
			return nil
		}
		blocked := &blockedTyper{chat: plug, release: release}
		d := Definition{New: func() Plug { return blocked }}
		h := newHost(t, d)
		h.start()
		began := time.Now()
		typing := func(typing bool) {
			resp := h.put(t.Context(), asking(&plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: typing}}}))
			if resp.GetFailure() != nil || len(resp.GetReceipts()) > 0 {
				t.Errorf("got %v", resp)
			}
		}
		typing(true)
		for range maxEfforts + 10 {
			typing(false)
		}
		h.put(t.Context())
		if time.Since(began) != 0 {
			t.Errorf("it took %v", time.Since(began))
		}
		close(release)
		synctest.Wait()
		calls := blocked.seen()
		if len(calls) > maxEfforts+1 || !calls[0] || slices.Contains(calls[1:], true) {
			t.Errorf("%d calls: %v", len(calls), calls)
		}
	})
}

// blockedTyper waits in Typing, whatever its context says.
type blockedTyper struct {
	*chat
	release chan struct{}
	typed   []bool
}

func (b *blockedTyper) Typing(_ context.Context, _ string, _ *plugv1.Author, typing bool) error {
	<-b.release
	b.mu.Lock()
	defer b.mu.Unlock()
	b.typed = append(b.typed, typing)
	if len(b.typed) == 2 {
		panic("password hunter2")
	}
	return errors.New("no such thing")
}

func (b *blockedTyper) seen() []bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.typed
}

// What was typed long ago is not shown.
func TestBestEffortGrowsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		plug := &blockedTyper{chat: &chat{}, release: release}
		h := newHost(t, newOf(plug))
		h.start()
		for range 3 {
			h.put(t.Context(), asking(&plugv1.Action{Kind: &plugv1.Action_Typing{Typing: &plugv1.Typing{Typing: true}}}))
		}
		time.Sleep(effortTimeout)
		close(release)
		synctest.Wait()
		if n := len(plug.seen()); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}
