package broker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// attempt is what is known of a publish that runs.
type attempt struct {
	id uint16 // its packet id; 0 with QoS 0

	// Guarded by Conn.mu.
	begun  bool            // from here on it may be on its way
	answer *packets.Puback // what the broker says of it
}

type attemptKey struct{}

// errLate ends a connection on which an answer did not come in time.
var errLate = errors.New("the broker did not answer a publish in time")

// Publish publishes, and waits for the broker's answer (PUBACK) until ctx ends. That
// nobody is subscribed (reason code 0x10) is no error. A *Refusal: the broker did not take
// it. ErrNotSent: nothing was written. Any other error: it may have been published; the
// connection has then ended, and nothing is left that would still send.
func (c *Conn) Publish(ctx context.Context, m *paho.Publish) error {
	if c.life.Err() != nil {
		return ErrNotSent
	}
	if size := packetSize(m); c.Facts.MaxPacket > 0 && size > int64(c.Facts.MaxPacket) {
		return &Refusal{Code: PacketTooLarge, Reason: fmt.Sprintf("the packet has %d bytes, the broker takes %d", size, c.Facts.MaxPacket)}
	}
	a := &attempt{}
	run, cancel := context.WithCancel(context.WithValue(ctx, attemptKey{}, a))
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	defer context.AfterFunc(ctx, func() { // a write may hang, and knows no context
		if c.hasBegun(a) {
			c.abort(errLate)
		}
	})()
	if m.QoS == 0 { // it has no packet id and no answer
		c.begin(ctx, a)
	}
	_, err := c.client.Publish(run, m)
	begun, answer := c.finish(a)
	switch {
	case answer != nil && answer.ReasonCode >= 0x80:
		r := &Refusal{Code: answer.ReasonCode}
		if answer.Properties != nil {
			r.Reason = answer.Properties.ReasonString
		}
		return r
	case err == nil || answer != nil:
		return nil
	case errors.Is(err, paho.ErrInvalidArguments): // the broker doesn't have this QoS, or no retained messages
		return &Refusal{Code: Unwilling, Reason: err.Error()}
	case !begun:
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if ctx.Err() != nil {
		c.abort(errLate)
	} else {
		c.abort(fmt.Errorf("connection to the broker: %w", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.tooLarge:
		return c.disconnect
	case c.disconnect != nil:
		return fmt.Errorf("the broker ended the connection before it answered: %w", c.disconnect)
	default:
		return fmt.Errorf("the broker's answer did not come: %w", err)
	}
}

// Running is how many publishes may be on their way.
func (c *Conn) Running() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// begin notes that a publish may be on its way from now on. Was its time over by then,
// it must not be; the write that follows would not see it.
func (c *Conn) begin(ctx context.Context, a *attempt) {
	c.mu.Lock()
	a.begun = true
	c.running++
	if a.id != 0 {
		c.attempts[a.id] = a
	}
	c.mu.Unlock()
	if ctx.Err() != nil {
		c.abort(errLate)
	}
}

func (c *Conn) hasBegun(a *attempt) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return a.begun
}

// answered notes the broker's answer to the publish with its packet id.
func (c *Conn) answered(answer *packets.Puback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.attempts[answer.PacketID]; a != nil {
		a.answer = answer
		delete(c.attempts, answer.PacketID)
	}
}

func (c *Conn) finish(a *attempt) (begun bool, answer *packets.Puback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.begun {
		c.running--
	}
	if c.attempts[a.id] == a {
		delete(c.attempts, a.id)
	}
	return a.begun, a.answer
}

// packetSize is the size of a publish on the wire.
func packetSize(m *paho.Publish) int64 {
	p := packets.NewControlPacket(packets.PUBLISH)
	p.Content = m.Packet()
	n, _ := p.WriteTo(io.Discard)
	return n
}
