package proof

import (
	"context"
	"time"

	"github.com/plughost/plughost/host/id"
)

// keepHost lets the host live again and again.
func (r *run) keepHost() {
	for number := 1; ; number++ {
		l := &life{run: r, number: number}
		l.ctx, l.cancel = context.WithCancel(context.Background())
		l.plugCtx, l.stop = context.WithCancel(l.ctx)
		r.mu.Lock()
		l.store = &store{Store: r.memory, run: r, dead: make(chan struct{})}
		l.opened = time.Now()
		r.life, r.down = l, time.Second
		r.mu.Unlock()
		r.witness.lives(l)
		ended := false
		if l.open() == nil {
			l.start()
			select {
			case <-l.store.dead:
			case down := <-r.stopped:
				r.mu.Lock()
				r.down = down
				r.mu.Unlock()
			case <-r.end:
				ended = true
			}
		}
		l.close()
		r.over() // nobody uses the store any more
		if ended {
			return
		}
		r.mu.Lock()
		r.memory = r.memory.Restart()
		down := r.down
		if r.healed {
			down = 0
		}
		r.mu.Unlock()
		t := time.NewTimer(down)
		select {
		case <-t.C:
		case <-r.end:
			return
		}
	}
}

// crash ends the host's life at this instant, and with it the plugs.
func (r *run) crash() {
	if r.over() {
		r.count(HostDied)
		r.witness.died()
	}
}

// over makes sure that a life of the host is over; it tells whether it wasn't.
func (r *run) over() bool {
	r.mu.Lock()
	l := r.life
	select {
	case <-l.store.dead:
		r.mu.Unlock()
		return false
	default:
	}
	close(l.store.dead)
	processes := r.processes()
	r.mu.Unlock()
	for _, p := range processes {
		p.die()
	}
	l.cancel()
	return true
}

// processes lists the last process of each plug.
func (r *run) processes() []*process {
	var all []*process
	for _, p := range r.plugs {
		if p.process != nil {
			all = append(all, p.process)
		}
	}
	return all
}

// launch starts a plug's process when the time has come.
func (r *run) launch(ctx context.Context, n *network) *process {
	r.mu.Lock()
	state := r.plugs[n.id]
	down := state.down
	if r.healed {
		down = 0
	}
	state.down = time.Second
	r.mu.Unlock()
	wait(ctx, down)
	if ctx.Err() != nil {
		return nil
	}
	r.mu.Lock()
	r.started++
	p := newProcess(n, r.started)
	state.process = p
	r.mu.Unlock()
	return p
}

// connect gives the host its client to a process, with the witness looking on.
func (r *run) connect(l *life, p *process) Link {
	r.witness.attached(p)
	return &watchedLink{Link: r.dial(l, p), life: l, process: p, attached: time.Now()}
}

// loggedOut is what a person does about it: logs the plug in again.
func (r *run) loggedOut(n id.NetworkID, _ string) { r.killPlug(n, 15*time.Second) }

func (r *run) killPlug(n id.NetworkID, down time.Duration) {
	r.mu.Lock()
	state := r.plugs[n]
	state.down = down
	p := state.process
	r.mu.Unlock()
	if p != nil {
		p.die()
	}
}

// process returns the plug's live process, or nil.
func (r *run) process(n id.NetworkID) *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plugs[n].process
}
