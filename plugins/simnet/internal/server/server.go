package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/plughost/plughost/plugins/simnet/internal/director"
	"github.com/plughost/plughost/plugins/simnet/internal/network"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// maxOpen is how many requests of a connection may be unanswered.
const maxOpen = 4096

// Serve takes connections of l until ctx ends, then closes l and waits for all
// connections.
func Serve(ctx context.Context, n *network.Network, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		<-ctx.Done()
		l.Close()
	})
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept connection: %w", err)
		}
		running.Go(func() { ServeConn(ctx, n, nc) })
	}
}

// ServeConn serves one connection until it or ctx ends, and closes it.
func ServeConn(ctx context.Context, n *network.Network, nc net.Conn) {
	ctx, end := context.WithCancelCause(ctx)
	c := &conn{
		network: n, session: n.Connect(func(err error) { end(err) }),
		nc: nc, open: make(chan struct{}, maxOpen),
	}
	var running sync.WaitGroup
	running.Go(func() {
		<-ctx.Done()
		nc.Close()
	})
	running.Go(func() { end(c.write(ctx)) })
	end(c.read(ctx, &running))
	running.Wait()
	c.session.Close(context.Cause(ctx))
}

type conn struct {
	network *network.Network
	session *network.Session
	nc      net.Conn
	// open has a token per unanswered request.
	open chan struct{}
}

// read handles what the client says, until an error. Commands run on goroutines of
// running.
func (c *conn) read(ctx context.Context, running *sync.WaitGroup) error {
	r := wire.NewReader(c.nc)
	for {
		frame, err := r.Read()
		if errors.Is(err, io.EOF) {
			return errors.New("closed by the client")
		}
		if err != nil {
			return err
		}
		if err := c.thawed(ctx); err != nil {
			return err
		}
		switch f := frame.(type) {
		case *wire.Call:
			if err := c.begin(ctx); err != nil {
				return err
			}
			if err := c.call(ctx, f, running); err != nil {
				return err
			}
			continue
		case *wire.Send, *wire.Upload, *wire.Fetch:
			if err := c.begin(ctx); err != nil {
				return err
			}
		}
		if err := c.session.Handle(frame); err != nil {
			return err
		}
	}
}

// begin counts an unanswered request.
func (c *conn) begin(ctx context.Context) error {
	select {
	case c.open <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// thawed waits until the account is not frozen.
func (c *conn) thawed(ctx context.Context) error {
	for {
		thawed := c.session.Frozen()
		if thawed == nil {
			return nil
		}
		select {
		case <-thawed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write writes answers and events until ctx ends or the connection fails.
func (c *conn) write(ctx context.Context) error {
	w := bufio.NewWriterSize(c.nc, 64<<10)
	var frames []wire.Frame
	var buffer []byte
	for {
		frames = c.session.Take(frames[:0])
		if len(frames) == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
			select {
			case <-c.session.Wake():
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		for _, f := range frames {
			switch f.(type) {
			case *wire.Answer, *wire.Reply:
				<-c.open
			}
			var err error
			if buffer, err = wire.Append(buffer[:0], f); err != nil {
				return err
			}
			if _, err := w.Write(buffer); err != nil {
				return err
			}
		}
	}
}

// call handles a Call. An error ends the connection; a failed command only gets it
// as its reply.
func (c *conn) call(ctx context.Context, call *wire.Call, running *sync.WaitGroup) error {
	var r wire.Request
	d := json.NewDecoder(strings.NewReader(call.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		c.reply(call.ID, nil, fmt.Errorf("read the request: %w", err))
		return nil
	}
	switch {
	case r.Login != nil:
		reply, err := c.session.Login(r.Login)
		if err != nil {
			return err
		}
		c.reply(call.ID, reply, nil)
	case r.Subscribe != nil:
		reply, err := c.session.Subscribe(r.Subscribe)
		if err != nil {
			return err
		}
		c.reply(call.ID, reply, nil)
	case r.List != nil:
		reply, err := c.session.List(r.List)
		if err != nil {
			return err
		}
		c.reply(call.ID, reply, nil)
	case r.Find != nil:
		reply, err := c.session.Find(r.Find)
		if err != nil {
			return err
		}
		c.reply(call.ID, reply, nil)
	case r.Command != nil:
		// Some commands take their time; the others must not wait for them.
		running.Go(func() {
			result, err := director.Do(ctx, c.network, *r.Command)
			c.reply(call.ID, result, err)
		})
	default:
		c.reply(call.ID, nil, errors.New("the request is empty"))
	}
	return nil
}

func (c *conn) reply(id uint64, body any, err error) {
	reply := &wire.Reply{ID: id}
	if err == nil {
		var data []byte
		data, err = json.Marshal(body)
		reply.Body = string(data)
	}
	if err != nil {
		reply.Error = err.Error()
	}
	c.session.Answer(reply)
}
