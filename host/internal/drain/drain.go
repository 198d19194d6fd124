package drain

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Journal is where events come from and operations go to.
type Journal interface {
	EventLanes(ctx context.Context, h id.HookName) (*journal.Lanes, error)
	OperationID(event id.Sequence, index int, h id.HookName, target id.Channel, ordinal int) id.OperationID
	Accept(ctx context.Context, accepted []journal.Accepted) error
	Standing(ctx context.Context, c id.Channel, after id.Sequence) (map[id.OperationID]bool, error)
	SaveDone(ctx context.Context, h id.HookName, done map[id.Channel]id.Sequence) (left map[id.Channel]id.Sequence, err error)
	End(ctx context.Context) (id.Sequence, error)
}

// Gate says when an event may be yielded.
type Gate interface {
	Blocked(c id.Channel, s id.Sequence, own bool) bool
	Wait(ctx context.Context, c id.Channel, s id.Sequence, own bool) error
}

// Origins knows our own messages.
type Origins interface {
	// Origin returns the operation that an event is an echo of, or nil.
	Origin(ctx context.Context, c id.Channel, e *plugv1.Event) (*hook.Origin, error)
	// Canonical returns the key of the message that m is, or is a copy of.
	Canonical(ctx context.Context, m id.Message) (*journalv1.MessageKey, error)
	// Accepting is told what is about to become durable.
	Accepting(accepted []journal.Accepted)
}

// Directory knows the plug instances.
type Directory interface {
	// Instance describes the plug of a network; ok is false if the config has
	// none that was ever it.
	Instance(n id.NetworkID) (facts Facts, ok bool)
	// Resolve returns the channel under which a hook's target is kept. It waits
	// while the instance starts for the first time; ok is false if it never was
	// started with success and is not about to be.
	Resolve(ctx context.Context, c hook.Channel) (channel id.Channel, ok bool)
}

// Facts are what a delivery tells of a plug instance.
type Facts struct {
	Name        id.InstanceName
	NetworkName string
	// NeverEchoes: the network never shows us our own messages.
	NeverEchoes bool
}

// Drain yields events to one hook.
type Drain struct {
	hook      hook.Hook
	journal   Journal
	gate      Gate
	origins   Origins
	directory Directory
	log       hclog.Logger

	lanes    *journal.Lanes
	progress *progress
	end      id.Sequence // records up to here may have been answered before a crash

	mu    sync.Mutex
	given map[id.Channel]int // records of each channel in this life, up to mayStand
}

// New makes the drain of a hook.
func New(h hook.Hook, j Journal, g Gate, o Origins, d Directory, log hclog.Logger) *Drain {
	drain := &Drain{hook: h, journal: j, gate: g, origins: o, directory: d, given: map[id.Channel]int{},
		log: log.Named("drain").With("hook", string(h.Name()))}
	drain.progress = newProgress(drain.log, func(ctx context.Context, done map[id.Channel]id.Sequence) (map[id.Channel]id.Sequence, error) {
		return j.SaveDone(ctx, h.Name(), done)
	})
	return drain
}

// Open finds where the hook goes on. It is called once, before Run and before
// any plug starts, so that a new hook misses nothing that is said from now.
func (d *Drain) Open(ctx context.Context) (err error) {
	if d.end, err = d.journal.End(ctx); err != nil {
		return fmt.Errorf("open drain: %w", err)
	}
	d.lanes, err = d.journal.EventLanes(ctx, d.hook.Name())
	return err
}

// Run yields until ctx ends.
func (d *Drain) Run(ctx context.Context) error {
	defer d.progress.run(ctx)()
	return d.lanes.Run(ctx, d.handle)
}

// handle yields records of one channel to the hook.
func (d *Drain) handle(ctx context.Context, c id.Channel, records []storage.Record) {
	b := &batch{Drain: d, channel: c, first: records[0].Sequence}
	b.again = b.first <= d.end && d.give(c, len(records)) < mayStand
	for _, r := range records {
		record, err := journal.EventsOf(r)
		if err != nil {
			d.log.Error("journal record not readable; passed over", "error", err)
		}
		for i, e := range record.GetEvents() {
			if slices.Contains(record.Withheld, uint32(i)) {
				continue
			}
			if err := b.yield(ctx, r.Sequence, i, e); err != nil {
				return // ctx has ended; what is not done is yielded again
			}
		}
		b.done = r.Sequence
		b.records++
	}
	_ = b.flush(ctx)
}

// give counts what a channel's lane is given in this life, and returns how much that was
// before.
func (d *Drain) give(c id.Channel, records int) (before int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before = d.given[c]
	d.given[c] = min(before+records, mayStand)
	return before
}

// batch is a run of records of one channel on their way through the hook.
type batch struct {
	*Drain
	channel  id.Channel
	first    id.Sequence // the batch's first record
	again    bool        // its operations may stand already
	done     id.Sequence // last record wholly yielded
	records  int         // wholly yielded and not noted
	accepted []journal.Accepted
	standing map[id.Channel]map[id.OperationID]bool
}

// yield gives one event to the hook, when the gate lets it pass.
func (b *batch) yield(ctx context.Context, s id.Sequence, index int, e *plugv1.Event) error {
	// What is done to another message may be about one of ours that nobody knows yet to
	// have been sent: it waits for the echo too, else it would be about nothing.
	own := e.Own != plugv1.Own_OWN_NO || about(e) != "" || e.Thread != ""
	if b.gate.Blocked(b.channel, s, own) {
		// What earlier events caused doesn't wait with this one.
		if err := b.flush(ctx); err != nil {
			return err
		}
		if err := b.gate.Wait(ctx, b.channel, s, own); err != nil {
			return err
		}
	}
	delivery, err := b.delivery(ctx, s, index, e)
	if err != nil || delivery == nil {
		return err
	}
	sends, err := b.call(ctx, delivery)
	if err != nil {
		return err
	}
	return b.accept(ctx, delivery, sends)
}

// delivery joins an event with what the host knows of it. It is nil for a plug
// that the config no longer has.
func (b *batch) delivery(ctx context.Context, s id.Sequence, index int, e *plugv1.Event) (*hook.Delivery, error) {
	facts, ok := b.directory.Instance(b.channel.Network)
	if !ok {
		return nil, nil
	}
	d := &hook.Delivery{
		Channel:     hook.Channel{Plug: facts.Name, Source: b.channel.Source},
		Network:     b.channel.Network,
		NetworkName: facts.NetworkName,
		Event:       e,
		Sequence:    s,
		Index:       index,
	}
	var origin *hook.Origin
	if e.Own != plugv1.Own_OWN_NO {
		err := b.retry(ctx, "the message map did not answer", func() (err error) {
			origin, err = b.origins.Origin(ctx, d.In(), e)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	d.Origin = origin
	d.Ours = origin != nil || e.Own == plugv1.Own_OWN_YES || e.Own != plugv1.Own_OWN_NO && !facts.NeverEchoes
	var err error
	if d.About, err = b.target(ctx, d.In(), about(e)); err == nil {
		d.Thread, err = b.target(ctx, d.In(), e.Thread)
	}
	return d, err
}

// call runs the hook until it answers or passes over the event. Its error is
// the context's.
func (b *batch) call(ctx context.Context, delivery *hook.Delivery) (sends []hook.Send, err error) {
	err = b.retry(ctx, "the hook holds an event", func() error {
		sends, err = receive(ctx, b.hook, delivery)
		var hold interface{ Hold() bool }
		switch {
		case err == nil || ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &hold):
			return err
		}
		b.log.Error("the hook failed; it is not given this event again", "channel", delivery.Channel.String(), "sequence", uint64(delivery.Sequence), "error", err)
		sends = nil
		return nil
	})
	return sends, err
}

func receive(ctx context.Context, h hook.Hook, delivery *hook.Delivery) (sends []hook.Send, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, hook.CallTimeout)
	defer cancel()
	return h.Receive(ctx, delivery)
}

// accept collects operations; they become durable at the next flush.
func (b *batch) accept(ctx context.Context, delivery *hook.Delivery, sends []hook.Send) error {
	for ordinal, send := range sends {
		target, ok := b.directory.Resolve(ctx, send.Channel)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !ok {
			b.log.Warn("not sent: the target plug was never started with success", "target", send.Channel.String(), "from", delivery.Channel.String())
			continue
		}
		operation := b.journal.OperationID(delivery.Sequence, delivery.Index, b.hook.Name(), target, ordinal)
		standing, err := b.stands(ctx, target, operation)
		if err != nil {
			return err
		}
		if standing {
			continue
		}
		i := slices.IndexFunc(b.accepted, func(a journal.Accepted) bool { return a.Channel == target })
		if i < 0 {
			i = len(b.accepted)
			b.accepted = append(b.accepted, journal.Accepted{Channel: target})
		}
		made, err := b.operation(ctx, operation, delivery, send)
		if err != nil {
			return err
		}
		b.accepted[i].Operations = append(b.accepted[i].Operations, made)
	}
	return nil
}

// stands tells whether an operation was accepted before a crash, before the hook
// was noted as done with the event: then it is not accepted again (D3).
func (b *batch) stands(ctx context.Context, target id.Channel, operation id.OperationID) (bool, error) {
	if !b.again {
		return false, nil
	}
	if _, read := b.standing[target]; !read {
		err := b.retry(ctx, "the journal did not answer", func() error {
			standing, err := b.journal.Standing(ctx, target, b.first)
			if b.standing == nil {
				b.standing = map[id.Channel]map[id.OperationID]bool{}
			}
			if err == nil {
				b.standing[target] = standing
			}
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return b.standing[target][operation], nil
}

// flush makes durable what was collected, and then notes that the hook is done with
// it. Its error is the context's.
func (b *batch) flush(ctx context.Context) error {
	if len(b.accepted) > 0 {
		b.origins.Accepting(b.accepted)
		unsure := false
		err := b.retry(ctx, "the journal refused operations", func() error {
			if unsure {
				if err := b.drop(ctx); err != nil {
					return err
				}
			}
			// If it fails some may stand: then they are not accepted again.
			err := b.journal.Accept(ctx, b.accepted)
			unsure = err != nil
			return err
		})
		if err != nil {
			return err
		}
		b.accepted = nil
	}
	if b.done == 0 {
		return nil
	}
	err := b.progress.note(ctx, b.channel, b.done, b.records)
	b.done, b.records = 0, 0
	return err
}

// drop removes from what was collected the operations that stand.
func (b *batch) drop(ctx context.Context) error {
	for i, a := range b.accepted {
		standing, err := b.journal.Standing(ctx, a.Channel, b.first)
		if err != nil {
			return err
		}
		b.accepted[i].Operations = slices.DeleteFunc(a.Operations, func(op *journalv1.Operation) bool {
			return standing[id.OperationID(op.Id)]
		})
	}
	b.accepted = slices.DeleteFunc(b.accepted, func(a journal.Accepted) bool { return len(a.Operations) == 0 })
	return nil
}

// retry tries until it succeeds or ctx ends.
func (b *batch) retry(ctx context.Context, what string, try func() error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, try() },
		backoff.WithBackOff(newBackOff()), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, next time.Duration) {
			b.log.Warn(what, "channel", b.channel.String(), "error", err, "next_try", next)
		}))
	return err
}

func newBackOff() *backoff.ExponentialBackOff {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 50*time.Millisecond, 10*time.Second
	return policy
}
