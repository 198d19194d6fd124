package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/subscribe"
)

// keepSubscriptions is how long a durable subscription is kept that nobody asks for.
const keepSubscriptions = 30 * 24 * time.Hour

// Subscribe says what is subscribed to.
type Subscribe struct {
	// Name makes the subscription durable: the journal keeps how far it has been
	// acknowledged, and it goes on there, however long it was away; removed when
	// nobody has asked for it in 30 days. A new name starts now. 1 to 64 of
	// A-Z a-z 0-9 . _ -. Empty: not durable.
	Name string
	// From is the first place in the journal that a subscription without a name is
	// given, as far as it is kept; 0: from now.
	From id.Sequence
	// Plugs and Channels are all that is wanted; everything if both are empty.
	Plugs    []id.InstanceName
	Channels []hook.Channel
}

// Subscription gives events as a Hook gets them, to be read at the reader's own
// pace. It holds at most 1,024 entries or 4 MiB that are not acknowledged; while it
// is full nobody waits but its own feed.
type Subscription struct {
	host *Host
	s    *subscribe.Subscription
}

// Entry is one thing that a subscriber is given: one of Delivery and Settled is set.
type Entry struct {
	// Ack acknowledges this entry and all before it; empty without a name.
	Ack      string
	Delivery *hook.Delivery
	// Settled says what became of an operation. It comes before the echo (O1), and
	// without one to whoever is not more than 1,024 entries behind. What is parked may
	// turn out to have been sent: then it comes once more.
	Settled *hook.Operation
}

// Subscribe opens a subscription, for one reader; close it in the end. It goes on
// after ctx has ended, until Close or until Run returns. While another reader uses
// the name the error is ALREADY_EXISTS.
func (h *Host) Subscribe(ctx context.Context, o Subscribe) (*Subscription, error) {
	run, err := h.run()
	if err != nil {
		return nil, err
	}
	r, err := h.subscription(o)
	if err != nil {
		return nil, err
	}
	s, err := run.subscribe.Subscribe(ctx, r)
	if errors.Is(err, subscribe.ErrInUse) {
		return nil, &hook.Error{Code: codes.AlreadyExists, Text: fmt.Sprintf("another client uses subscription %q; stop that one, or choose another name", o.Name)}
	}
	if err != nil {
		return nil, explain(err)
	}
	return &Subscription{h, s}, nil
}

// subscription checks what is subscribed to.
func (h *Host) subscription(o Subscribe) (r subscribe.Request, err error) {
	if o.Name != "" {
		if r.Name, err = clientHook(o.Name); err != nil {
			return r, err
		}
		if o.From != 0 {
			return r, invalid("subscription %q goes on where it was; leave out where it shall begin", o.Name)
		}
	}
	r.From, r.Filter = o.From, fmt.Sprint(o.Plugs, o.Channels)
	for _, p := range o.Plugs {
		if err := h.known(p); err != nil {
			return r, err
		}
	}
	for _, c := range o.Channels {
		if err := h.known(c.Plug); err != nil {
			return r, err
		}
		if c.Source == "" {
			return r, invalid("channel %q has no source; write it as plug/source", c)
		}
	}
	plugs, channels := slices.Clone(o.Plugs), slices.Clone(o.Channels)
	r.Wants = func(c id.Channel) bool {
		if len(plugs)+len(channels) == 0 {
			return true
		}
		at := h.Label(c)
		return slices.Contains(plugs, at.Plug) || slices.ContainsFunc(channels, func(want hook.Channel) bool {
			return want == at || h.directory.Canonical(want) == at
		})
	}
	return r, nil
}

// Resumed tells whether a durable subscription was known before; if not it starts
// when it was opened first.
func (s *Subscription) Resumed() bool { return s.s.Resumed() }

// Next returns the next entries, up to limit, when there is one. Without a name they
// count as dealt with when it is called again. It is called by one goroutine at a
// time.
func (s *Subscription) Next(ctx context.Context, limit int) ([]Entry, error) {
	given, err := s.s.Next(ctx, limit)
	if err != nil {
		return nil, explain(err)
	}
	entries := make([]Entry, len(given))
	for i, e := range given {
		entries[i].Delivery = e.Delivery
		if e.Outcome != nil {
			entries[i].Settled = s.host.public(e.Outcome.Value.(*accept.Result))
		}
		if s.s.Durable() {
			entries[i].Ack = s.s.Token(e)
		}
	}
	return entries, nil
}

// Acknowledge says that everything up to an entry's Ack is dealt with. It returns
// when that is durable.
func (s *Subscription) Acknowledge(ctx context.Context, ack string) error {
	return tokenError(s.s.Acknowledge(ctx, ack))
}

// Close ends the use of the subscription. What was not acknowledged is given again
// to the next one who asks for its name.
func (s *Subscription) Close() { s.s.Close() }

// Acknowledge acknowledges for a durable subscription whose reader may be gone.
func (h *Host) Acknowledge(ctx context.Context, name, ack string) error {
	run, err := h.run()
	if err != nil {
		return err
	}
	full, err := clientHook(name)
	if err != nil {
		return err
	}
	return tokenError(run.subscribe.Acknowledge(ctx, full, ack))
}

func tokenError(err error) error {
	if errors.Is(err, subscribe.ErrToken) {
		return &hook.Error{Code: codes.FailedPrecondition, Text: "this acknowledgement is not of what the subscription gives now: " + err.Error() + "; go on without it"}
	}
	return explain(err)
}

// DurableSubscription is a durable subscription, open or not.
type DurableSubscription struct {
	Name  string
	InUse bool
	// Asked is when somebody asked for it last, to the hour.
	Asked time.Time
}

// Subscriptions lists the durable subscriptions, by name.
func (h *Host) Subscriptions(ctx context.Context) ([]DurableSubscription, error) {
	run, err := h.run()
	if err != nil {
		return nil, err
	}
	registered, err := h.journal.Registrations(ctx, clientPrefix+":")
	if err != nil {
		return nil, explain(err)
	}
	all := make([]DurableSubscription, len(registered))
	for i, r := range registered {
		all[i] = DurableSubscription{Name: string(r.Hook[len(clientPrefix)+1:]), InUse: run.subscribe.InUse(r.Hook), Asked: r.Touched}
	}
	slices.SortFunc(all, func(a, b DurableSubscription) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// DeleteSubscription forgets a durable subscription that nobody uses.
func (h *Host) DeleteSubscription(ctx context.Context, name string) error {
	all, err := h.Subscriptions(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(s DurableSubscription) bool { return s.Name == name }) {
		return &hook.Error{Code: codes.NotFound, Text: fmt.Sprintf("there is no subscription %q", name)}
	}
	run, err := h.run()
	if err != nil {
		return err
	}
	err = run.subscribe.Forget(ctx, id.HookName(clientPrefix+":"+name))
	if errors.Is(err, subscribe.ErrInUse) {
		return &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf("a client uses subscription %q; stop it first", name)}
	}
	return explain(err)
}

// openFeed makes a subscription's feed.
func (h *Host) openFeed(ctx context.Context, name id.HookName, from id.Sequence, t subscribe.Taker) (subscribe.Feed, error) {
	return drain.OpenFeed(ctx, name, from, h.journal, h.gate, h.put, h.directory, t, h.log)
}

// progressNames lists under which names the journal keeps progress, having forgotten
// the subscriptions that nobody wants any more.
func (h *Host) progressNames(ctx context.Context) ([]id.HookName, error) {
	names := h.hookNames()
	registered, err := h.journal.Registrations(ctx, clientPrefix+":")
	if err != nil {
		return nil, err
	}
	run, err := h.run()
	if err != nil {
		return nil, err
	}
	for _, r := range registered {
		if time.Since(r.Touched) > keepSubscriptions && !run.subscribe.InUse(r.Hook) {
			h.log.Warn("a subscription that nobody has asked for is removed", "subscription", r.Hook, "asked_last", r.Touched)
			if err := run.subscribe.Forget(ctx, r.Hook); err != nil && !errors.Is(err, subscribe.ErrInUse) {
				return nil, err
			}
			continue
		}
		names = append(names, r.Hook)
	}
	return names, nil
}
