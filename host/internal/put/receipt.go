package put

import (
	"context"

	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// ending is what a finished operation has still to do. Where its channel's next one
// begins at once, that one's attempt is stored in the same record: half the records of
// a busy channel, and one wait less for each message.
type ending struct {
	operation *operation
	charted   <-chan error // how the message map took it
}

// settle finishes the operation: its receipts are durable, in the journal and in
// the message map, before any event that waits for it is yielded (O1). They may not yet
// be when it returns: the next operation's attempt, or progress.flush, sees to that.
func (o *operation) settle(ctx context.Context, as journalv1.Outcome, by journalv1.SettledBy, receipts []*plugv1.Receipt) error {
	if err := o.progress.flush(ctx); err != nil {
		return err
	}
	o.know(receipts)
	settled := o.settled(as, by, receipts)
	charted := make(chan error, 1)
	chart := func() {
		charted <- o.must(ctx, func(ctx context.Context) error { return o.chart(ctx, settled) })
	}
	if settled.As == journalv1.SettledAs_SETTLED_AS_OTHER {
		// Only the next start makes up for a crash between the two, and it knows
		// nothing of reactions.
		chart()
		if err := <-charted; err != nil {
			return err
		}
		charted <- nil
	} else {
		go chart()
	}
	o.progress.settled, o.progress.unsaved = settled, &ending{o, charted}
	if settled.As == journalv1.SettledAs_SETTLED_AS_UNSPECIFIED && by == journalv1.SettledBy_SETTLED_BY_ANSWER {
		return nil
	}
	return o.progress.flush(ctx)
}

// waitsForNothing tells whether the operation may come to its first attempt without
// asking the journal for anything: the outcome of the one before may be stored with it.
func (o *operation) waitsForNothing() bool {
	m := o.record.Action.GetMessage()
	return m != nil && len(m.Attachments) == 0 && m.ReplyTo == nil && o.record.ReplyTo == nil && o.record.Thread == nil &&
		o.record.PutBack == nil && o.progress.attempt == nil && !o.progress.reopened
}

// save stores how far the channel has come: what is settled, and the attempt that is
// under way; nil for none.
func (o *operation) save(ctx context.Context, attempt *journalv1.Attempt) error {
	p := o.progress
	record := &journalv1.PutRecord{Settled: p.settled, Attempt: attempt}
	err := o.must(ctx, func(ctx context.Context) error { return o.stage.Journal.SavePut(ctx, o.channel, record) })
	before := p.unsaved
	if before == nil {
		return err
	}
	p.unsaved = nil // ctx has ended if it is not durable now
	if failed := <-before.charted; err == nil {
		err = failed
	}
	if err == nil {
		before.operation.finish(p.settled)
	}
	return err
}

// flush stores the last outcome, if that isn't done. Its error is the context's.
func (p *progress) flush(ctx context.Context) error {
	if p.unsaved == nil {
		return nil
	}
	return p.unsaved.operation.save(ctx, nil)
}

// finish tells that the outcome is durable, and lets pass what waited for it.
func (o *operation) finish(settled *journalv1.Settled) {
	o.count(settled)
	if o.stage.Settled != nil {
		o.stage.Settled(o.channel, o.asked, o.record, settled, o.reason)
	}
	for _, pass := range o.passes {
		pass.End()
	}
}
