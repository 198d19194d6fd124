package presence

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

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logbook is a log of a test's, which can fail.
type logbook struct {
	mu      sync.Mutex
	said    []string
	members []room.Person
	fail    error
}

func (l *logbook) Do(_ context.Context, c room.Change) (room.Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return room.Change{}, l.fail
	}
	l.said = append(l.said, fmt.Sprint(c.By.Name, map[room.Kind]string{room.Joined: "+", room.Left: "-"}[c.Kind], c.Room))
	return c, nil
}

func (l *logbook) Members(_ context.Context, name string) ([]room.Person, error) {
	if name == "den" {
		return nil, nil
	}
	return l.members, nil
}

// log is all that was written down, once nothing moves any more.
func (l *logbook) log() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, " ")
}

var ann, bo = room.Person{ID: "ann", Name: "Ann"}, room.Person{ID: "bo", Name: "Bo"}

// run runs a Presence in a bubble.
func run(t *testing.T, l *logbook, do func(p *Presence)) {
	synctest.Test(t, func(t *testing.T) {
		p := New(l, []string{"lobby", "den"}, hclog.NewNullLogger())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		do(p)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// A reload is no going, and two pages are one person.
func TestReload(t *testing.T) {
	l := &logbook{}
	run(t, l, func(p *Presence) {
		p.Enter("lobby", ann)
		p.Enter("lobby", ann)
		p.Leave("lobby", ann)
		time.Sleep(2 * Grace)
		if got := l.log(); got != "Ann+lobby" {
			t.Errorf("with a page left: %s", got)
		}
		for range 3 {
			p.Leave("lobby", ann)
			time.Sleep(Grace - time.Second)
			p.Enter("lobby", ann)
		}
		if got := l.log(); got != "Ann+lobby" {
			t.Errorf("after reloads: %s", got)
		}
		p.Enter("den", ann)
		p.Leave("lobby", ann)
		time.Sleep(Grace - time.Second)
		if got := l.log(); got != "Ann+lobby Ann+den" {
			t.Errorf("gone for less than the grace: %s", got)
		}
		time.Sleep(time.Second)
		if got := l.log(); got != "Ann+lobby Ann+den Ann-lobby" {
			t.Errorf("gone: %s", got)
		}
		p.Enter("lobby", ann)
		if got := l.log(); !strings.HasSuffix(got, " Ann+lobby") {
			t.Errorf("back: %s", got)
		}
	})
}

func TestRename(t *testing.T) {
	l := &logbook{}
	run(t, l, func(p *Presence) {
		p.Rename("lobby", bo) // isn't there
		p.Enter("lobby", ann)
		l.log()
		p.Rename("lobby", room.Person{ID: "ann", Name: "Zoë"})
		if got := l.log(); got != "Ann+lobby Zoë+lobby" {
			t.Errorf("got %s", got)
		}
	})
}

// Who was there before a restart has the grace to come back, and is then told to
// have gone.
func TestRestart(t *testing.T) {
	l := &logbook{members: []room.Person{ann, bo}}
	run(t, l, func(p *Presence) {
		p.Enter("lobby", bo)
		time.Sleep(Grace - time.Second)
		if got := l.log(); got != "" {
			t.Errorf("too early: %s", got)
		}
		time.Sleep(time.Second)
		if got := l.log(); got != "Ann-lobby" {
			t.Errorf("got %s", got)
		}
	})
}

// What can't be written down now is written down later.
func TestLogFails(t *testing.T) {
	l := &logbook{fail: errors.New("disk full")}
	run(t, l, func(p *Presence) {
		p.Enter("lobby", ann)
		synctest.Wait()
		l.mu.Lock()
		l.fail = nil
		l.mu.Unlock()
		time.Sleep(again)
		if got := l.log(); got != "Ann+lobby" {
			t.Errorf("got %s", got)
		}
	})
}

func TestStaysAreBounded(t *testing.T) {
	l := &logbook{}
	run(t, l, func(p *Presence) {
		for i := range maxStays + 5 {
			p.Enter("lobby", room.Person{ID: fmt.Sprint(i), Name: "X"})
		}
		l.log()
		if len(l.said) != maxStays {
			t.Errorf("%d are there", len(l.said))
		}
		for i := range maxStays + 5 {
			p.Leave("lobby", room.Person{ID: fmt.Sprint(i), Name: "X"})
		}
		time.Sleep(Grace)
		synctest.Wait()
		if len(p.stays) != 0 {
			t.Errorf("%d are remembered", len(p.stays))
		}
	})
}

func TestTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewTyping()
		now := func(want ...room.Person) {
			t.Helper()
			synctest.Wait()
			var got []room.Person
			for _, w := range w.Now("lobby") {
				got = append(got, w.Person)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v write, want %v", got, want)
			}
		}
		changed := w.Changed()
		w.Set("lobby", bo, true)
		w.Set("lobby", ann, true)
		w.Set("den", ann, true)
		now(ann, bo)
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		time.Sleep(Writing - time.Second)
		changed = w.Changed()
		w.Set("lobby", ann, true) // goes on
		select {
		case <-changed:
		default:
			t.Error("nobody was told that it goes on")
		}
		if w.Now("lobby")[0].Said != 2 {
			t.Errorf("said %d times", w.Now("lobby")[0].Said)
		}
		time.Sleep(time.Second)
		now(ann)
		w.Set("lobby", ann, false)
		now()
		for i := range maxWriters + 5 {
			w.Set("lobby", room.Person{ID: fmt.Sprint(i)}, true)
		}
		if n := len(w.Now("lobby")); n != maxWriters {
			t.Errorf("%d write", n)
		}
		time.Sleep(Writing)
		now()
	})
}
