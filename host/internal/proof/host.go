package proof

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/backfill"
	"github.com/plughost/plughost/host/internal/drain"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/hook/conversation"
	"github.com/plughost/plughost/host/internal/intake"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/moves"
	"github.com/plughost/plughost/host/internal/put"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// streamHealthy is how long a stream lives that doesn't count against its plug,
// as in the host.
const streamHealthy = time.Minute

// quiesce is how long running Puts get when a plug is stopped in good order.
const quiesce = 4 * time.Second

// Link is the host's client to one process of a plug.
type Link interface {
	put.Link
	// Open opens the stream.
	Open(ctx context.Context, cursors []*plugv1.Cursor) (Stream, error)
	// Quiesce ends Puts.
	Quiesce(ctx context.Context)
	// Stop has the plug say what is left and hear no more.
	Stop(ctx context.Context)
	// Close ends the connection.
	Close()
}

// Stream is a stream of a Link.
type Stream interface {
	intake.Stream
	Close()
}

// life is one life of the host: the stages over the store, wired as the host
// wires them.
type life struct {
	run     *run
	number  int
	opened  time.Time
	store   *store
	ctx     context.Context
	cancel  context.CancelFunc
	journal *journal.Journal
	moves   *moves.Moves
	ready   atomic.Pointer[journal.Journal] // the same, once the life has begun
	gate    *gate.Gate
	put     *put.Stage
	drain   *drain.Drain
	stages  sync.WaitGroup
	plugs   sync.WaitGroup
	stop    context.CancelFunc // ends the plugs, in good order
	plugCtx context.Context
}

// open builds the stages in the order of host.openStages.
func (l *life) open() error {
	var err error
	if l.journal, err = journal.Open(l.ctx, l.store); err != nil {
		return err
	}
	end, err := l.journal.End(l.ctx)
	if err != nil {
		return err
	}
	if l.moves, err = moves.Open(l.ctx, l.journal); err != nil {
		return err
	}
	for i, n := range networkNames {
		l.moves.Named(n, sources[i])
	}
	l.gate = gate.New(end)
	watched := &watchedGate{Gate: l.gate, witness: l.run.witness}
	l.put = put.New(put.Options{
		Journal:   l.journal,
		Gate:      watched,
		Moves:     l.moves,
		Logger:    hclog.NewNullLogger(),
		LoggedOut: l.run.loggedOut,
		Breach:    func(n id.NetworkID, reason string) { l.run.witness.breach("breach", "%s: %s", n, reason) },
	})
	if err := l.put.Open(l.ctx); err != nil {
		return fmt.Errorf("open put: %w", err)
	}
	bridge, err := conversation.New(conversations(), directory{l}, nil)
	if err != nil {
		return err
	}
	l.drain = drain.New(&watchedHook{Hook: bridge, life: l}, l.journal, watched, l.put, directory{l}, hclog.NewNullLogger())
	return l.drain.Open(l.ctx)
}

// start runs the stages and keeps the plugs alive.
func (l *life) start() {
	l.ready.Store(l.journal)
	l.stages.Go(func() { _ = l.put.Run(l.ctx) })
	l.stages.Go(func() { _ = l.drain.Run(l.ctx) })
	for _, n := range l.run.networks {
		in := intake.New(intake.Options{Network: n.id, Journal: l.journal, Watcher: l.put, Appended: l.gate.Appended, Moves: l.moves, Logger: hclog.NewNullLogger()})
		l.plugs.Go(func() {
			for l.plugCtx.Err() == nil {
				if p := l.run.launch(l.plugCtx, n); p != nil {
					l.serve(n, p, in)
				}
			}
		})
	}
}

// serve is one life of a plug under this host: what host.session does.
func (l *life) serve(n *network, p *process, in *intake.Intake) {
	link := l.run.connect(l, p)
	defer func() {
		p.die()
		link.Close()
		p.tasks.Wait()
	}()
	// The session's context ends with the process, or when the host has died.
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	var live sync.WaitGroup
	defer live.Wait()
	live.Go(func() {
		select {
		case <-p.dead:
		case <-ctx.Done():
		}
		cancel()
	})
	channels, err := l.ask(ctx, n, p)
	if err != nil {
		cancel() // it is started anew
		return
	}
	attached := put.Live{Link: link, Scope: n.Scope, Concurrent: n.Concurrent, Abilities: n.abilities(), Channels: channels}
	keeps := backfill.Options{Intake: in, Channels: n.sources(), Logger: hclog.NewNullLogger()}
	if n.History {
		h := &history{p}
		attached.History, keeps.History = h, h
	}
	l.put.Attach(n.id, attached)
	live.Go(func() { backfill.Run(ctx, keeps) })
	live.Go(func() {
		defer p.die() // two streams that ended soon count as a crash
		for soon := false; ctx.Err() == nil; {
			opened := time.Now()
			if soon {
				l.run.count(StreamReopened)
			}
			_ = l.serveStream(ctx, n, link, in)
			if time.Since(opened) < streamHealthy && soon {
				return
			}
			soon = true
		}
	})
	select {
	case <-ctx.Done():
		crashed := l.ctx.Err() == nil
		if crashed {
			l.run.count(PlugDied)
			l.run.witness.crashed(p)
		}
		l.put.Detach(n.id, crashed)
		dead, cut := context.WithCancel(context.Background())
		cut()
		link.Quiesce(dead)
	case <-l.plugCtx.Done(): // the stop ladder; the stream is read meanwhile
		l.put.Detach(n.id, false)
		some, cut := context.WithTimeout(l.ctx, quiesce)
		defer cut()
		link.Quiesce(some)
		link.Stop(ctx)
	}
	cancel()
}

func (l *life) serveStream(ctx context.Context, n *network, link Link, in *intake.Intake) error {
	cursors, err := in.Open(ctx)
	if err != nil {
		return err
	}
	stream, err := link.Open(ctx, cursors)
	if err != nil {
		return err
	}
	defer stream.Close()
	l.put.StreamOpened(n.id)
	return in.Run(ctx, stream, nil)
}

// close waits for everything of the life to end.
func (l *life) close() {
	l.stop()
	l.plugs.Wait()
	l.cancel()
	l.stages.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ask starts a plug with its channels, as host.asked and host.canonical do: each under the
// source of its last cursor, and what it is called now is followed.
func (l *life) ask(ctx context.Context, n *network, p *process) (channels []*plugv1.ChannelStatus, err error) {
	cursors, err := l.journal.Cursors(ctx, n.id)
	if err != nil {
		return nil, err
	}
	has := map[id.ChannelSource]bool{}
	for _, c := range cursors {
		has[id.ChannelSource(c.Scope)] = true
	}
	for _, s := range n.sources() {
		c := id.Channel{Network: n.id, Source: s}
		names := l.moves.Names(c)
		as := names[len(names)-1]
		if i := slices.IndexFunc(names, func(s id.ChannelSource) bool { return has[s] }); i >= 0 {
			as = names[i]
		}
		status := p.started(s, as, has[as] || has[""])
		channels = append(channels, status)
		if now := id.ChannelSource(status.Source); now != as && now != l.moves.Now(c).Source {
			l.run.witness.answers(c, now)
			if err := l.moves.Moved(ctx, c, now); err != nil {
				return nil, err
			}
		}
	}
	return channels, nil
}

// directory is what is known of the plugs: all of it from the beginning.
type directory struct{ life *life }

// Instance implements drain.Directory.
func (d directory) Instance(n id.NetworkID) (drain.Facts, bool) {
	for _, of := range d.life.run.networks {
		if of.id == n {
			return drain.Facts{Name: id.InstanceName(n), NetworkName: string(n), NeverEchoes: of.Echo == plugv1.Echo_ECHO_NONE}, true
		}
	}
	return drain.Facts{}, false
}

// Resolve implements drain.Directory.
func (d directory) Resolve(_ context.Context, c hook.Channel) (id.Channel, bool) {
	return d.life.moves.Home(id.Channel{Network: id.NetworkID(c.Plug), Source: c.Source}), true
}

// Canonical gives a channel its first source, under which all of it is kept.
func (d directory) Canonical(c hook.Channel) hook.Channel {
	c.Source = d.life.moves.Home(id.Channel{Network: id.NetworkID(c.Plug), Source: c.Source}).Source
	return c
}

// Version implements conversation.Channels.
func (d directory) Version() uint64 { return d.life.moves.Version() }

// watchedHook is the bridging, with the witness looking on.
type watchedHook struct {
	hook.Hook
	life *life
}

// Receive implements hook.Hook.
func (h *watchedHook) Receive(ctx context.Context, d *hook.Delivery) ([]hook.Send, error) {
	h.life.run.witness.yielded(h.life, d)
	sends, err := h.Hook.Receive(ctx, d)
	var promised []id.OperationID
	for ordinal, s := range sends {
		target, _ := directory{h.life}.Resolve(ctx, s.Channel)
		promised = append(promised, h.life.journal.OperationID(d.Sequence, d.Index, h.Name(), target, ordinal))
	}
	h.life.run.witness.promised(d, promised)
	return sends, err
}

// watchedGate is the gate, with the witness looking on.
type watchedGate struct {
	*gate.Gate
	witness *witness
}

// Begin implements put.Gate.
func (g *watchedGate) Begin(c id.Channel, scope gate.Scope) *gate.Pass {
	p := g.Gate.Begin(c, scope)
	g.witness.passed(c, &pass{channel: c, scope: scope, noted: p.Noted(), begun: time.Now()})
	return p
}

// Resume implements put.Gate.
func (g *watchedGate) Resume(c id.Channel, scope gate.Scope, noted id.Sequence, hold time.Duration) *gate.Pass {
	g.witness.passed(c, &pass{channel: c, scope: scope, noted: noted, uncertain: time.Now(), resumed: true})
	return g.Gate.Resume(c, scope, noted, hold)
}

// Wait implements drain.Gate.
func (g *watchedGate) Wait(ctx context.Context, c id.Channel, s id.Sequence, own bool) error {
	began := time.Now()
	err := g.Gate.Wait(ctx, c, s, own)
	if err == nil && time.Now().After(began) {
		g.witness.waited(c, s, own)
	}
	return err
}
