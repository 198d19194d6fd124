package put

import (
	"context"
	"fmt"
	"time"
)

// mayExpire tells whether the operation has an expiry that still counts: once
// something of it may have been sent it is carried out to its end.
func (o *operation) mayExpire() bool {
	return o.record.Expiry != nil && o.unsent()
}

// unsent tells whether nothing of the operation can have been sent.
func (o *operation) unsent() bool { return o.attempt.GetUncertain() == 0 && len(o.sent()) == 0 }

// ready is Stage.ready, until the operation's expiry.
func (o *operation) ready(ctx context.Context) (*slot, error) {
	if err := o.catchUp(ctx); err != nil {
		return nil, err // without waiting for the plug
	}
	if o.attempt == nil {
		if slot := o.stage.readyNow(o.channel); slot != nil {
			return slot, nil
		}
	}
	if err := o.progress.flush(ctx); err != nil {
		return nil, err
	}
	if !o.mayExpire() {
		return o.stage.ready(ctx, o.channel, o.alone())
	}
	if !time.Now().Before(o.record.Expiry.AsTime()) {
		return nil, o.expired()
	}
	bounded, cancel := context.WithDeadline(ctx, o.record.Expiry.AsTime())
	defer cancel()
	slot, err := o.stage.ready(bounded, o.channel, false)
	if err != nil && ctx.Err() == nil {
		return nil, o.expired()
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

// expired is the decision on an operation whose expiry came before it was sent.
func (o *operation) expired() error {
	return dropped(fmt.Sprintf("given up: it was to be sent by %s at the latest", o.record.Expiry.AsTime().Format(time.RFC3339)))
}
