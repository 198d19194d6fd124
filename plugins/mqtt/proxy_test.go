package main

import (
	"net"
	"sync"
	"testing"
)

// proxy stands between the plug and the broker, and is the network's bad days.
type proxy struct {
	t      *testing.T
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

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, l: l, target: target, open: map[net.Conn]bool{}, up: make(chan struct{}), down: make(chan struct{})}
	close(p.up)
	close(p.down)
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.flow()
		p.cut()
		p.tasks.Wait()
	})
	return p
}

func (p *proxy) url() string { return "mqtt://" + p.l.Addr().String() }

func (p *proxy) accept() {
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

func (p *proxy) copy(to, from net.Conn, gate *chan struct{}) {
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

// hold holds back what goes to the broker, or what comes from it.
func (p *proxy) hold(up, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if up {
		p.up = make(chan struct{})
	}
	if down {
		p.down = make(chan struct{})
	}
}

// flow lets everything pass again.
func (p *proxy) flow() {
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

// cut cuts all connections. What is held back is lost.
func (p *proxy) cut() {
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

// refuse cuts, and lets nobody in until told otherwise.
func (p *proxy) refuse(refuses bool) {
	p.mu.Lock()
	p.refuses = refuses
	p.mu.Unlock()
	if refuses {
		p.cut()
	}
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}
