package mqtttest

import (
	"fmt"
	"net"
	"sync"
)

// Proxy stands between a client and a broker. Safe for concurrent use.
type Proxy struct {
	l      net.Listener
	target string
	tasks  sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]bool
	up      chan struct{} // closed: what goes to the broker passes
	down    chan struct{} // closed: what comes from it passes
	refuses bool
	made    int // connections since the beginning
}

// StartProxy starts one on a free port of loopback. Close it in the end.
func StartProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the proxy: %w", err)
	}
	p := &Proxy{l: l, target: target, open: map[net.Conn]bool{}, up: make(chan struct{}), down: make(chan struct{})}
	close(p.up)
	close(p.down)
	p.tasks.Go(p.accept)
	return p, nil
}

// Close ends it with all its connections.
func (p *Proxy) Close() {
	p.l.Close()
	p.Flow()
	p.Cut()
	p.tasks.Wait()
}

// Address is where it listens.
func (p *Proxy) Address() string { return p.l.Addr().String() }

func (p *Proxy) accept() {
	for {
		near, err := p.l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuses := p.refuses
		p.mu.Unlock()
		far, err := net.Dial("tcp", p.target)
		if err != nil || refuses {
			near.Close()
			if far != nil {
				far.Close()
			}
			continue
		}
		p.mu.Lock()
		p.open[near], p.open[far] = true, true
		p.made++
		p.mu.Unlock()
		p.tasks.Go(func() { p.copy(far, near, &p.up) })
		p.tasks.Go(func() { p.copy(near, far, &p.down) })
	}
}

func (p *Proxy) copy(to, from net.Conn, gate *chan struct{}) {
	defer p.forget(from)
	defer to.Close()
	defer from.Close()
	for b := make([]byte, 4096); ; {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		p.mu.Lock()
		open := *gate
		p.mu.Unlock()
		<-open
		p.mu.Lock()
		alive := p.open[from]
		p.mu.Unlock()
		if !alive {
			return // what was held back is lost
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// Hold holds back what goes to the broker, or what comes from it, until Flow.
func (p *Proxy) Hold(up, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range []struct {
		shut bool
		gate *chan struct{}
	}{{up, &p.up}, {down, &p.down}} {
		select {
		case <-*g.gate:
			if g.shut {
				*g.gate = make(chan struct{})
			}
		default: // it is shut already, and somebody may wait at it
		}
	}
}

// Flow lets everything pass again.
func (p *Proxy) Flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, gate := range []chan struct{}{p.up, p.down} {
		select {
		case <-gate:
		default:
			close(gate)
		}
	}
}

// Cut cuts all connections. What is held back is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	clear(p.open)
}

// Refuse cuts, and lets nobody in until told otherwise.
func (p *Proxy) Refuse(refuses bool) {
	p.mu.Lock()
	p.refuses = refuses
	p.mu.Unlock()
	if refuses {
		p.Cut()
	}
}

// Connections counts the connections so far.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}
