package network_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

func channel(c script.Channel) script.Command { return script.Command{Channel: &c} }
func account(a script.Account) script.Command { return script.Command{Account: &a} }

func TestEchoComesWhenTheScriptSays(t *testing.T) {
	const (
		answer = "answer 1 left-1"
		echo   = "event 1 left-1 by alice own:yes op hi"
	)
	for when, frames := range map[script.When][]string{
		"":            {answer, echo},
		script.After:  {answer, echo},
		script.At:     {echo, answer},
		script.Before: {echo, answer},
		script.Never:  {answer},
	} {
		t.Run(string(when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.do(channel(script.Channel{Name: "left", Echo: when}))
				p := w.fresh("alice", "left")
				p.send("left", "hi", "op")
				p.want(frames...)
				want(t, w.ledger(ledger.Accepted), "accepted left left-1 hi")
			})
		})
	}
}

func TestDelaysOfAnswerAndEcho(t *testing.T) {
	const (
		answer = "answer 1 left-1"
		echo   = "event 1 left-1 by alice own:yes op hi"
	)
	type moment struct {
		after  time.Duration
		frames []string
	}
	for when, moments := range map[script.When][]moment{
		script.After:  {{10 * time.Second, []string{answer}}, {13 * time.Second, []string{echo}}},
		script.At:     {{10 * time.Second, []string{echo, answer}}},
		script.Before: {{3 * time.Second, []string{echo}}, {13 * time.Second, []string{answer}}},
	} {
		t.Run(string(when), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.do(channel(script.Channel{
					Name: "left", Echo: when,
					AnswerDelay: script.Duration(10 * time.Second), EchoDelay: script.Duration(3 * time.Second),
				}))
				p := w.fresh("alice", "left")
				begin := time.Now()
				p.send("left", "hi", "op")
				for _, m := range moments {
					time.Sleep(time.Until(begin.Add(m.after - time.Millisecond)))
					synctest.Wait()
					p.want()
					time.Sleep(time.Until(begin.Add(m.after)))
					synctest.Wait()
					p.want(m.frames...)
				}
			})
		})
	}
}

func TestEqualDelaysKeepTheOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(channel(script.Channel{Name: "left", AnswerDelay: script.Duration(time.Second), Echo: script.Never}))
		p := w.fresh("alice", "left")
		for range 3 {
			p.send("left", "hi", "")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		p.want("answer 1 left-1", "answer 2 left-2", "answer 3 left-3")
	})
}

func TestMarksOfOwnMessages(t *testing.T) {
	for name, c := range map[string]struct {
		set  script.Account
		echo string
	}{
		"operation id": {script.Account{}, "event 1 left-1 by alice own:yes op hi"},
		"own":          {script.Account{Echo: script.EchoOwn}, "event 1 left-1 by alice own:yes hi"},
		"unknown":      {script.Account{Own: script.OwnUnknown}, "event 1 left-1 by alice own:unknown op hi"},
		"missing":      {script.Account{Own: script.OwnMissing}, "event 1 left-1 by alice own: op hi"},
		"none":         {script.Account{Echo: script.EchoNone}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				c.set.Name = "alice"
				w.do(account(c.set))
				p := w.fresh("alice", "left")
				p.send("left", "hi", "op")
				frames := []string{"answer 1 left-1"}
				if c.echo != "" {
					frames = append(frames, c.echo)
				}
				p.want(frames...)
			})
		})
	}
}

func TestFaultsOfEchoes(t *testing.T) {
	for fault, frames := range map[script.EchoFault][]string{
		script.EchoRight: {"event 1 left-1 by alice own:yes one", "event 2 left-2 by alice own:yes two"},
		script.EchoLost:  {"event 1 left-2 by alice own:yes two"},
		script.EchoTwice: {
			"event 1 left-1 by alice own:yes one", "event 2 left-1 by alice own:yes one",
			"event 3 left-2 by alice own:yes two",
		},
		script.EchoNewEvent: {
			"event 1 left-1 by alice own:yes one", "event 2 left-1 by alice own:yes one as left-1-again",
			"event 3 left-2 by alice own:yes two",
		},
		script.EchoSwapped: {"event 1 left-2 by alice own:yes two", "event 2 left-1 by alice own:yes one"},
	} {
		t.Run(string(fault), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				p := w.fresh("alice", "left")
				w.do(script.Command{Echoes: &script.Echoes{Channel: "left", Fault: fault}})
				p.send("left", "one", "")
				p.send("left", "two", "")
				got := p.frames()
				var events []string
				for _, l := range got {
					if l[0] == 'e' {
						events = append(events, l)
					}
				}
				want(t, events, frames...)
			})
		})
	}
}

func TestVerdicts(t *testing.T) {
	for verdict, answer := range map[script.Verdict]string{
		script.NotSent:     "answer 1 not_sent",
		script.RateLimited: "answer 1 rate_limited 7s",
		script.Refused:     "answer 1 refused",
		script.Already:     "answer 1 already",
		script.TargetGone:  "answer 1 target_gone",
		script.Unsupported: "answer 1 unsupported",
		script.LoggedOut:   "answer 1 logged_out whole plug",
		script.Uncertain:   "answer 1 uncertain",
		script.NoAnswer:    "",
	} {
		t.Run(string(verdict), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				p := w.fresh("alice", "left", "right")
				puts := script.Puts{Channel: "left", Verdict: verdict, WholePlug: verdict == script.LoggedOut}
				if verdict == script.RateLimited {
					puts.RetryAfter = script.Duration(7 * time.Second)
				}
				w.do(script.Command{Puts: &puts})
				p.send("left", "hi", "op")
				if answer == "" {
					p.want()
				} else {
					p.want(answer)
				}
				want(t, w.ledger(ledger.Accepted))
				want(t, w.ledger(ledger.Rejected), "rejected left  hi "+string(verdict))
				// Only one was decided, and only in this channel.
				p.send("left", "hi", "op")
				p.want("answer 2 left-1", "event 1 left-1 by alice own:yes op hi")
			})
		})
	}
}

func TestAcceptedAndNotAnswered(t *testing.T) {
	const echo = "event 1 left-1 by alice own:yes op hi"
	for verdict, frames := range map[script.Verdict][]string{
		script.Uncertain:  {"answer 1 uncertain", echo},
		script.NoAnswer:   {echo},
		script.Disconnect: {echo},
	} {
		t.Run(string(verdict), func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				p := w.fresh("alice", "left")
				w.do(script.Command{Puts: &script.Puts{Channel: "left", Verdict: verdict, Accepted: true}})
				p.send("left", "hi", "op")
				p.want(frames...)
				want(t, w.ledger(ledger.Accepted, ledger.Rejected), "accepted left left-1 hi")
				if dropped := p.ended != nil; dropped != (verdict == script.Disconnect) {
					t.Fatalf("the connection was ended with %v", p.ended)
				}
			})
		})
	}
}

func TestDecisionsAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		p := w.fresh("alice", "left")
		w.do(
			script.Command{Puts: &script.Puts{Channel: "left", Verdict: script.Refused, Count: 2}},
			script.Command{Puts: &script.Puts{Channel: "left", Verdict: script.Accept}},
			script.Command{Puts: &script.Puts{Channel: "left", Verdict: script.NotSent, Account: "bob"}},
			script.Command{Puts: &script.Puts{Channel: "left", Verdict: script.Already, Count: -1}},
			script.Command{Echoes: &script.Echoes{Channel: "left", Fault: script.EchoLost, Count: -1}},
		)
		for range 5 {
			p.send("left", "hi", "")
		}
		p.want("answer 1 refused", "answer 2 refused", "answer 3 left-1", "answer 4 already", "answer 5 already")
		w.do(script.Command{Puts: &script.Puts{Channel: "left", Verdict: script.Accept, Count: -1}})
		p.send("left", "hi", "")
		p.want("answer 6 left-2")
	})
}

func TestIdempotentWithinItsWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", Idempotent: script.Duration(time.Minute)}))
		p := w.fresh("alice", "left", "right")
		p.send("left", "hi", "op")
		p.want("answer 1 left-1", "event 1 left-1 by alice own:yes op hi")
		time.Sleep(time.Minute - 1)
		p.send("left", "hi", "op")
		p.want("answer 2 left-1")
		p.send("right", "hi", "op")
		p.want("answer 3 right-1", "event 2 right-1 by alice own:yes op hi")
		time.Sleep(time.Nanosecond)
		p.send("left", "hi", "op")
		p.want("answer 4 left-2", "event 3 left-2 by alice own:yes op hi")
		want(t, w.ledger(ledger.Accepted, ledger.Repeated),
			"accepted left left-1 hi", "repeated left left-1 hi", "accepted right right-1 hi", "accepted left left-2 hi")
	})
}

func TestNotIdempotentUnlessSet(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(channel(script.Channel{Name: "left", Echo: script.Never}))
		p := w.fresh("alice", "left")
		p.send("left", "hi", "op")
		p.send("left", "hi", "op")
		p.want("answer 1 left-1", "answer 2 left-2")
	})
}

func TestIDsOnlyByEcho(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", IDsByEcho: true}))
		p := w.fresh("alice", "left")
		p.send("left", "hi", "op")
		p.want("answer 1", "event 1 left-1 by alice own:yes op hi")
	})
}

// The reason for the lock: a send of two calls blocks in one of them while the
// pick-up returns, and the other way round.
func TestTwoCallsEachHeldWhileTheOtherReturns(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", TwoCallSend: true, TwoCallFetch: true}),
			script.Command{Hold: &script.Hold{Channel: "left", Stage: script.StageUploads}},
			script.Command{Hold: &script.Hold{Channel: "left", Stage: script.StageAnswers}},
			script.Command{Hold: &script.Hold{Channel: "left", Stage: script.StageFetches}},
			channel(script.Channel{Name: "left", Echo: script.Before}))
		p := w.fresh("alice", "left")

		p.handle(&wire.Upload{ID: 1, Channel: "left", Text: "picture"})
		p.want()
		w.say("left", "Bob", "meanwhile")
		p.want("event 1 left-1 by Bob own:no")
		w.do(script.Command{Release: &script.Release{Channel: "left", Stage: script.StageUploads}})
		p.want("answer 1 upload-1")

		p.handle(&wire.Send{ID: 2, Channel: "left", Upload: "upload-1", OperationID: "op"})
		p.want("event 2 left-2 by alice own:yes op")
		p.handle(&wire.Fetch{ID: 3, Position: 2})
		p.want()
		w.do(script.Command{Release: &script.Release{Channel: "left", Stage: script.StageFetches}})
		p.want("answer 3 left-2 picture")
		w.do(script.Command{Release: &script.Release{Channel: "left", Stage: script.StageAnswers}})
		p.want("answer 2 left-2")
		want(t, w.ledger(ledger.Uploaded, ledger.Accepted, ledger.Fetched),
			"uploaded left  picture", "accepted left left-2 picture", "fetched left left-2 picture")

		p.handle(&wire.Send{ID: 4, Channel: "left", Upload: "upload-1"})
		p.want("answer 4 refused")
		p.handle(&wire.Fetch{ID: 5, Position: 99})
		p.want("answer 5 target_gone")
	})
}

func TestDelaysOfUploadAndFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(channel(script.Channel{
			Name: "left", UploadDelay: script.Duration(time.Second), FetchDelay: script.Duration(time.Minute),
		}))
		p := w.fresh("alice", "left")
		w.say("left", "Bob", "hi")
		p.frames()
		p.handle(&wire.Upload{ID: 1, Channel: "left", Text: "picture"})
		p.handle(&wire.Fetch{ID: 2, Position: 1})
		time.Sleep(time.Second)
		synctest.Wait()
		p.want("answer 1 upload-1")
		time.Sleep(time.Minute)
		synctest.Wait()
		p.want("answer 2 left-1 hi")
	})
}

func TestReleaseOneByOne(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(script.Command{Hold: &script.Hold{Channel: "left", Stage: script.StageEchoes}})
		p := w.fresh("alice", "left")
		for range 3 {
			p.send("left", "hi", "")
		}
		p.want("answer 1 left-1", "answer 2 left-2", "answer 3 left-3")
		w.do(script.Command{Release: &script.Release{Channel: "left", Stage: script.StageEchoes, Count: 1}})
		p.want("event 1 left-1 by alice own:yes hi")
		r := w.do(script.Command{Release: &script.Release{Channel: "left", Stage: script.StageEchoes}})
		if r.Count != 2 {
			t.Fatalf("released %d, want 2", r.Count)
		}
		p.want("event 2 left-2 by alice own:yes hi", "event 3 left-3 by alice own:yes hi")
		p.send("left", "hi", "")
		p.want("answer 4 left-4", "event 4 left-4 by alice own:yes hi")
	})
}

func TestStatesOfChannels(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		states := []script.State{script.StateJoined, script.StatePending, script.StateReadOnly, script.StateDenied, script.StateNotFound}
		var names []string
		for _, s := range states {
			w.do(channel(script.Channel{Name: string(s), State: s, Reason: "because"}))
			names = append(names, string(s))
		}
		p := w.fresh("alice", names...)
		for i, s := range p.login.Channels {
			if s.State != states[i] || s.Reason != "because" {
				t.Errorf("%s: %+v", names[i], s)
			}
		}
		for _, name := range names {
			p.send(name, "hi", "")
			w.say(name, "Bob", "hello")
		}
		p.want("answer 1 joined-1", "event 1 joined-1 by alice own:yes hi", "event 2 joined-2 by Bob own:no hello",
			"answer 2 not_sent", "answer 3 not_sent", "event 3 read_only-1 by Bob own:no hello", "answer 4 not_sent", "answer 5 not_sent")
	})
}

func TestTextTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.do(account(script.Account{Name: "alice", TextLength: 5, Echo: script.EchoNone}))
		p := w.fresh("alice", "left")
		p.send("left", "12345", "")
		p.send("left", "123456", "")
		p.want("answer 1 left-1", "answer 2 refused")
	})
}
