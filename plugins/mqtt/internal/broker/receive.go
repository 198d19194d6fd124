package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/paho"

	"github.com/plughost/plughost/plugins/mqtt/internal/topic"
)

// perSubscribe is how many topics one SUBSCRIBE names. AWS IoT takes no more; others
// take any number.
const perSubscribe = 8

// Subscription is what to subscribe to.
type Subscription struct {
	Topic string // may have wildcards
	QoS   byte
}

// Subscribe subscribes, without our own messages (No Local) and without those that the
// broker has retained from before. The session may have the subscriptions already. It
// gives, for each, a *Refusal or nil.
func (c *Conn) Subscribe(ctx context.Context, wanted []Subscription) ([]*Refusal, error) {
	refusals := make([]*Refusal, len(wanted))
	var batch []int // indexes in wanted
	for i, s := range wanted {
		if topic.Wild(s.Topic) && !c.Facts.Wildcards {
			refusals[i] = &Refusal{Code: NoWildcards}
		} else {
			batch = append(batch, i)
		}
		if len(batch) == perSubscribe || i == len(wanted)-1 && len(batch) > 0 {
			if err := c.subscribe(ctx, wanted, batch, refusals); err != nil {
				return nil, err
			}
			batch = batch[:0]
		}
	}
	return refusals, nil
}

func (c *Conn) subscribe(ctx context.Context, wanted []Subscription, batch []int, refusals []*Refusal) error {
	s := &paho.Subscribe{}
	for _, i := range batch {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{
			Topic: wanted[i].Topic, QoS: wanted[i].QoS, NoLocal: true,
			// 2: never (MQTT 5.0, section 3.8.3.1). 1 would replay them whenever the broker
			// has lost the session.
			RetainHandling: 2,
		})
	}
	suback, err := c.client.Subscribe(ctx, s)
	if suback == nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if len(suback.Reasons) != len(batch) {
		return errors.New("subscribe: the broker answers for another number of topics than was asked")
	}
	for n, i := range batch {
		if code := suback.Reasons[n]; code >= 0x80 {
			refusals[i] = &Refusal{Code: code}
			if suback.Properties != nil {
				refusals[i].Reason = suback.Properties.ReasonString
			}
		}
	}
	return nil
}

// Unsubscribe ends subscriptions. One that there was not is no error.
func (c *Conn) Unsubscribe(ctx context.Context, topics []string) error {
	for len(topics) > 0 {
		n := min(len(topics), perSubscribe)
		if unsuback, err := c.client.Unsubscribe(ctx, &paho.Unsubscribe{Topics: topics[:n]}); unsuback == nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
		topics = topics[n:]
	}
	return nil
}

// Messages brings what was published, in order. Each is to be given to Done, in the same
// order. It is never closed: see Ended.
func (c *Conn) Messages() <-chan *paho.Publish { return c.arrived }

// arrivedMaximum is how many messages may come before the first of them is taken. No more
// than ReceiveMaximum of each QoS should; but mosquitto 2.0.11 was seen to send all that it
// had kept for the session, 1,000 by default, and while those wait here paho hears of no
// answer to Subscribe.
const arrivedMaximum = 2048

// receive is paho's handler. What finds no room is waited with if it is of QoS 1, for it
// must not be lost. It never outlives the connection, since paho would wait for it.
func (c *Conn) receive(r paho.PublishReceived) (bool, error) {
	if r.Packet.QoS == 0 && len(c.arrived) >= ReceiveMaximum {
		c.mu.Lock()
		c.dropped++
		c.mu.Unlock()
		return true, nil
	}
	// Once the connection has ended nothing more is taken: what has not arrived comes
	// again, and must not come in two halves.
	if c.life.Err() != nil {
		return true, nil
	}
	select {
	case c.arrived <- r.Packet:
	case <-c.life.Done():
	}
	return true, nil
}

// Dropped is how many messages of QoS 0 found no room, since the connection began.
func (c *Conn) Dropped() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Done says that a message has been handed on, and is to be acknowledged after a Flush.
func (c *Conn) Done(m *paho.Publish) {
	if m.QoS == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsettled == 0 {
		c.settled = make(chan struct{})
	}
	c.unsettled++
	c.pending = append(c.pending, m.Packet())
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Settle waits until everything that was given to Done is acknowledged, the connection
// has ended, or ctx ends.
func (c *Conn) Settle(ctx context.Context) {
	c.mu.Lock()
	settled := c.settled
	c.mu.Unlock()
	if settled == nil {
		return
	}
	select {
	case <-settled:
	case <-c.life.Done():
	case <-ctx.Done():
	}
}

// acknowledge acknowledges what is done, as long as the connection lives. While a Flush
// runs the next ones gather, so there is one Flush for many.
func (c *Conn) acknowledge() {
	for {
		select {
		case <-c.wake:
		case <-c.life.Done():
			return
		}
		c.mu.Lock()
		batch := c.pending
		c.pending = nil
		c.mu.Unlock()
		if c.flush(c.life) != nil {
			return // they come again
		}
		for _, m := range batch {
			if c.session.State.Ack(m) != nil {
				return
			}
		}
		c.mu.Lock()
		c.unsettled -= len(batch)
		if c.unsettled == 0 && c.settled != nil {
			close(c.settled)
			c.settled = nil
		}
		c.mu.Unlock()
	}
}
