package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/backfill"
	"github.com/plughost/plughost/host/internal/intake"
	"github.com/plughost/plughost/host/internal/link"
	"github.com/plughost/plughost/host/internal/process"
	"github.com/plughost/plughost/host/internal/put"
	"github.com/plughost/plughost/host/internal/supervisor"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// streamHealthy is how long a stream lives that doesn't count against its plug.
const streamHealthy = time.Minute

// supervise makes a plug's supervisor.
func (h *Host) supervise(p Plug) *supervisor.Supervisor {
	log := h.plugLog(p.Name)
	return supervisor.New(supervisor.Options{
		Name:   p.Name,
		Logger: log,
		Launch: func(ctx context.Context) (supervisor.Process, error) {
			return process.Start(ctx, process.Options{
				Name: p.Name, Path: p.Path, Args: p.Args, Env: p.Env, RunDir: h.runDir, Logger: log,
			})
		},
		NewSession: func(of supervisor.Process) supervisor.Session {
			proc := of.(*process.Process)
			h.mu.Lock()
			h.pids[p.Name] = proc.Pid()
			h.mu.Unlock()
			return &session{host: h, plug: p, log: log, link: link.New(proc.Conn(), p.Name, log)}
		},
		Numbers: h.numbers(),
		Changed: func(s supervisor.Status) { h.changed(p.Name, s) },
	})
}

// session is one life of a plug, from its Start to the end of its process.
type session struct {
	host *Host
	plug Plug
	log  hclog.Logger
	link *link.Link

	network    id.NetworkID
	maxSilence time.Duration
	services   []string // the optional ones that the plug serves
	channels   []id.ChannelSource
}

// Start implements supervisor.Session: it asks the plug what it is, has it
// connect, and checks that it is what it was.
func (s *session) Start(ctx context.Context) error {
	defer s.host.directory.change(s.plug.Name, func(e *entry) { e.tried = true })
	described, err := s.link.Describe(ctx)
	if err != nil {
		return err
	}
	known, err := s.host.journal.Instance(ctx, s.plug.Name)
	if err != nil {
		return err
	}
	asked, err := s.host.asked(ctx, s.plug, known)
	if err != nil {
		return err
	}
	request, err := s.request(asked.names)
	if err != nil {
		return err
	}
	started, err := s.link.Start(ctx, request)
	if refused := (*link.StartError)(nil); errors.As(err, &refused) {
		switch refused.Verdict {
		case plugv1.StartVerdict_START_VERDICT_LOGGED_OUT:
			return supervisor.LoggedOut(err)
		case plugv1.StartVerdict_START_VERDICT_BAD_CONFIG:
			return supervisor.BadConfig(err)
		}
		return supervisor.Unreachable(err, refused.RetryAfter)
	}
	if err != nil {
		return err
	}
	abilities := started.Abilities
	if abilities == nil {
		abilities = described.Abilities
	}
	if err := s.bind(ctx, known, asked, described, started, abilities); err != nil {
		return err
	}
	s.maxSilence = abilities.GetMaxSilence().AsDuration()
	s.services = described.Services
	s.channels = visible(started.Channels)
	live := put.Live{
		Link:       s.link,
		Scope:      described.PutScope,
		Concurrent: described.MaxConcurrentPuts,
		Abilities:  abilities,
		Accepts:    described.Accepts,
		Channels:   started.Channels,
		Files:      s.host.spool(s.plug.Name),
	}
	if s.serves(plugv1.History_ServiceDesc.ServiceName) {
		live.History = s.link.History()
	}
	s.host.put.Attach(s.network, live)
	s.host.setLink(s.plug.Name, s.link)
	s.host.showMet(s.network)
	return nil
}

// serves tells whether the plug has an optional service.
func (s *session) serves(service string) bool { return slices.Contains(s.services, service) }

// request makes the plug's own directories and what Start brings.
func (s *session) request(sources []string) (*plugv1.StartRequest, error) {
	spool := s.host.spoolDir(s.plug.Name)
	state := filepath.Join(filepath.Dir(spool), "state")
	// What a plug has not handed over it hands over again, and what it was given and
	// has not sent it is given again.
	if err := os.RemoveAll(spool); err != nil {
		return nil, fmt.Errorf("clear the spool of plug %s: %w", s.plug.Name, err)
	}
	for _, d := range []string{state, filepath.Join(spool, "in"), filepath.Join(spool, "out")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make directory of plug %s: %w", s.plug.Name, err)
		}
	}
	config := string(s.plug.Config)
	if config == "" {
		config = "{}"
	}
	return &plugv1.StartRequest{
		Instance:   string(s.plug.Name),
		ConfigJson: config,
		Sources:    sources,
		StateDir:   state,
		SpoolDir:   spool,
		TimeZone:   cmp.Or(s.host.o.TimeZone, "UTC"),
	}, nil
}

// bind makes sure that the instance is the network that it was, and that no
// other instance is it; else the plug is held.
func (s *session) bind(ctx context.Context, known *journalv1.InstanceRecord, asked *asked, described *plugv1.DescribeResponse, started *plugv1.StartResponse, abilities *plugv1.Abilities) error {
	h, n := s.host, id.NetworkID(started.NetworkId)
	if known.NetworkId != "" && known.NetworkId != string(n) {
		return supervisor.Held(fmt.Errorf("it is now network %q and was %q; give it back its old account, or give this one a new instance name", n, known.NetworkId))
	}
	if other, ok := h.directory.claim(s.plug.Name, n); !ok {
		return supervisor.Held(fmt.Errorf("plug %s is already network %q; remove one of the two, or give them different accounts", other, n))
	}
	sources, err := h.canonical(ctx, n, known.Sources, asked, started.Channels)
	if err != nil {
		h.directory.release(s.plug.Name)
		return err
	}
	if err := h.journal.BindInstance(ctx, s.plug.Name, &journalv1.InstanceRecord{NetworkId: string(n), Sources: sources}); err != nil {
		h.directory.release(s.plug.Name)
		return err
	}
	s.network = n
	name := started.NetworkName
	if name == "" {
		name = described.Network
	}
	h.directory.change(s.plug.Name, func(e *entry) {
		e.networkName, e.sources = name, sources
		e.neverEchoes = abilities.GetEcho() == plugv1.Echo_ECHO_NONE
		// Channels may give direct channels, which no config names.
		e.fixed = !slices.Contains(described.Services, plugv1.Channels_ServiceDesc.ServiceName)
	})
	return nil
}

// Serve implements supervisor.Session: it reads the plug's stream until ctx ends.
// A stream that ends is opened anew once, from what the host has.
func (s *session) Serve(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	defer func() {
		end(nil)
		beside.Wait()
	}()
	s.host.setSession(s.network, end)
	if s.serves(plugv1.NetworkStatus_ServiceDesc.ServiceName) {
		beside.Go(func() { s.watchStatus(ctx, end) })
	}
	in := s.host.intake(s.network, s.log)
	beside.Go(func() { backfill.Run(ctx, s.backfill(in)) })
	var last error
	for {
		opened := time.Now()
		err := s.serveStream(ctx, in)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if last != nil && time.Since(opened) < streamHealthy {
			return err
		}
		s.log.Warn("the plug's stream ended; opened anew", "error", err)
		last = err
	}
}

// backfill says how the network's gaps are filled.
func (s *session) backfill(in *intake.Intake) backfill.Options {
	o := backfill.Options{Intake: in, Channels: s.channels, Logger: s.log}
	if s.serves(plugv1.History_ServiceDesc.ServiceName) {
		o.History = s.link.History()
	}
	return o
}

// visible lists the channels whose messages the account can read.
func visible(all []*plugv1.ChannelStatus) (sources []id.ChannelSource) {
	for _, c := range all {
		switch c.State {
		case plugv1.ChannelState_CHANNEL_STATE_UNSPECIFIED, plugv1.ChannelState_CHANNEL_STATE_JOINED, plugv1.ChannelState_CHANNEL_STATE_READ_ONLY:
			sources = append(sources, id.ChannelSource(c.Source))
		}
	}
	return sources
}

// watchStatus shows how the plug's connection to its network is, until ctx ends.
func (s *session) watchStatus(ctx context.Context, end context.CancelCauseFunc) {
	s.link.WatchStatus(ctx, func(state plugv1.NetworkState, reason string) {
		if state == plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT {
			end(supervisor.LoggedOut(fmt.Errorf("%s; give it new ones and restart it", because("the network refuses the plug's credentials", reason))))
			return
		}
		s.host.supervisor(s.plug.Name).SetNetwork(connection(state, reason))
	})
}

// connection says in words how a connection is; empty if it is as it should be.
func connection(state plugv1.NetworkState, reason string) string {
	switch state {
	case plugv1.NetworkState_NETWORK_STATE_CONNECTING:
		return because("not connected to the network; the plug goes on trying", reason)
	case plugv1.NetworkState_NETWORK_STATE_DEGRADED:
		return because("not everything works on the network", reason)
	}
	return ""
}

// because puts the reason to what is so, if there is one.
func because(so, reason string) string {
	if reason == "" {
		return so
	}
	return so + ": " + reason
}

func (s *session) serveStream(ctx context.Context, in *intake.Intake) error {
	cursors, err := in.Open(ctx)
	if err != nil {
		return err
	}
	stream, err := s.link.Open(ctx, cursors)
	if err != nil {
		return err
	}
	defer stream.Close()
	s.host.put.StreamOpened(s.network)
	return in.Run(ctx, stream, s.host.spool(s.plug.Name))
}

// Quiesce implements supervisor.Session. The plug is no longer its network's, so
// that another instance may be it.
func (s *session) Quiesce(ctx context.Context, crashed bool) {
	s.host.setLink(s.plug.Name, nil)
	if s.network != "" {
		s.host.put.Detach(s.network, crashed)
		defer s.host.directory.release(s.plug.Name)
	}
	s.link.Quiesce(ctx)
}

// Stop implements supervisor.Session.
func (s *session) Stop(ctx context.Context, grace time.Duration) error {
	return s.link.Stop(ctx, grace)
}

// LastHeard implements supervisor.Session.
func (s *session) LastHeard() (stream, network time.Time) { return s.link.LastHeard() }

// MaxSilence implements supervisor.Session.
func (s *session) MaxSilence() time.Duration { return s.maxSilence }

func hash(s string) uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(s))
	return f.Sum64()
}
