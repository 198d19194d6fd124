package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/eclipse/paho.golang/paho"

	"github.com/plughost/plughost/plugins/mqtt/internal/broker"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// connect makes a connection, with the subscriptions of the channels in use and no others,
// and makes it the one that Puts use.
func (m *mqtt) connect(ctx context.Context, q *plug.Queue) (_ *broker.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()
	conn, err := broker.Dial(ctx, m.broker)
	m.noteLogin(err)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	forgotten, err := m.memory.Begin(conn.Facts.SessionPresent)
	if err != nil {
		return nil, err
	}
	if err := m.subscribe(ctx, conn); err != nil {
		return nil, err
	}
	if forgotten { // until now nothing came
		gap := &plugv1.Gap{Reason: "the broker has forgotten the session, and with it what came while we were not connected (session_expiry, or a broker that lost its data)"}
		if err := q.Gap(ctx, gap); err != nil {
			return nil, err
		}
		if err := m.memory.Told(); err != nil {
			return nil, err
		}
	}
	m.setConn(conn)
	return conn, nil
}

// noteLogin keeps the broker's refusal of our credentials, for Puts until the next try.
func (m *mqtt) noteLogin(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loggedOut = nil
	if err == nil {
		return
	}
	if v := startVerdict(err); plug.VerdictOf(v) == plugv1.Verdict_VERDICT_LOGGED_OUT {
		m.loggedOut = err
	}
}

// subscribe makes the session's subscriptions those of the channels in use. They are
// asked for at every connection: what the broker lets us read may have changed.
func (m *mqtt) subscribe(ctx context.Context, conn *broker.Conn) error {
	var wanted []broker.Subscription
	var topics []string
	for _, c := range m.channels {
		if !c.refused() {
			wanted = append(wanted, broker.Subscription{Topic: c.source, QoS: c.qos})
			topics = append(topics, c.source)
		}
	}
	old := m.memory.Subscriptions()
	stale := slices.DeleteFunc(slices.Clone(old), func(t string) bool { return slices.Contains(topics, t) })
	if err := m.memory.SetSubscriptions(append(slices.Clone(topics), stale...)); err != nil {
		return err
	}
	if err := conn.Unsubscribe(ctx, stale); err != nil {
		return err
	}
	refusals, err := conn.Subscribe(ctx, wanted)
	if err != nil {
		return err
	}
	if err := m.memory.SetSubscriptions(topics); err != nil {
		return err
	}
	denied := make(map[string]string)
	for i, refusal := range refusals {
		if refusal != nil {
			denied[wanted[i].Topic] = refusal.Error()
			m.log.Warn("the broker does not let us read a topic", "topic", wanted[i].Topic, "reason", refusal.Error())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.denied = denied
	return nil
}

// Receive hands on what comes on one connection: that of Start the first time, else a new
// one. When it ends the SDK runs Receive again, with its back-off.
func (m *mqtt) Receive(ctx context.Context, q *plug.Queue, _ plug.Cursors) error {
	conn := m.current()
	if conn == nil {
		var err error
		if conn, err = m.connect(ctx, q); err != nil {
			return m.away(ctx, startVerdict(err))
		}
		m.setState(plugv1.NetworkState_NETWORK_STATE_CONNECTED, "")
		m.log.Info("connected to the broker again", "session_present", conn.Facts.SessionPresent)
	}
	// MQTT doesn't say where the old messages end, and nothing hangs on it: an uncertain Put
	// has no echo that could still come.
	for _, c := range m.channels {
		if c.refused() {
			continue // its source may be anything
		}
		if err := q.CaughtUp(ctx, c.source); err != nil {
			return err
		}
	}
	err := m.follow(ctx, q, conn)
	if ctx.Err() != nil {
		return err // Stop acknowledges and closes
	}
	m.setConn(nil)
	conn.Close()
	return m.away(ctx, err)
}

// away tells the host why there is no connection, until the next one.
func (m *mqtt) away(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		m.setState(plugv1.NetworkState_NETWORK_STATE_CONNECTING, err.Error())
	}
	return err
}

// follow hands on what comes until the connection ends, the rest of it included: what had
// no acknowledgement comes again, but what is of QoS 0 doesn't.
func (m *mqtt) follow(ctx context.Context, q *plug.Queue, conn *broker.Conn) error {
	for {
		select {
		case p := <-conn.Messages():
			if err := m.take(ctx, q, conn, p); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
			return ctx.Err()
		case <-conn.Ended():
		}
		for len(conn.Messages()) > 0 {
			if err := m.take(ctx, q, conn, <-conn.Messages()); err != nil {
				return err
			}
		}
		return conn.Err()
	}
}

// take hands on one message. Whatever it holds, it is done with afterwards: one that came
// again and again would stop everything behind it.
func (m *mqtt) take(ctx context.Context, q *plug.Queue, conn *broker.Conn, p *paho.Publish) error {
	if n := conn.Dropped(); m.dropped.reached(n) {
		m.log.Warn("messages of QoS 0 were lost: they come faster than the host takes them", "on_this_connection", n)
	}
	e, reason := m.event(p)
	if e != nil {
		switch err := q.Event(ctx, e); {
		case err == nil:
		case ctx.Err() != nil || errors.Is(err, plug.ErrStopped):
			return err
		default:
			reason = fmt.Sprint("it can't be queued: ", err)
		}
	}
	switch {
	case reason == repeated:
		if m.repeats.add() {
			m.log.Info("messages came again that the host has been given already", "messages", m.repeats.n)
		}
	case reason != "":
		if m.skipped.add() {
			m.log.Warn("messages were skipped", "messages", m.skipped.n, "last_topic", p.Topic, "last_reason", reason)
		}
	}
	conn.Done(p)
	return nil
}

// counter counts what would flood the log: it is told at 1, 2, 4, 8 and so on.
type counter struct{ n, next uint64 }

func (c *counter) add() bool { return c.reached(c.n + 1) }

// reached sets the count, and says whether it is to be told. A count that is smaller than
// the last one has begun anew.
func (c *counter) reached(n uint64) bool {
	if n < c.n {
		c.next = 0
	}
	c.n = n
	if n == 0 || n < c.next {
		return false
	}
	c.next = 2 * n
	return true
}
