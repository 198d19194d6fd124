package put_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// late gives an operation a catch_up of half an hour and five messages; it was said so
// long ago.
func late(op *journalv1.Operation, ago time.Duration) *journalv1.Operation {
	op.CatchUp = &journalv1.CatchUp{MaxAge: durationpb.New(30 * time.Minute), MaxMessages: 5, SaidTime: timestamppb.New(time.Now().Add(-ago))}
	return op
}

// talk accepts messages "<from>" to "<to>", said now.
func (w *world) talk(from, to int) {
	for i := from; i <= to; i++ {
		w.accept(late(say(fmt.Sprint(i), "ann", fmt.Sprint(i)), 0))
	}
}

// "Must" 5: of what waited, what is too old and what is too much is given up, counted and
// named; the rest comes in order, and what is live waits behind no more than that.
func TestCatchUp(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		told, _ := w.outcomes()
		w.talk(1, 3)
		time.Sleep(20 * time.Minute)
		w.talk(4, 12)
		time.Sleep(20 * time.Minute)
		w.accept(say("always", "ann", "always")) // has no bound, and counts
		w.up()
		w.want("say 9", "say 10", "say 11", "say 12", "say always")
		if got := (*told)[0]; got != "DROPPED given up by catch_up: it was 40m0s old, and max_age is 30m0s" {
			t.Errorf("the first: %s", got)
		}
		if got := (*told)[3]; got != "DROPPED given up by catch_up: more than max_messages, 5, were waiting" {
			t.Errorf("the fourth: %s", got)
		}
		if got := w.stage.GivenUp()[here]; got.Count != 8 || !strings.Contains(got.Reason, "max_messages") {
			t.Errorf("given up: %+v", got)
		}
	})
}

// What waits is counted also where it was accepted at once, and it is known what is given
// up while the plug is still away.
func TestCatchUpOfOneRecord(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		var all []*journalv1.Operation
		for i := range 8 {
			all = append(all, late(say(fmt.Sprint(i), "ann", fmt.Sprint(i)), 10*time.Minute))
		}
		w.together(all...)
		rest(time.Minute)
		if got := w.stage.GivenUp()[here]; got.Count != 3 {
			t.Errorf("given up: %+v", got)
		}
		w.up()
		w.want("say 3", "say 4", "say 5", "say 6", "say 7")
	})
}

// "Must" 5: it is of no matter who was away: a source that was tells of what is long past.
func TestCatchUpOfTheSource(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.up()
		w.together(late(say("1", "ann", "old"), time.Hour), late(say("2", "ann", "young"), 10*time.Minute), late(say("3", "ann", "ahead"), -time.Hour))
		w.want("say young", "say ahead")
	})
}

// "Must" 5: a burst is no backlog within its first minute; and then it is, for a target
// that is slow.
func TestCatchUpWithinAMinute(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.talk(1, 20)
		time.Sleep(50 * time.Second)
		w.up()
		w.want("say 1", "say 2", "say 3", "say 4", "say 5", "say 6", "say 7", "say 8", "say 9", "say 10",
			"say 11", "say 12", "say 13", "say 14", "say 15", "say 16", "say 17", "say 18", "say 19", "say 20")
	})
	inBubble(t, rates(&plugv1.Rate{PerSecond: 0.1}, nil), func(w *world) {
		w.up()
		w.talk(1, 20)
		time.Sleep(5 * time.Minute)
		want := []string{"say 1", "say 2", "say 3", "say 4", "say 5", "say 16", "say 17", "say 18", "say 19", "say 20"}
		if got := w.plug.did(); !slices.Equal(got, want) {
			t.Errorf("asked %q, want %q", got, want)
		}
	})
}

// "Must" 5: an edit and a delete of what was given up do nothing, also after a restart;
// a reply quotes.
func TestCatchUpOfEdits(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		w.accept(late(say("m", "ann", "one"), 0))
		time.Sleep(time.Hour)
		w.accept(late(edit("m", "ann", "two"), 0), remove("m"), late(reply("r", "m", "yes"), 0))
		w.restart()
		w.up()
		w.want("say > quote\nyes")
		w.restart()
		w.up()
		w.accept(late(edit("m", "ann", "three"), 0))
		w.want()
	})
	// An edit that nobody can make any more is not posted out of season.
	inBubble(t, can(), func(w *world) {
		w.up()
		w.accept(late(say("m", "ann", "one"), 0))
		w.want("say one")
		w.together(late(edit("m", "ann", "two"), time.Hour), late(say("n", "ann", "live"), 0))
		w.want("say live")
	})
}

// What may have been sent, and what a person puts back, is carried out to its end.
func TestCatchUpOnlyOfTheUnsent(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		calls := 0
		w.plug.OnPut = func(*plugv1.PutRequest) *plugv1.PutResponse {
			if calls++; calls == 1 {
				w.down()
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			return nil
		}
		w.up()
		w.accept(late(say("m", "ann", "perhaps"), 0))
		w.want("say perhaps")
		time.Sleep(time.Hour)
		w.up()
		w.want("say perhaps")

		w.once("no", fails(plugv1.Verdict_VERDICT_REFUSED))
		op := late(say("n", "ann", "no"), 0)
		w.accept(op)
		w.want("say no")
		time.Sleep(time.Hour)
		w.putBack(op.Id)
		w.want("say no")
	})
}

// Whoever sees no bound gives none.
func TestCatchUpWithoutBounds(t *testing.T) {
	inBubble(t, nil, func(w *world) {
		for i := range 10 {
			op := late(say(fmt.Sprint(i), "ann", fmt.Sprint(i)), time.Hour)
			op.CatchUp.MaxAge, op.CatchUp.MaxMessages = nil, 0
			w.accept(op)
		}
		w.up()
		time.Sleep(time.Second)
		if got := w.plug.did(); len(got) != 10 {
			t.Errorf("asked %q", got)
		}
	})
}
