package put

import (
	"context"
	"fmt"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// An operation that was uncertain as its plug crashed may be what the plug crashes of,
// and so may any other of that moment. So each is tried again with nothing else under
// way: if the plug crashes of it then, it alone is to blame (D4).

// alone tells whether the next attempt is to run alone.
func (o *operation) alone() bool { return o.attempt.GetCrashes() > 0 }

// crashed tells whether the plug crashed and that is not noted yet.
func (o *operation) crashed() bool {
	o.stage.mu.Lock()
	defer o.stage.mu.Unlock()
	return o.stage.plug(o.channel.Network).crashed[o.process] && !o.attempt.Crashed
}

// noteCrash records that the plug crashed while the last attempt was uncertain, if it
// did. Its error is the context's.
func (o *operation) noteCrash(ctx context.Context) error {
	if !o.crashed() {
		return nil
	}
	o.attempt.Crashed = true
	o.attempt.Crashes++
	o.log.Warn("the plug crashed while it was uncertain whether the message was sent; it is tried again alone", "attempt", o.attempt.Number)
	return o.save(ctx, o.attempt)
}

// unconfirmed parks an operation of which no more attempts may be made.
func (o *operation) unconfirmed() *decision {
	d := &decision{verdict: plugv1.Verdict_VERDICT_UNCERTAIN, outcome: journalv1.Outcome_OUTCOME_PARKED,
		reason: "no attempt was confirmed by the network; look there, and put it back if it is missing"}
	if a := o.attempt; a.Crashed && a.Crashes > 1 {
		d.reason = fmt.Sprintf("poison: the plug crashed in %d of %d attempts, in the last of them with nothing else under way; look on the network whether the message is there, and put it back only once the plug is mended", a.Crashes, a.Number)
	}
	return d
}
