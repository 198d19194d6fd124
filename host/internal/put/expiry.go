package put

import (
	"context"
	"errors"
	"fmt"
	"time"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// errExpired says that an operation's expiry came before anything was sent.
var errExpired = errors.New("its expiry has come")

// mayExpire tells whether the operation has an expiry that still counts: once
// something of it may have been sent it is carried out to its end.
func (o *operation) mayExpire() bool {
	return o.record.Expiry != nil && o.attempt.GetUncertain() == 0 && len(o.sent()) == 0
}

// ready is Stage.ready, until the operation's expiry.
func (o *operation) ready(ctx context.Context) (*slot, error) {
	if !o.mayExpire() {
		return o.stage.ready(ctx, o.channel)
	}
	if !time.Now().Before(o.record.Expiry.AsTime()) {
		return nil, errExpired
	}
	bounded, cancel := context.WithDeadline(ctx, o.record.Expiry.AsTime())
	defer cancel()
	slot, err := o.stage.ready(bounded, o.channel)
	if err != nil && ctx.Err() == nil {
		return nil, errExpired
	}
	return slot, err
}

// untilExpiry is a wait that doesn't outlast the operation's expiry.
func (o *operation) untilExpiry(wait time.Duration) time.Duration {
	if !o.mayExpire() {
		return wait
	}
	return min(wait, time.Until(o.record.Expiry.AsTime()))
}

// expire gives the operation up.
func (o *operation) expire(ctx context.Context) error {
	o.reason = fmt.Sprintf("given up: it was to be sent by %s at the latest", o.record.Expiry.AsTime().Format(time.RFC3339))
	o.log.Warn("given up: its expiry came before it could be sent", "expiry", o.record.Expiry.AsTime())
	return o.settle(ctx, journalv1.Outcome_OUTCOME_DROPPED, journalv1.SettledBy_SETTLED_BY_HOST, nil)
}
