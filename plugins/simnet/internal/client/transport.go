package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// post queues a frame for writing. The error is always ErrNotSent.
func (c *Client) post(ctx context.Context, f wire.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.unwritten) > maxUnwritten {
		room := c.room
		c.mu.Unlock()
		var err error
		select {
		case <-room:
		case <-c.lost:
		case <-ctx.Done():
			err = ctx.Err()
		}
		c.mu.Lock()
		if err != nil {
			return fmt.Errorf("%w: wait for room: %w", ErrNotSent, err)
		}
	}
	if c.err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, c.err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if err := c.queue(f); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return nil
}

// queue appends a frame to what is to be written. The lock must be held.
func (c *Client) queue(f wire.Frame) (err error) {
	if c.unwritten, err = wire.Append(c.unwritten, f); err != nil {
		return err
	}
	select {
	case c.dirty <- struct{}{}:
	default: // the writer is awake already
	}
	return nil
}

// write writes what is queued, all that has come together in one go.
func (c *Client) write() error {
	var spare []byte
	for {
		select {
		case <-c.dirty:
		case <-c.lost:
			return errClosed
		}
		c.mu.Lock()
		full := c.unwritten
		c.unwritten = spare[:0]
		close(c.room)
		c.room = make(chan struct{})
		c.mu.Unlock()
		if _, err := c.nc.Write(full); err != nil {
			return fmt.Errorf("write to the network: %w", err)
		}
		spare = full
	}
}

// read hands out what comes, until the connection is lost.
func (c *Client) read() error {
	r := wire.NewReader(c.nc)
	for {
		frame, err := r.Read()
		if errors.Is(err, io.EOF) {
			return errors.New("the network closed the connection")
		}
		if err != nil {
			return fmt.Errorf("read from the network: %w", err)
		}
		if c.options.OnActivity != nil {
			c.options.OnActivity()
		}
		switch f := frame.(type) {
		case *wire.Event, *wire.Mark:
			select {
			case c.events <- f:
			default:
				return errors.New("the network sent more than it had credit for")
			}
		case *wire.Answer:
			c.answered(f.ID, f)
		case *wire.Reply:
			c.answered(f.ID, f)
		case *wire.Ping:
		case *wire.Order:
			if err := c.ordered(f); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a network may not say %T", frame)
		}
	}
}

func (c *Client) answered(id uint64, f wire.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waiting := c.pending[id]; waiting != nil {
		waiting <- f // has room for the one answer
		delete(c.pending, id)
	}
}

func (c *Client) ordered(o *wire.Order) error {
	var p script.Plug
	if err := json.Unmarshal([]byte(o.Body), &p); err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	if c.options.OnOrder != nil {
		c.options.OnOrder(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Without waiting for room: orders are few, and the reader must go on.
	return c.queue(&wire.Reply{ID: o.ID})
}
