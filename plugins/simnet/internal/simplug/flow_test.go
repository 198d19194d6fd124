package simplug_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// Settings after which the ids come by echo, with and without the operation id.
func idsByEcho() map[string]simnettest.Account {
	return map[string]simnettest.Account{
		"operation id":            {IDsByEcho: true},
		"text":                    {IDsByEcho: true, Echo: simnettest.EchoOwn},
		"text, two calls":         {IDsByEcho: true, Echo: simnettest.EchoOwn, TwoCallSend: true, TwoCallFetch: true},
		"operation id, no mark":   {IDsByEcho: true, Own: simnettest.OwnUnknown},
		"text, author in it":      {IDsByEcho: true, Echo: simnettest.EchoOwn, TextAuthors: true},
		"operation id, no marks":  {IDsByEcho: true, Own: simnettest.OwnMissing},
		"answer, nothing special": {},
	}
}

func TestPutReturnsTheID(t *testing.T) {
	for name, set := range idsByEcho() {
		for _, when := range []simnettest.When{simnettest.Before, simnettest.At, simnettest.After} {
			t.Run(name+"/"+string(when), func(t *testing.T) {
				inBubble(t, func(t *testing.T, n *simnettest.Local) {
					h := newHost(t, n)
					h.start("left")
					h.open(nil)
					h.want("caught up left")
					if got := h.put("left", "hi", "op"); got != "sent left-1" {
						t.Fatal(got)
					}
					if lines := h.heard(); len(lines) != 1 || !strings.HasPrefix(lines[0], "event left left-1 by") {
						t.Fatalf("heard %q, want the echo too", lines)
					}
				}, account(set), simnettest.Command{Channel: &simnettest.Channel{Name: "left", Echo: when}})
			})
		}
	}
}

func TestMessagesGoThrough(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left", "#Right")
		h.open(nil)
		h.want("caught up #right", "caught up left")
		if got := h.put("left", "hi", "op"); got != "sent left-1" {
			t.Fatal(got)
		}
		say(t, n, "#right", "hello")
		do(t, n, simnettest.Command{Say: &simnettest.Say{Channel: "left", Account: "alice", Text: "from my phone"}})
		h.want("event left left-1 by Ann YES op hi", "event #right #right-1 by Bob NO hello",
			"event left left-2 by alice YES from my phone")
		want(t, accepted(t, n), "left Ann hi")
	})
}

func TestAuthorInTheText(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		h.put("left", ": hi", "op")
		want(t, accepted(t, n), "left alice Ann: hi")
	}, account(simnettest.Account{TextAuthors: true}))
}

func TestPartsAreSplitAndNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		h.open(nil)
		h.heard()
		if got := h.put("left", "one two", "op"); got != "sent left-1" {
			t.Fatal(got)
		}
		h.want("event left left-1 by Ann YES op-1 one", "event left left-2 by Ann YES op-2 two")
	}, account(simnettest.Account{TextLength: 4}))
}

func TestVerdictsReachTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		for _, c := range []struct {
			puts simnettest.Puts
			want string
		}{
			{simnettest.Puts{Verdict: simnettest.NotSent}, "NOT_SENT"},
			{simnettest.Puts{Verdict: simnettest.RateLimited, RetryAfter: simnettest.Duration(7 * time.Second)}, "RATE_LIMITED 7s"},
			{simnettest.Puts{Verdict: simnettest.RateLimited, RetryAfter: simnettest.Duration(time.Second), WholePlug: true}, "RATE_LIMITED 1s whole plug"},
			{simnettest.Puts{Verdict: simnettest.Uncertain}, "UNCERTAIN"},
			{simnettest.Puts{Verdict: simnettest.Uncertain, Accepted: true}, "UNCERTAIN"},
			{simnettest.Puts{Verdict: simnettest.Refused}, "REFUSED"},
			{simnettest.Puts{Verdict: simnettest.Already}, "ALREADY"},
			{simnettest.Puts{Verdict: simnettest.TargetGone}, "TARGET_GONE"},
			{simnettest.Puts{Verdict: simnettest.Unsupported}, "UNSUPPORTED"},
			{simnettest.Puts{Verdict: simnettest.LoggedOut}, "LOGGED_OUT whole plug"},
			{simnettest.Puts{Verdict: simnettest.Accept}, "sent left-2"},
		} {
			c.puts.Channel = "left"
			do(t, n, simnettest.Command{Puts: &c.puts})
			if got := h.put("left", "hi "+c.want, "op"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		}
		want(t, accepted(t, n), "left Ann hi UNCERTAIN", "left Ann hi sent left-2")
	})
}

// I2, O5: a Put without an answer runs to its deadline, not longer than it listens
// after it, and is then uncertain.
func TestNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		do(t, n, simnettest.Command{Puts: &simnettest.Puts{Channel: "left", Verdict: simnettest.NoAnswer, Accepted: true}})
		begin := time.Now()
		if got := h.put("left", "hi", "op"); got != "UNCERTAIN" {
			t.Fatal(got)
		}
		if took := time.Since(begin); took < putTimeout || took >= putTimeout+5*time.Second {
			t.Fatalf("it took %v", took)
		}
		want(t, accepted(t, n), "left Ann hi")
	})
}

// An answer that comes after the deadline, or after the host gave the call up, still
// tells the outcome.
func TestLateAnswers(t *testing.T) {
	hold := simnettest.Command{Hold: &simnettest.Hold{Channel: "left", Stage: simnettest.StageAnswers}}
	release := simnettest.Command{Release: &simnettest.Release{Channel: "left", Stage: simnettest.StageAnswers}}
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		answer := make(chan string, 1)
		go func() { answer <- h.put("left", "hi", "op") }()
		time.Sleep(putTimeout + 2*time.Second)
		do(t, n, release)
		if got := <-answer; got != "sent left-1" {
			t.Fatal(got)
		}
	}, hold)
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		h.open(nil)
		h.heard()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel) // the host gives the call up, long before its deadline
		h.putUntil(ctx, "left", "hi", "op")
		time.Sleep(5 * time.Second)
		do(t, n, release)
		if lines := strings.Join(h.heard(), "\n"); !strings.Contains(lines, "outcome op sent left-1") {
			t.Fatalf("heard\n%s\nwant the outcome", lines)
		}
	}, hold)
}

// The answer is lost with the connection: uncertain. The plug connects again, and the
// echo that it missed comes by the cursor, once.
func TestConnectionLost(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		h.open(nil)
		h.want("caught up left")
		do(t, n, simnettest.Command{Puts: &simnettest.Puts{Channel: "left", Verdict: simnettest.Disconnect, Accepted: true}},
			simnettest.Command{Hold: &simnettest.Hold{Channel: "left", Stage: simnettest.StageEchoes}})
		if got := h.put("left", "hi", "op"); got != "UNCERTAIN" {
			t.Fatal(got)
		}
		synctest.Wait()
		if got := h.put("left", "again", "op2"); got != "NOT_SENT" {
			t.Fatal(got)
		}
		say(t, n, "left", "meanwhile")
		do(t, n, simnettest.Command{Release: &simnettest.Release{Channel: "left", Stage: simnettest.StageEchoes}})
		time.Sleep(time.Minute)
		h.want("event left left-2 by Bob NO meanwhile", "event left left-1 by Ann YES op hi", "caught up left")
		if got := h.put("left", "again", "op2"); got != "sent left-3" {
			t.Fatal(got)
		}
	})
}

// What the host stored is about one network: the plug does not go on in another.
func TestAccountIsAnotherAfterReconnecting(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		h.open(nil)
		h.heard()
		do(t, n, account(simnettest.Account{NetworkID: "simnet:elsewhere"}), simnettest.Command{Drop: &simnettest.Drop{Account: "alice"}})
		time.Sleep(time.Minute)
		say(t, n, "left", "hello")
		if got := h.put("left", "hi", "op"); got != "NOT_SENT" {
			t.Fatal(got)
		}
		h.want()
	})
}

// D1: everything since the cursor comes after a restart, once.
func TestResumeAfterARestart(t *testing.T) {
	for _, scope := range []simnettest.CursorScope{simnettest.CursorChannel, simnettest.CursorAccount} {
		t.Run(string(scope), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				one := newHost(t, n)
				one.start("left", "right")
				one.open(nil)
				say(t, n, "left", "one")
				one.heard()
				one.stop()
				say(t, n, "right", "two")
				say(t, n, "left", "three")

				two := newHost(t, n)
				two.start("left", "right")
				two.open(one)
				caughtUp := []string{"caught up left", "caught up right"}
				if scope == simnettest.CursorAccount {
					caughtUp = []string{"caught up"}
				}
				// "now" of the first start was kept for the channel that was silent.
				two.want(append([]string{"event right right-1 by Bob NO two", "event left left-2 by Bob NO three"}, caughtUp...)...)
			}, account(simnettest.Account{CursorScope: scope}))
		})
	}
}

func TestRefusedCursorsMakeGaps(t *testing.T) {
	for name, c := range map[string]struct {
		set     simnettest.Account
		forget  bool
		because string
	}{
		"not resumable": {simnettest.Account{Resume: simnettest.ResumeNo}, false, "this network keeps nothing to resume from"},
		"refused":       {simnettest.Account{Resume: simnettest.ResumeRefused}, false, "unknown cursor"},
		"forgotten":     {simnettest.Account{}, true, "unknown cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				one := newHost(t, n)
				one.start("left")
				one.open(nil)
				one.heard()
				one.stop()
				say(t, n, "left", "lost")
				if c.forget {
					do(t, n, simnettest.Command{Forget: &simnettest.Forget{Account: "alice"}})
				}
				two := newHost(t, n)
				two.start("left")
				two.open(one)
				two.want("gap left "+c.because, "caught up left")
				say(t, n, "left", "now")
				two.want("event left left-2 by Bob NO now")
				two.stop()

				// The new cursor is as good as the account's are.
				if c.forget {
					say(t, n, "left", "later")
					three := newHost(t, n)
					three.start("left")
					three.open(two)
					three.want("event left left-3 by Bob NO later", "caught up left")
				}
			}, account(c.set))
		})
	}
}

func TestCursorsWithoutEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left", "right")
		h.open(nil)
		h.heard()
		left, right := string(h.cursors["left"]), string(h.cursors["right"])
		do(t, n, simnettest.Command{Mark: &simnettest.Mark{Account: "alice", Channel: "left"}})
		h.want()
		if string(h.cursors["left"]) == left || string(h.cursors["right"]) != right {
			t.Fatalf("cursors %q", h.cursors)
		}
		do(t, n, simnettest.Command{Mark: &simnettest.Mark{Account: "alice"}})
		h.want()
		if string(h.cursors["right"]) == right {
			t.Fatalf("cursors %q", h.cursors)
		}
	})
}

func TestForgedOperationIDs(t *testing.T) {
	for careless, operation := range map[bool]string{false: "", true: " op"} {
		inBubble(t, func(t *testing.T, n *simnettest.Local) {
			h := newHost(t, n)
			h.start("left")
			h.open(nil)
			h.heard()
			for _, own := range []simnettest.Own{simnettest.OwnNo, simnettest.OwnUnknown, simnettest.OwnMissing} {
				do(t, n, simnettest.Command{Say: &simnettest.Say{
					Channel: "left", Author: "Mallory", Text: "hi", OperationID: "op", Own: own,
				}})
			}
			h.want("event left left-1 by Mallory NO"+operation+" hi", "event left left-2 by Mallory UNKNOWN"+operation+" hi",
				"event left left-3 by Mallory UNSPECIFIED"+operation+" hi")
		}, account(simnettest.Account{Careless: careless}))
	}
}

func TestConstantSource(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		one := newHost(t, n)
		if c := one.start("anything").GetChannels()[0]; c.GetSource() != "simnet" {
			t.Fatalf("%v", c)
		}
		one.open(nil)
		one.want("caught up simnet")
		if got := one.put("simnet", "hi", "op"); got != "sent @alice-1" {
			t.Fatal(got)
		}
		one.want("event simnet @alice-1 by Ann YES op hi")
		one.stop()
		say(t, n, "@alice", "later")
		two := newHost(t, n)
		two.start("anything")
		two.open(one)
		two.want("event simnet @alice-2 by Bob NO later", "caught up simnet")
	}, account(simnettest.Account{NoChannels: true}))
}

// An upload sends nothing: whatever becomes of it, the message was not sent.
func TestUploadHeldToTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		if got := h.put("left", "hi", "op"); got != "NOT_SENT" {
			t.Fatal(got)
		}
		do(t, n, simnettest.Command{Release: &simnettest.Release{Channel: "left", Stage: simnettest.StageUploads}})
		synctest.Wait()
		want(t, accepted(t, n))
	}, account(simnettest.Account{TwoCallSend: true}),
		simnettest.Command{Hold: &simnettest.Hold{Channel: "left", Stage: simnettest.StageUploads}})
}

// One of two calls blocks while the other way returns: the echo is announced and
// fetched while the Put that caused it still waits, and the order stays.
func TestTwoCallsBothWays(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		h.open(nil)
		h.heard()
		answer := make(chan string, 1)
		go func() { answer <- h.put("left", "mine", "op") }()
		synctest.Wait()
		say(t, n, "left", "theirs")
		h.want() // both are announced, neither has its text
		do(t, n, simnettest.Command{Release: &simnettest.Release{Channel: "left", Stage: simnettest.StageFetches}})
		h.want("event left left-1 by Ann YES op mine", "event left left-2 by Bob NO theirs")
		select {
		case got := <-answer:
			t.Fatalf("the Put ended with %q before it was answered", got)
		default:
		}
		do(t, n, simnettest.Command{Release: &simnettest.Release{Channel: "left", Stage: simnettest.StageAnswers}})
		if got := <-answer; got != "sent left-1" {
			t.Fatal(got)
		}
	}, account(simnettest.Account{TwoCallSend: true, TwoCallFetch: true}),
		simnettest.Command{Channel: &simnettest.Channel{Name: "left", Echo: simnettest.Before}},
		simnettest.Command{Hold: &simnettest.Hold{Channel: "left", Stage: simnettest.StageAnswers}},
		simnettest.Command{Hold: &simnettest.Hold{Channel: "left", Stage: simnettest.StageFetches}})
}
