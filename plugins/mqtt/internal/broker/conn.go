package broker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session/state"
)

const (
	// ReceiveMaximum is how many messages of QoS 1 may come before the first of them is
	// acknowledged, and how many of QoS 0 may wait to be read.
	ReceiveMaximum = 64
	// MaxPacket is the largest packet taken, in bytes. The broker drops larger ones (MQTT
	// 5.0, section 3.1.2.11.4).
	MaxPacket = 1 << 20
	// closing bounds the writing of the last packet.
	closing = 2 * time.Second
)

// Options say where to connect, and as whom.
type Options struct {
	Address            string      // host:port
	TLS                *tls.Config // nil: none
	ClientID           string
	Username, Password string // empty: none
	KeepAlive          uint16 // seconds; 0: no pings
	SessionExpiry      uint32 // seconds that the broker keeps the session without a connection

	// Active is called for every read that brought something. It doesn't block.
	Active func()
	// Flush returns once everything that was handed on before the call is safe, so that
	// it may be acknowledged; or with an error when its context ends.
	Flush func(context.Context) error
}

// Facts is what a broker says when it lets us in.
type Facts struct {
	SessionPresent bool   // it still had our session
	SessionExpiry  uint32 // seconds: what it grants
	KeepAlive      uint16 // seconds: what it wants
	MaxPacket      uint32 // bytes; 0: no limit known
	Wildcards      bool   // it takes filters with wildcards
}

// Conn is a connection. Its methods may be called by any number of goroutines.
type Conn struct {
	Facts Facts

	client  *paho.Client
	session *session
	raw     net.Conn
	arrived chan *paho.Publish // bound: arrivedMaximum
	flush   func(context.Context) error

	life  context.Context // ends with the connection
	end   context.CancelCauseFunc
	tasks sync.WaitGroup

	mu         sync.Mutex
	running    int                 // publishes that have begun and have no answer
	attempts   map[uint16]*attempt // by packet id: those without an answer; bound: the Puts that run
	tooLarge   bool                // the broker left because of the one publish that ran
	disconnect *Refusal            // why the broker left
	dropped    uint64              // messages of QoS 0
	pending    []*packets.Publish  // done, not acknowledged; bound: ReceiveMaximum
	unsettled  int                 // pending, and those being acknowledged
	settled    chan struct{}       // closed when unsettled becomes 0
	wake       chan struct{}       // holds one: something is pending
}

// Dial connects, until ctx ends. A broker that doesn't let us in is a *Refusal.
func Dial(ctx context.Context, o Options) (_ *Conn, err error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	conn := raw
	if o.TLS != nil {
		secure := tls.Client(raw, o.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("make the connection to the broker secure: %w", err)
		}
		conn = secure
	}
	c := &Conn{raw: raw, arrived: make(chan *paho.Publish, arrivedMaximum), flush: o.Flush, wake: make(chan struct{}, 1), attempts: make(map[uint16]*attempt)}
	c.life, c.end = context.WithCancelCause(context.Background())
	c.session = &session{State: state.NewInMemory(), conn: c}
	c.client = paho.NewClient(paho.ClientConfig{
		// Writes are of several goroutines: Puts, acknowledgements, pings.
		Conn:    packets.NewThreadSafeConn(&watched{Conn: conn, conn: c, active: o.Active}),
		Session: c.session,
		// Contexts bound everything here; this would cut a Put short.
		PacketTimeout:      time.Hour,
		OnPublishReceived:  []func(paho.PublishReceived) (bool, error){c.receive},
		OnServerDisconnect: func(*paho.Disconnect) { c.lost(nil) },
		OnClientError:      c.lost,
	})
	connack, err := c.client.Connect(ctx, connect(o))
	if err != nil {
		c.end(errClosed)
		if connack != nil && connack.ReasonCode >= 0x80 {
			return nil, refusal(connack)
		}
		return nil, fmt.Errorf("log in at the broker: %w", err)
	}
	c.Facts = facts(o, connack)
	c.tasks.Go(c.acknowledge)
	return c, nil
}

func connect(o Options) *paho.Connect {
	receive, size := uint16(ReceiveMaximum), uint32(MaxPacket)
	return &paho.Connect{
		ClientID:     o.ClientID,
		CleanStart:   false, // the session goes on, with what came meanwhile
		KeepAlive:    o.KeepAlive,
		Username:     o.Username,
		UsernameFlag: o.Username != "",
		Password:     []byte(o.Password),
		PasswordFlag: o.Password != "",
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &o.SessionExpiry, ReceiveMaximum: &receive, MaximumPacketSize: &size, RequestProblemInfo: true,
		},
	}
}

func refusal(c *paho.Connack) *Refusal {
	r := &Refusal{Code: c.ReasonCode}
	if c.Properties != nil {
		r.Reason = c.Properties.ReasonString
		if c.Properties.ServerReference != "" {
			r.Reason += " " + c.Properties.ServerReference
		}
	}
	return r
}

func facts(o Options, c *paho.Connack) Facts {
	f := Facts{SessionPresent: c.SessionPresent, SessionExpiry: o.SessionExpiry, KeepAlive: o.KeepAlive, Wildcards: true}
	if p := c.Properties; p != nil {
		f.Wildcards = p.WildcardSubAvailable
		if p.SessionExpiryInterval != nil {
			f.SessionExpiry = *p.SessionExpiryInterval
		}
		if p.ServerKeepAlive != nil {
			f.KeepAlive = *p.ServerKeepAlive
		}
		if p.MaximumPacketSize != nil {
			f.MaxPacket = *p.MaximumPacketSize
		}
	}
	return f
}

// Ended is closed when the connection has ended; Err says why.
func (c *Conn) Ended() <-chan struct{} { return c.life.Done() }

// Err is why the connection has ended; nil if it has not.
func (c *Conn) Err() error { return context.Cause(c.life) }

// Close says goodbye, so that the broker keeps the session as agreed, and waits for the
// connection's goroutines. It is called once, also for a connection that has ended.
func (c *Conn) Close() {
	c.end(errClosed)
	_ = c.raw.SetWriteDeadline(time.Now().Add(closing))
	_ = c.client.Disconnect(&paho.Disconnect{}) // of one that has ended: nothing to say
	<-c.client.Done()
	c.tasks.Wait()
}

// abort ends the connection so that nothing is left that would still be sent: not even
// what the system holds back for a peer that doesn't read.
func (c *Conn) abort(cause error) {
	c.end(cause)
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.raw.Close()
}

// disconnected notes why the broker leaves, and whether one publish alone can be meant.
func (c *Conn) disconnected(d *packets.Disconnect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disconnect = &Refusal{Code: d.ReasonCode}
	if d.Properties != nil {
		c.disconnect.Reason = d.Properties.ReasonString
	}
	c.tooLarge = d.ReasonCode == PacketTooLarge && c.running == 1
}

// lost ends a connection that is no more. What the broker has said counts before what the
// system says, and the first reason before later ones.
func (c *Conn) lost(err error) {
	c.mu.Lock()
	if c.disconnect != nil {
		err = fmt.Errorf("it was ended by the broker: %w", c.disconnect)
	}
	c.mu.Unlock()
	c.end(fmt.Errorf("lost the connection to the broker: %w", err))
}

// watched is the network connection. It notes when something comes, and its end: paho
// closes it first of all, and tells the reason only when its goroutines have ended.
type watched struct {
	net.Conn
	conn   *Conn
	active func()
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.active()
	}
	if err != nil {
		w.conn.lost(err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.conn.lost(errSilent)
	return w.Conn.Close()
}
