package network_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/director"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// However many messages of a channel a session has seen already, those that come
// behind them in the log are shown at once.
func TestSeenMessagesHoldNothingUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left", "right")
		for range 1000 {
			w.say("left", "Bob", "seen")
		}
		w.say("right", "Bob", "not seen")
		p.s.Close(errors.New("killed"))
		again, _ := w.plug("alice", map[string]string{"left": p.cursor(1000), "right": p.cursor(0)}, "left", "right")
		if frames := again.frames(); !strings.Contains(strings.Join(frames, "\n"), "not seen") {
			t.Errorf("got %q", frames)
		}
	})
}

func TestStrangerSendsOurOperationID(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left")
		w.do(script.Command{Say: &script.Say{Channel: "left", Author: "Mallory", Text: "hi", OperationID: "op"}},
			script.Command{Say: &script.Say{Channel: "left", Author: "Mallory", Text: "hi", OperationID: "op", Own: script.OwnUnknown}})
		p.want("event 1 left-1 by Mallory own:no op hi", "event 2 left-2 by Mallory own:unknown op hi")
	})
}

func TestOwnMessageFromAnotherDevice(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		alice, bob := w.fresh("alice", "left"), w.fresh("bob", "left")
		w.do(script.Command{Say: &script.Say{Channel: "left", Account: "alice", Text: "from my phone"}})
		alice.want("event 1 left-1 by alice own:yes from my phone")
		bob.want("event 1 left-1 by alice own:no from my phone")
		want(t, w.ledger(ledger.Emitted, ledger.Accepted), "emitted left left-1 from my phone")
	})
}

func TestTwoInstancesOfOneAccount(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		one, two := w.fresh("alice", "left"), w.fresh("alice", "left")
		if one.login.NetworkID != "simnet:alice" || two.login.NetworkID != one.login.NetworkID {
			t.Fatalf("network ids %q and %q", one.login.NetworkID, two.login.NetworkID)
		}
		one.send("left", "hi", "op")
		one.want("answer 1 left-1", "event 1 left-1 by alice own:yes op hi")
		two.want("event 1 left-1 by alice own:yes op hi")
		w.do(account(script.Account{Name: "alice", NetworkID: "simnet:elsewhere"}))
		if three := w.connect("alice"); three.login.NetworkID != "simnet:elsewhere" {
			t.Fatalf("network id %q after the change", three.login.NetworkID)
		}
	})
}

func TestNamesInOneSpelling(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "#Case", "#CASE")
		for _, s := range p.login.Channels {
			if s.Name != "#case" {
				t.Errorf("%q is %q, want #case", s.Requested, s.Name)
			}
		}
		w.say("#cAsE", "Bob", "hi")
		p.want("event 1 #case-1 by Bob own:no hi")
	})
}

func TestAccountWithoutChannels(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", NoChannels: true}))
		p := w.fresh("alice", "anything")
		if name := p.login.Channels[0].Name; name != "" {
			t.Fatalf("the channel is %q", name)
		}
		p.send("", "hi", "op")
		w.say("@alice", "Bob", "hello")
		p.want("answer 1 @alice-1", "event 1 @alice-1 by alice own:yes op hi", "event 2 @alice-2 by Bob own:no hello")
		want(t, w.ledger(ledger.Accepted), "accepted @alice @alice-1 hi")
	})
}

func TestCollidingIDs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(script.Command{Network: &script.Network{CollidingIDs: true}})
		p := w.fresh("alice", "left", "right")
		w.say("left", "Bob", "one")
		w.say("right", "Bob", "two")
		p.want("event 1 1 by Bob own:no one", "event 2 1 by Bob own:no two")
	})
}

func TestShownLines(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left")
		w.say("left", "Bob", "unlogged")
		p.frames()
		w.do(script.Command{Network: &script.Network{LogShown: true}})
		w.say("left", "Bob", "logged")
		p.frames()
		want(t, w.ledger(ledger.Shown), "shown left left-2 logged left-2")
	})
}

// An answer never waits for events that the client has no room for; otherwise it
// keeps its place among them.
func TestAnswersPassEventsWithoutCredit(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.connect("alice", "left")
		if _, err := p.s.Subscribe(&wire.Subscribe{}); err != nil {
			t.Fatal(err)
		}
		p.credit(2)
		p.want("caught up 0 left")
		w.say("left", "Bob", "one")
		w.say("left", "Bob", "two")
		p.send("left", "mine", "")
		p.want("event 1 left-1 by Bob own:no one", "answer 1 left-3")
		p.credit(5)
		p.want("event 2 left-2 by Bob own:no two", "event 3 left-3 by alice own:yes mine")
	})
}

func TestTooSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", Keep: 4}))
		p := w.fresh("alice", "left")
		for range 20 {
			w.say("left", "Bob", "hi")
		}
		p.frames()
		if p.ended == nil {
			t.Fatal("a session that lost messages was not ended")
		}
	})
}

func TestFreeze(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", MaxSilence: script.Duration(30 * time.Second)}))
		p := w.fresh("alice", "left")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		p.want("ping")
		w.do(script.Command{Freeze: &script.Freeze{Account: "alice"}})
		w.say("left", "Bob", "hi")
		time.Sleep(time.Minute)
		synctest.Wait()
		p.want()
		thawed := p.s.Frozen()
		w.do(script.Command{Freeze: &script.Freeze{Account: "alice", Thaw: true}})
		<-thawed
		if p.s.Frozen() != nil {
			t.Fatal("still frozen")
		}
		p.want("event 1 left-1 by Bob own:no hi", "ping")
		p.s.Close(errors.New("done"))
		time.Sleep(time.Minute)
		synctest.Wait()
		p.want()
	})
}

func TestDrop(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		one, two := w.fresh("alice"), w.fresh("bob")
		if r := w.do(script.Command{Drop: &script.Drop{Account: "alice"}}); r.Count != 1 {
			t.Fatalf("dropped %d", r.Count)
		}
		if one.ended == nil || two.ended != nil {
			t.Fatalf("ended %v and %v", one.ended, two.ended)
		}
	})
}

func TestLogins(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(
			script.Command{Logins: &script.Logins{
				Account: "alice", Verdict: script.LoginUnreachable, RetryAfter: script.Duration(time.Minute), Count: 2,
			}},
			script.Command{Logins: &script.Logins{Account: "alice", Verdict: script.LoginBadConfig, Field: "/account"}},
			script.Command{Logins: &script.Logins{Account: "alice", Verdict: script.LoginLoggedOut}},
		)
		for i, verdict := range []script.LoginVerdict{
			script.LoginUnreachable, script.LoginUnreachable, script.LoginBadConfig, script.LoginLoggedOut, "",
		} {
			refused := w.connect("alice").login.Refused
			if refused == nil {
				refused = &script.Logins{}
			}
			if refused.Verdict != verdict {
				t.Errorf("login %d: %+v, want %q", i+1, refused, verdict)
			}
		}
		w.do(account(script.Account{Name: "alice", Token: "secret"}))
		if refused := w.connect("alice").login.Refused; refused == nil || refused.Verdict != script.LoginLoggedOut {
			t.Errorf("without the token: %+v", refused)
		}
		s := w.n.Connect(func(error) {})
		reply, err := s.Login(&wire.Login{Account: "alice", Token: "secret"})
		if err != nil || reply.Refused != nil || reply.Settings.Token != "" {
			t.Errorf("with the token: %+v, %v", reply, err)
		}
	})
}

func TestFaultsOfClientsEndTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		s := w.n.Connect(func(error) {})
		if err := s.Handle(&wire.Send{}); err == nil {
			t.Error("a message before a login was taken")
		}
		if _, err := s.Subscribe(&wire.Subscribe{}); err == nil {
			t.Error("a subscription before a login was taken")
		}
		p := w.fresh("alice")
		if _, err := p.s.Login(&wire.Login{Account: "bob"}); err == nil {
			t.Error("a second login was taken")
		}
		if _, err := p.s.Subscribe(&wire.Subscribe{}); err == nil {
			t.Error("a second subscription was taken")
		}
		if err := p.s.Handle(&wire.Event{}); err == nil {
			t.Error("an event from a client was taken")
		}
		p.send("elsewhere", "hi", "")
		p.want("answer 1 not_sent")
	})
}

func TestOrdersAreConfirmed(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		order := script.Command{Plug: &script.Plug{Account: "alice", Fault: script.FaultExit, At: script.AfterAccept}}
		if _, err := director.Do(t.Context(), w.n, order); err == nil {
			t.Fatal("an order without a plug was taken")
		}
		p := w.fresh("alice")
		done := make(chan error, 1)
		go func() {
			_, err := director.Do(t.Context(), w.n, order)
			done <- err
		}()
		synctest.Wait()
		frames := p.s.Take(nil)
		if len(frames) != 1 {
			t.Fatalf("the plug was told %v", frames)
		}
		select {
		case <-done:
			t.Fatal("the command ended before the plug confirmed")
		default:
		}
		p.handle(&wire.Reply{ID: frames[0].(*wire.Order).ID})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := director.Do(ctx, w.n, order); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("an order that is not confirmed gave %v", err)
		}
	})
}
