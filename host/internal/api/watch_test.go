package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
)

// watch collects what a watcher sees.
func watch(ctx context.Context, c *api.Client) (seen <-chan string, ended <-chan error) {
	all, end := make(chan string, 4096), make(chan error, 1)
	go func() {
		end <- c.Watch(ctx, func(s host.Status) { all <- fmt.Sprintf("%s %s %d", s.Plug, s.State, s.Restarts) })
	}()
	return all, end
}

func wantSeen(t *testing.T, seen <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next(t, seen); got != w {
			t.Errorf("saw %q, want %q", got, w)
		}
	}
}

// Every plug first, then every change, in order, none twice and none left out.
func TestWatch(t *testing.T) {
	dir, h := t.TempDir(), newFakeHost()
	server, stop := serve(t, dir, h)
	server.Changed(host.Status{Plug: "south", State: "starting", Restarts: 4})
	c, ctx := client(t, dir)
	seen, ended := watch(ctx, c)
	wantSeen(t, seen, "north ready 0", "broken failed 0", "south starting 4")
	for i := range 100 {
		server.Changed(host.Status{Plug: "north", State: "ready", Restarts: i})
	}
	for i := range 100 {
		wantSeen(t, seen, fmt.Sprintf("north ready %d", i))
	}
	stop()
	if err := next(t, ended); err == nil || err.Error() != "the host stops" {
		t.Errorf("the watch ended with %v", err)
	}
	if len(seen) != 0 {
		t.Errorf("saw %d more", len(seen))
	}
}

// A change between the list and the first change of a watcher is not lost, and
// what the watcher knows never goes back.
func TestWatchFollowsTheLastChange(t *testing.T) {
	dir, h := t.TempDir(), newFakeHost()
	server, _ := serve(t, dir, h)
	h.onStatus = func() { server.Changed(host.Status{Plug: "north", State: "stopping"}) }
	c, ctx := client(t, dir)
	seen, _ := watch(ctx, c)
	wantSeen(t, seen, "north stopping 0", "broken failed 0", "south backoff 3")
}

// A watcher that doesn't read is cut off; Changed never waits for it.
func TestWatcherThatFallsBehind(t *testing.T) {
	dir, h := t.TempDir(), newFakeHost()
	server, _ := serve(t, dir, h)
	c, ctx := client(t, dir)
	slow, reading, ended := make(chan struct{}), make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func(host.Status) {
			select {
			case reading <- struct{}{}:
			default:
			}
			<-slow
		})
	}()
	next(t, reading)
	// Enough for every buffer between here and there.
	long := strings.Repeat("x", 32<<10)
	for range 2000 {
		server.Changed(host.Status{Plug: "north", State: "ready", Reason: long})
	}
	close(slow)
	if err := next(t, ended); err == nil || !strings.Contains(err.Error(), "more than 256 changes behind") {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestWatcherThatLeaves(t *testing.T) {
	dir, h := t.TempDir(), newFakeHost()
	server, _ := serve(t, dir, h)
	c, ctx := client(t, dir)
	ctx, leave := context.WithCancel(ctx)
	seen, ended := watch(ctx, c)
	next(t, seen)
	leave()
	if err := next(t, ended); !errors.Is(err, context.Canceled) && connect.CodeOf(err) != connect.CodeCanceled {
		t.Errorf("the watch ended with %v", err)
	}
	server.Changed(host.Status{Plug: "north"})
}
