package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

const (
	// window is how many events and marks wait for Next.
	window = 256
	// maxUnwritten is how many bytes of requests wait to be written.
	maxUnwritten = 1 << 20
)

// ErrNotSent says that a request certainly never left: the connection was lost
// before it, or its context ended while it waited for room. After any other error
// the network may have taken it.
var ErrNotSent = errors.New("not sent")

var errClosed = errors.New("the connection was closed")

// Options are what a client does beside answering. All are optional.
type Options struct {
	// OnActivity is called for each frame that came from the network. Must not block.
	OnActivity func()
	// OnOrder is called when a script orders the plug to misbehave. Must not block.
	// The order is confirmed to the script when it returns.
	OnOrder func(script.Plug)
}

// Client is one connection. Safe for concurrent use, except Next.
type Client struct {
	nc      net.Conn
	options Options
	// events has room for what the network has credit for.
	events  chan wire.Frame
	taken   uint64
	dirty   chan struct{}
	lost    chan struct{}
	running sync.WaitGroup

	mu        sync.Mutex
	lastID    uint64
	pending   map[uint64]chan<- wire.Frame
	unwritten []byte
	room      chan struct{}
	err       error
}

// Dial connects to an address: "unix:" and a path, or a host and a port.
func Dial(ctx context.Context, address string, o Options) (*Client, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connect to simnetd: %w", err)
	}
	return New(nc, o), nil
}

// New makes a client of a connection, which belongs to it from then on.
func New(nc net.Conn, o Options) *Client {
	c := &Client{
		nc: nc, options: o,
		events:  make(chan wire.Frame, window),
		dirty:   make(chan struct{}, 1),
		lost:    make(chan struct{}),
		pending: map[uint64]chan<- wire.Frame{},
		room:    make(chan struct{}),
	}
	c.running.Go(func() { c.fail(c.read()) })
	c.running.Go(func() { c.fail(c.write()) })
	return c
}

// Close closes the connection and waits for what the client started.
func (c *Client) Close() {
	c.fail(errClosed)
	c.running.Wait()
}

// Lost is closed when the connection is gone; Err then says why.
func (c *Client) Lost() <-chan struct{} { return c.lost }

// Err is nil while the connection is there.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the connection, the first time, and lets go everybody who waits.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	c.nc.Close()
	close(c.lost)
}

// Login logs in. A refusal is no error: LoginReply.Refused has it.
func (c *Client) Login(ctx context.Context, l wire.Login) (reply wire.LoginReply, err error) {
	return reply, c.call(ctx, wire.Request{Login: &l}, &reply)
}

// Subscribe starts the flow of events.
func (c *Client) Subscribe(ctx context.Context, cursors map[string]string) (reply wire.SubscribeReply, err error) {
	if err := c.post(ctx, &wire.Credit{Count: window}); err != nil {
		return reply, err
	}
	return reply, c.call(ctx, wire.Request{Subscribe: &wire.Subscribe{Cursors: cursors}}, &reply)
}

// List asks for messages of a channel.
func (c *Client) List(ctx context.Context, l wire.List) (reply wire.ListReply, err error) {
	return reply, c.call(ctx, wire.Request{List: &l}, &reply)
}

// Find asks for what an operation made.
func (c *Client) Find(ctx context.Context, f wire.Find) (reply wire.FindReply, err error) {
	return reply, c.call(ctx, wire.Request{Find: &f}, &reply)
}

// Do has the network carry out a command and waits until it has.
func (c *Client) Do(ctx context.Context, command script.Command) (result script.Result, err error) {
	return result, c.call(ctx, wire.Request{Command: &command}, &result)
}

// Begin writes a Send, an Upload or a Fetch and returns without its answer; the ID
// is set by it.
func (c *Client) Begin(ctx context.Context, f wire.Frame) (*Pending, error) {
	p := &Pending{c: c, answer: make(chan wire.Frame, 1)}
	c.mu.Lock()
	c.lastID++
	p.id = c.lastID
	c.pending[p.id] = p.answer
	c.mu.Unlock()
	switch f := f.(type) {
	case *wire.Send:
		f.ID = p.id
	case *wire.Upload:
		f.ID = p.id
	case *wire.Fetch:
		f.ID = p.id
	case *wire.Call:
		f.ID = p.id
	}
	if err := c.post(ctx, f); err != nil {
		p.Forget()
		return nil, err
	}
	return p, nil
}

// Ask is Begin and Wait.
func (c *Client) Ask(ctx context.Context, f wire.Frame) (*wire.Answer, error) {
	p, err := c.Begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer p.Forget()
	return p.Wait(ctx)
}

// Next returns the next *wire.Event or *wire.Mark. What came before the connection
// was lost is returned before the error. For one caller at a time.
func (c *Client) Next(ctx context.Context) (wire.Frame, error) {
	var f wire.Frame
	select {
	case f = <-c.events:
	default:
		select {
		case f = <-c.events:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.lost:
			select {
			case f = <-c.events:
			default:
				return nil, fmt.Errorf("next event: %w", c.Err())
			}
		}
	}
	if c.taken++; c.taken == window/2 {
		c.taken = 0
		// A lost connection is found at the next call, after what is still here.
		if err := c.post(ctx, &wire.Credit{Count: window / 2}); err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return f, nil
}

// Pending is a request without its answer.
type Pending struct {
	c      *Client
	id     uint64
	answer chan wire.Frame
}

// Wait waits for the answer. It may be called again with another ctx after one has
// ended.
func (p *Pending) Wait(ctx context.Context) (*wire.Answer, error) {
	f, err := p.wait(ctx)
	if err != nil {
		return nil, err
	}
	a, ok := f.(*wire.Answer)
	if !ok {
		return nil, fmt.Errorf("the network answered with %T", f)
	}
	return a, nil
}

func (p *Pending) wait(ctx context.Context) (wire.Frame, error) {
	select {
	case f := <-p.answer:
		return f, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the network's answer: %w", ctx.Err())
	case <-p.c.lost:
	}
	select {
	case f := <-p.answer: // it came before the connection was lost
		return f, nil
	default:
		return nil, fmt.Errorf("wait for the network's answer: %w", p.c.Err())
	}
}

// Forget ends the wait: an answer that comes later is dropped. Call it once the
// answer is of no more interest, also after Wait.
func (p *Pending) Forget() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	delete(p.c.pending, p.id)
}

func (c *Client) call(ctx context.Context, r wire.Request, into any) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	p, err := c.Begin(ctx, &wire.Call{Body: string(body)})
	if err != nil {
		return err
	}
	defer p.Forget()
	f, err := p.wait(ctx)
	if err != nil {
		return err
	}
	reply, ok := f.(*wire.Reply)
	switch {
	case !ok:
		return fmt.Errorf("the network replied with %T", f)
	case reply.Error != "":
		return errors.New(reply.Error)
	default:
		return json.Unmarshal([]byte(reply.Body), into)
	}
}
