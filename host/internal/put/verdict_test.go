package put_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/put"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// answers makes the plug answer so the next Puts of channel "c", one after another.
func (w *world) answers(answers ...*plugv1.PutResponse) {
	w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
		if r.Channel != string(here.Source) || len(answers) == 0 {
			return nil
		}
		next := answers[0]
		answers = answers[1:]
		return next
	}
}

func limited(after time.Duration, scope plugv1.FailureScope) *plugv1.PutResponse {
	r := fails(plugv1.Verdict_VERDICT_RATE_LIMITED)
	r.Failure.RetryAfter, r.Failure.Scope = durationpb.New(after), scope
	return r
}

// What each verdict leads to: the verdict table's rows that end an operation (D4).
func TestVerdictsThatEnd(t *testing.T) {
	changed := &journalv1.Operation{Source: key("t"), Action: &plugv1.Action{Kind: &plugv1.Action_ChannelChanged{ChannelChanged: &plugv1.ChannelChanged{}}}}
	for name, c := range map[string]struct {
		verdict plugv1.Verdict
		op      *journalv1.Operation
		asked   []string
		told    string
		parked  int
	}{
		"refused message":              {plugv1.Verdict_VERDICT_REFUSED, say("n", "ann", "new"), []string{"say new"}, "PARKED no", 1},
		"refused reaction":             {plugv1.Verdict_VERDICT_REFUSED, react("m", "ann", "+", true), []string{"add + to 1 of +"}, "PARKED no", 1},
		"reaction that is there":       {plugv1.Verdict_VERDICT_ALREADY, react("m", "ann", "+", true), []string{"add + to 1 of +"}, "SENT ", 0},
		"title that is so":             {plugv1.Verdict_VERDICT_ALREADY, changed, []string{"*plugv1.Action_ChannelChanged"}, "SENT ", 0},
		"edit whose target is gone":    {plugv1.Verdict_VERDICT_TARGET_GONE, edit("m", "ann", "two"), []string{"edit 1 two", "say (edited) two"}, "SENT ", 0},
		"reply whose target is gone":   {plugv1.Verdict_VERDICT_TARGET_GONE, reply("r", "m", "yes"), []string{"say yes to 1", "say > quote\nyes"}, "SENT ", 0},
		"delete of what is gone":       {plugv1.Verdict_VERDICT_TARGET_GONE, remove("m"), []string{"delete 1"}, "SENT it was gone already", 0},
		"reaction to what is gone":     {plugv1.Verdict_VERDICT_TARGET_GONE, react("m", "ann", "+", true), []string{"add + to 1 of +"}, "DROPPED no", 0},
		"edit that isn't supported":    {plugv1.Verdict_VERDICT_UNSUPPORTED, edit("m", "ann", "two"), []string{"edit 1 two", "say (edited) two"}, "SENT ", 0},
		"message that isn't supported": {plugv1.Verdict_VERDICT_UNSUPPORTED, say("n", "ann", "new"), []string{"say new"}, "PARKED no", 1},
		"reaction not supported":       {plugv1.Verdict_VERDICT_UNSUPPORTED, react("m", "ann", "+", true), []string{"add + to 1 of +"}, "DROPPED no", 0},
		"delete that isn't supported":  {plugv1.Verdict_VERDICT_UNSUPPORTED, remove("m"), []string{"delete 1"}, "DROPPED no", 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(w *world) {
				w.up()
				w.accept(say("m", "ann", "one"))
				w.want("say one")
				told, _ := w.outcomes()
				w.answers(fails(c.verdict))
				w.together(c.op, say("next", "ann", "next"))
				w.want(append(c.asked, "say next")...) // the channel goes on
				if want := []string{c.told, "SENT "}; !slices.Equal(*told, want) || w.parked() != c.parked {
					t.Errorf("told %q, want %q; %d are parked", *told, want, w.parked())
				}
			})
		})
	}
}

// What was deleted without us counts as deleted: nothing answers it any more.
func TestDeletedWithoutUs(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		w.answers(fails(plugv1.Verdict_VERDICT_TARGET_GONE))
		w.accept(remove("m"), reply("r", "m", "yes"))
		w.want("delete 1", "say > quote\nyes")
	})
}

// NOT_SENT: kept, and tried again after a back-off; at once when the plug is up anew. What
// comes behind it waits.
func TestNotSentIsKept(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		no := fails(plugv1.Verdict_VERDICT_NOT_SENT)
		w.answers(no, no, no, no, no, no, no, no, no, no)
		w.accept(say("m", "ann", "one"), say("n", "ann", "two"))
		time.Sleep(10 * time.Minute)
		got := w.plug.did()
		if n := len(got); n != 12 || got[0] != "say one" || got[10] != "say one" || got[11] != "say two" {
			t.Errorf("asked %q", got)
		}
		w.answers(slices.Repeat([]*plugv1.PutResponse{no}, 100)...)
		w.accept(say("o", "ann", "three"))
		rest(time.Minute)
		w.plug.did()
		w.answers()
		w.down()
		w.up()
		w.want("say three")
	})
}

// RATE_LIMITED pauses exactly its scope for exactly the time, with the order kept; a
// shorter pause doesn't end a longer one.
func TestRateLimitPausesItsScope(t *testing.T) {
	for name, c := range map[string]struct {
		scope plugv1.FailureScope
		other bool // channels go on
	}{
		"channel": {plugv1.FailureScope_FAILURE_SCOPE_CHANNEL, true},
		"plug":    {plugv1.FailureScope_FAILURE_SCOPE_PLUG, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(l *put.Live) { l.Concurrent = 4 }, func(w *world) {
				w.up()
				w.answers(limited(time.Minute, c.scope))
				w.accept(say("m", "ann", "one"), say("n", "ann", "two"))
				w.want("say one")
				w.acceptIn(in("other"), say("o", "ann", "elsewhere"))
				w.acceptIn(id.Channel{Network: "another", Source: "x"}, say("p", "ann", "on another network"))
				w.stage.Attach("another", w.live)
				want := []string{"say on another network"}
				if c.other {
					want = append(want, "say elsewhere")
				}
				time.Sleep(time.Second)
				got := w.plug.did()
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("meanwhile asked %q, want %q", got, want)
				}
				time.Sleep(56 * time.Second) // and one in want, and one before
				w.want()
				time.Sleep(2 * time.Second)
				got = slices.DeleteFunc(w.plug.did(), func(s string) bool { return s == "say elsewhere" })
				if !slices.Equal(got, []string{"say one", "say two"}) {
					t.Errorf("then asked %q", got)
				}
			})
		})
	}
	inBubble(t, func(l *put.Live) { l.Concurrent = 4 }, func(w *world) {
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			switch {
			case r.Attempt > 1:
				return nil
			case r.Channel == "long":
				time.Sleep(500 * time.Millisecond) // the other has begun
				return limited(time.Minute, plugv1.FailureScope_FAILURE_SCOPE_PLUG)
			}
			time.Sleep(time.Second)
			return limited(time.Second, plugv1.FailureScope_FAILURE_SCOPE_PLUG)
		}
		w.up()
		w.acceptIn(in("short"), say("m", "ann", "short"))
		w.acceptIn(in("long"), say("n", "ann", "long"))
		time.Sleep(1500 * time.Millisecond)
		w.plug.did()
		time.Sleep(56 * time.Second)
		w.want()
	})
}

// LOGGED_OUT: the plug is to be held, and nothing is lost.
func TestLoggedOutLosesNothing(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		held := make(chan string, 1)
		w.stage.LoggedOut = func(n id.NetworkID, reason string) {
			held <- string(n) + ": " + reason
			w.down()
		}
		w.up()
		w.answers(fails(plugv1.Verdict_VERDICT_LOGGED_OUT))
		w.accept(say("m", "ann", "one"), say("n", "ann", "two"))
		w.want("say one")
		if got := <-held; got != "here: no" {
			t.Errorf("told %q", got)
		}
		time.Sleep(24 * time.Hour)
		w.up()
		time.Sleep(time.Minute)
		w.want("say one", "say two")
	})
}

// UNCERTAIN: 5 more attempts inside the window of the network's memory, one without it;
// then it is parked, and the channel goes on. A clock that is set meanwhile makes the
// window no shorter or longer.
func TestUncertainIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		window   time.Duration
		attempts int
		ahead    time.Duration // of where the clock was when the first attempt was made
	}{
		"without a memory": {0, 2, 0}, "with one": {time.Hour, 6, 0}, "with a short one": {90 * time.Second, 3, 0},
		"with one, clock set ahead": {time.Hour, 6, 24 * time.Hour}, "with a short one, clock set back": {90 * time.Second, 3, -24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(l *put.Live) {
				if c.window > 0 {
					l.Abilities.IdempotentPut = &plugv1.IdempotentPut{Window: durationpb.New(c.window)}
				}
			}, func(w *world) {
				w.up()
				w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
					if shown(r.Action.GetMessage()) == "one" {
						if r.Attempt == 1 {
							r.FirstAttemptTime.Seconds -= int64(c.ahead / time.Second)
						}
						return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
					}
					return nil
				}
				w.accept(say("m", "ann", "one"), say("n", "ann", "two"))
				time.Sleep(time.Hour)
				w.want(append(slices.Repeat([]string{"say one"}, c.attempts), "say two")...)
				if got := w.reasonOf(); !strings.HasSuffix(got, "; it may have been sent all the same") {
					t.Errorf("parked because %q", got)
				}
			})
		})
	}
}

// O2: a receipt in another channel, of a plug whose Puts hold their own channel only, is
// reported; of one whose Puts hold the whole plug it is as it should be.
func TestReceiptElsewhere(t *testing.T) {
	for scope, want := range map[plugv1.PutScope]string{
		plugv1.PutScope_PUT_SCOPE_CHANNEL: `here: it declared put scope CHANNEL, and its receipt for channel "c" names channel "thread"`,
		plugv1.PutScope_PUT_SCOPE_PLUG:    "",
	} {
		inBubble(t, func(l *put.Live) { l.Scope = scope }, func(w *world) {
			var breach string
			w.stage.Breach = func(n id.NetworkID, reason string) { breach += string(n) + ": " + reason }
			w.answers(&plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "1", Channel: "thread"}}})
			w.up()
			w.accept(say("m", "ann", "one"), say("n", "ann", "two"))
			w.want("say one", "say two")
			if breach != want {
				t.Errorf("%v: reported %q", scope, breach)
			}
		})
	}
}
