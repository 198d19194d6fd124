package simplug

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug"
)

// Receive queues what the network shows, on the connection that Start made, and at
// a later run on a new one.
func (p *Plug) Receive(ctx context.Context, q *plug.Queue, cursors plug.Cursors) error {
	if p.live() == nil {
		if err := p.connect(ctx); err != nil {
			return p.away(ctx, err)
		}
		p.session.SetNetworkState(plugv1.NetworkState_NETWORK_STATE_CONNECTED, "")
	}
	l := p.live()
	// A connection can be subscribed once, so the next run needs another. Until
	// then Puts answer that they were not sent. At Stop it is needed a little
	// longer, by a Put that still runs.
	defer func() {
		if ctx.Err() == nil {
			p.hangUp()
		}
	}()
	return p.away(ctx, p.follow(ctx, l, q, cursors))
}

// away tells the host why there is no connection, until the next one.
func (p *Plug) away(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		p.session.SetNetworkState(plugv1.NetworkState_NETWORK_STATE_CONNECTING, err.Error())
	}
	return err
}

// follow queues what one connection shows, until it ends.
func (p *Plug) follow(ctx context.Context, l *line, q *plug.Queue, cursors plug.Cursors) error {
	if err := l.subscribe(ctx, q, cursors); err != nil {
		return err
	}
	for {
		frame, err := l.Next(ctx)
		if err != nil {
			return err
		}
		switch f := frame.(type) {
		case *wire.Event:
			err = p.event(ctx, l, q, f)
		case *wire.Mark:
			err = l.mark(ctx, q, f)
		}
		if err != nil {
			return err
		}
	}
}

// subscribe resumes at the cursors, says where it cannot, and makes "now" a cursor
// where there was none: so that the first message is not lost either.
func (l *line) subscribe(ctx context.Context, q *plug.Queue, cursors plug.Cursors) error {
	known := map[string]string{}
	since := map[string]time.Time{}
	for scope, value := range cursors {
		at, cursor := parseCursor(value)
		known[l.wireName(scope)], since[scope] = cursor, at
	}
	reply, err := l.Subscribe(ctx, known)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	now := time.Now()
	for scope := range cursors {
		reason, refused := reply.Refused[l.wireName(scope)]
		if !refused {
			continue
		}
		gap := &plugv1.Gap{Scope: scope, Until: timestamppb.New(now), Reason: reason}
		if at := since[scope]; !at.IsZero() {
			gap.Since = timestamppb.New(at)
		}
		if err := q.Gap(ctx, gap); err != nil {
			return err
		}
	}
	for _, scope := range l.scopes() {
		_, refused := reply.Refused[l.wireName(scope)]
		if _, resumed := cursors[scope]; resumed && !refused {
			continue
		}
		if err := q.Cursor(ctx, l.cursor(scope, reply.Position, now)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plug) event(ctx context.Context, l *line, q *plug.Queue, e *wire.Event) error {
	if e.Fetch {
		// The next event waits behind this: the order is the network's.
		a, err := l.Ask(ctx, &wire.Fetch{Position: e.Position})
		if err != nil {
			return fmt.Errorf("fetch message %s: %w", e.MessageID, err)
		}
		// A message that is gone meanwhile is still one that was there: without text.
		e.Text = a.Content
	}
	event, err := l.event(e)
	if err != nil {
		return err
	}
	if l.login.Settings.IDsByEcho && event.GetOwn() != plugv1.Own_OWN_NO && event.GetMessage() != nil {
		p.echoes.Arrived(l.echoKey(e.OperationID, event.GetChannel(), e.Text), &plugv1.Receipt{
			Id: event.GetMessageId(), Channel: event.GetChannel(), Time: event.GetTime(),
			Aliases: event.GetAliases(), Reference: event.GetReference(),
		})
	}
	cursors := []plug.Cursor{l.cursor(l.scope(e.Channel), e.Position, e.Time)}
	if to := event.GetChannelMigrated().GetTo(); to != "" && l.scope(to) != cursors[0].Scope {
		// From here on it is the other's: what is said there is not lost either.
		cursors = append(cursors, l.cursor(l.scope(to), e.Position, e.Time))
	}
	return q.Event(ctx, event, cursors...)
}

func (l *line) mark(ctx context.Context, q *plug.Queue, m *wire.Mark) error {
	if m.CaughtUp {
		return q.CaughtUp(ctx, l.scope(m.Channel))
	}
	scopes := []string{l.scope(m.Channel)}
	if m.Channel == "" {
		scopes = l.scopes()
	}
	for _, scope := range scopes {
		if err := q.Cursor(ctx, l.cursor(scope, m.Position, time.Now())); err != nil {
			return err
		}
	}
	return nil
}
