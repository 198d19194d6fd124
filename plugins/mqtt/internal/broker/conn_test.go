package broker

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// fake is a broker that answers as it is told, for what no real one does on request.
//
// Its On… funcs are set before the first connection.
type fake struct {
	t  *testing.T
	l  net.Listener
	mu sync.Mutex
	// got holds the types of the packets that came.
	got []byte
	// acked holds the packet ids that were acknowledged.
	acked chan uint16

	OnConnect func(*packets.Connect) *packets.Connack
	OnPacket  func(net.Conn, *packets.ControlPacket) // everything after the login
}

func startFake(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, l: l, acked: make(chan uint16, 1000)}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); tasks.Wait() })
	return f
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.got = append(f.got, p.Type)
		f.mu.Unlock()
		switch c := p.Content.(type) {
		case *packets.Connect:
			answer := &packets.Connack{Properties: &packets.Properties{}}
			if f.OnConnect != nil {
				answer = f.OnConnect(c)
			}
			_, _ = answer.WriteTo(conn)
		case *packets.Puback:
			f.acked <- c.PacketID
		case *packets.Pingreq:
			_, _ = packets.NewControlPacket(packets.PINGRESP).WriteTo(conn)
		default:
			if f.OnPacket != nil {
				f.OnPacket(conn, p)
			}
		}
	}
}

func (f *fake) dial(flush func(context.Context) error) (*Conn, error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	if flush == nil {
		flush = func(context.Context) error { return nil }
	}
	c, err := Dial(ctx, Options{Address: f.l.Addr().String(), ClientID: "c", KeepAlive: 60, SessionExpiry: 600, Active: func() {}, Flush: flush})
	if err == nil {
		f.t.Cleanup(c.Close)
	}
	return c, err
}

func (f *fake) mustDial(flush func(context.Context) error) *Conn {
	f.t.Helper()
	c, err := f.dial(flush)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func message() *paho.Publish {
	return &paho.Publish{Topic: "a", QoS: 1, Payload: []byte("x"), Properties: &paho.PublishProperties{}}
}

// A refusal keeps its code, whatever it is.
func TestRefusedLogin(t *testing.T) {
	f := startFake(t)
	next := make(chan byte, 1)
	f.OnConnect = func(*packets.Connect) *packets.Connack {
		return &packets.Connack{ReasonCode: <-next, Properties: &packets.Properties{ReasonString: "because"}}
	}
	for code := 0x80; code <= 0xFF; code++ {
		next <- byte(code)
		_, err := f.dial(nil)
		if r, ok := errors.AsType[*Refusal](err); !ok || int(r.Code) != code || r.Error() == "" {
			t.Errorf("0x%02X: %v", code, err)
		}
	}
}

// What is asked of the broker: the session goes on, and is kept.
func TestConnect(t *testing.T) {
	f := startFake(t)
	asked := make(chan *packets.Connect, 1)
	f.OnConnect = func(c *packets.Connect) *packets.Connack {
		asked <- c
		keep, expiry, size := uint16(7), uint32(5), uint32(999)
		return &packets.Connack{SessionPresent: true, Properties: &packets.Properties{ServerKeepAlive: &keep, SessionExpiryInterval: &expiry, MaximumPacketSize: &size}}
	}
	c := f.mustDial(nil)
	a := <-asked
	if a.CleanStart || *a.Properties.SessionExpiryInterval != 600 || *a.Properties.ReceiveMaximum != ReceiveMaximum || *a.Properties.MaximumPacketSize != MaxPacket {
		t.Errorf("asked %v", a)
	}
	if c.Facts != (Facts{SessionPresent: true, SessionExpiry: 5, KeepAlive: 7, MaxPacket: 999, Wildcards: true}) {
		t.Errorf("facts %+v", c.Facts)
	}
}

// Each answer to a publish, and none.
func TestPublishAnswers(t *testing.T) {
	puback := func(code byte) func(net.Conn, *packets.ControlPacket) {
		return func(conn net.Conn, p *packets.ControlPacket) {
			if m, ok := p.Content.(*packets.Publish); ok {
				_, _ = (&packets.Puback{PacketID: m.PacketID, ReasonCode: code, Properties: &packets.Properties{}}).WriteTo(conn)
			}
		}
	}
	pubackAndCut := func(code byte) func(net.Conn, *packets.ControlPacket) {
		return func(conn net.Conn, p *packets.ControlPacket) {
			puback(code)(conn, p)
			conn.Close()
		}
	}
	leave := func(code byte) func(net.Conn, *packets.ControlPacket) {
		return func(conn net.Conn, p *packets.ControlPacket) {
			if p.Type == packets.PUBLISH {
				_, _ = (&packets.Disconnect{ReasonCode: code, Properties: &packets.Properties{}}).WriteTo(conn)
			}
		}
	}
	refused := func(code byte) func(error) bool {
		return func(err error) bool { r, ok := errors.AsType[*Refusal](err); return ok && r.Code == code }
	}
	uncertain := func(err error) bool {
		return err != nil && !errors.Is(err, ErrNotSent) && !errorsAsRefusalAlone(err)
	}
	for name, c := range map[string]struct {
		answer func(net.Conn, *packets.ControlPacket)
		wait   time.Duration
		want   func(error) bool
		ends   bool
	}{
		"taken":               {puback(0), patience, func(err error) bool { return err == nil }, false},
		"no subscribers":      {puback(0x10), patience, func(err error) bool { return err == nil }, false},
		"not authorized":      {puback(NotAuthorized), patience, refused(NotAuthorized), false},
		"quota":               {puback(QuotaExceeded), patience, refused(QuotaExceeded), false},
		"taken, cut behind":   {pubackAndCut(0), patience, func(err error) bool { return err == nil }, true},
		"refused, cut behind": {pubackAndCut(NotAuthorized), patience, refused(NotAuthorized), true},
		"too large":           {leave(PacketTooLarge), patience, refused(PacketTooLarge), true},
		"shutting down":       {leave(0x8B), patience, uncertain, true},
		"cut":                 {func(conn net.Conn, _ *packets.ControlPacket) { conn.Close() }, patience, uncertain, true},
		"no answer":           {nil, 50 * time.Millisecond, uncertain, true},
		"no time at all":      {nil, 0, func(err error) bool { return errors.Is(err, ErrNotSent) || uncertain(err) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			f.OnPacket = c.answer
			conn := f.mustDial(nil)
			ctx, cancel := context.WithTimeout(t.Context(), c.wait)
			defer cancel()
			if err := conn.Publish(ctx, message()); !c.want(err) {
				t.Errorf("got %v", err)
			}
			if conn.Running() != 0 {
				t.Errorf("%d run on", conn.Running())
			}
			if !c.ends {
				return
			}
			<-conn.Ended()
			if conn.Err() == nil {
				t.Error("it ended without a reason")
			}
			if err := conn.Publish(t.Context(), message()); !errors.Is(err, ErrNotSent) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// errorsAsRefusalAlone says that an error is a refusal of the publish itself, and not of
// the connection.
func errorsAsRefusalAlone(err error) bool { _, ok := err.(*Refusal); return ok }

// Above the broker's receive maximum a publish waits for its turn: nothing was written when
// its time is over, and the others go on.
func TestReceiveMaximum(t *testing.T) {
	f := startFake(t)
	f.OnConnect = func(*packets.Connect) *packets.Connack {
		one := uint16(1)
		return &packets.Connack{Properties: &packets.Properties{ReceiveMaximum: &one}}
	}
	came, answer := make(chan bool, 1), make(chan bool)
	f.OnPacket = func(conn net.Conn, p *packets.ControlPacket) {
		if m, ok := p.Content.(*packets.Publish); ok {
			came <- true
			<-answer
			_, _ = (&packets.Puback{PacketID: m.PacketID, Properties: &packets.Properties{}}).WriteTo(conn)
		}
	}
	c := f.mustDial(nil)
	first := make(chan error, 1)
	go func() { first <- c.Publish(f.t.Context(), message()) }()
	<-came
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Publish(ctx, message()); !errors.Is(err, ErrNotSent) {
		t.Errorf("the second: %v", err)
	}
	close(answer)
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
}

// A subscription that is refused is told apart from the others; and how we subscribe.
func TestSubscribe(t *testing.T) {
	f := startFake(t)
	f.OnConnect = func(*packets.Connect) *packets.Connack {
		none := byte(0)
		return &packets.Connack{Properties: &packets.Properties{WildcardSubAvailable: &none}}
	}
	came := make(chan int, 10)
	f.OnPacket = func(conn net.Conn, p *packets.ControlPacket) {
		s, ok := p.Content.(*packets.Subscribe)
		if !ok {
			return
		}
		came <- len(s.Subscriptions)
		answer := &packets.Suback{PacketID: s.PacketID, Properties: &packets.Properties{}}
		for _, o := range s.Subscriptions {
			if !o.NoLocal || o.RetainHandling != 2 || o.RetainAsPublished || o.QoS != 1 {
				t.Errorf("subscribed with %+v", o)
			}
			reason := byte(1)
			if o.Topic == "no" {
				reason = NotAuthorized
			}
			answer.Reasons = append(answer.Reasons, reason)
		}
		_, _ = answer.WriteTo(conn)
	}
	c := f.mustDial(nil)
	wanted := []Subscription{{"no", 1}, {"a/#", 1}}
	for range 10 {
		wanted = append(wanted, Subscription{"yes", 1})
	}
	refusals, err := c.Subscribe(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range refusals {
		switch {
		case i == 0 && (r == nil || r.Code != NotAuthorized), i == 1 && (r == nil || r.Code != NoWildcards), i > 1 && r != nil:
			t.Errorf("%d: %v", i, r)
		}
	}
	if first, second := <-came, <-came; first != perSubscribe || second != 11-perSubscribe {
		t.Errorf("in packets of %d and %d", first, second)
	}
	if refusals, err := c.Subscribe(t.Context(), nil); err != nil || len(refusals) != 0 {
		t.Errorf("nothing: %v, %v", refusals, err)
	}
}

// Acknowledgements wait for a Flush that began after Done, and come in order, many to one.
func TestAcknowledge(t *testing.T) {
	f := startFake(t)
	const n = 60
	f.OnPacket = func(conn net.Conn, p *packets.ControlPacket) {
		for i := range n { // once it has begun
			_, _ = (&packets.Publish{Topic: "a", QoS: 1, PacketID: uint16(i + 1), Properties: &packets.Properties{}}).WriteTo(conn)
		}
		_, _ = (&packets.Puback{PacketID: p.PacketID(), Properties: &packets.Properties{}}).WriteTo(conn)
	}
	flushes, safe := make(chan bool, n), make(chan bool)
	c := f.mustDial(func(ctx context.Context) error {
		flushes <- true
		select {
		case <-safe:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err := c.Publish(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	first := <-c.Messages()
	c.Done(first)
	<-flushes
	for range n - 1 { // while the Flush runs
		c.Done(<-c.Messages())
	}
	select {
	case id := <-f.acked:
		t.Fatalf("%d was acknowledged before it was safe", id)
	default:
	}
	safe <- true
	if id := <-f.acked; id != 1 {
		t.Errorf("%d was acknowledged first", id)
	}
	<-flushes // another one, for all the others
	select {
	case id := <-f.acked:
		t.Fatalf("%d was acknowledged by a flush that began before it was done", id)
	default:
	}
	safe <- true
	for i := 2; i <= n; i++ {
		if id := <-f.acked; int(id) != i {
			t.Fatalf("%d was acknowledged, want %d", id, i)
		}
	}
	c.Settle(t.Context()) // nothing is left: it returns
	if len(flushes) != 0 {
		t.Errorf("%d flushes more than needed", len(flushes))
	}
}
