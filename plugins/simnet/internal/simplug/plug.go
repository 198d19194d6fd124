package simplug

import (
	"context"
	"errors"
	"fmt"
	"sync"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/client"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug"
)

// version of the binaries.
const version = "1.0.0"

// maxConcurrentPuts is as many channels as the benchmarks use, and some.
const maxConcurrentPuts = 256

// Config is what a host's config says.
type Config struct {
	Address string `json:"address" jsonschema:"description=Address of simnetd: unix: and a path\\, or a host and a port"`
	Account string `json:"account" jsonschema:"description=Name of the account"`
	Token   string `json:"token,omitempty" jsonschema:"description=Password of the account\\, if it has one,writeOnly=true"`
}

// Options are what a test does in another way.
type Options struct {
	// Dial connects to the network; client.Dial if nil.
	Dial func(ctx context.Context, address string, o client.Options) (*client.Client, error)
	// Die carries out an exit, a crash and a hang of the whole process; if nil they
	// are real.
	Die func(script.Fault)
}

// Definition describes a plug of this name, whose Puts hold back the events of
// scope.
func Definition(name string, scope plugv1.PutScope, o Options) plug.Definition {
	if o.Dial == nil {
		o.Dial = client.Dial
	}
	if o.Die == nil {
		o.Die = die
	}
	return plug.Definition{
		Name: name, Version: version, Network: "simnet",
		Config:            Config{},
		Emits:             emits,
		Abilities:         abilities(script.Account{}),
		PutScope:          scope,
		MaxConcurrentPuts: maxConcurrentPuts,
		New:               func() plug.Plug { return &Plug{options: o} },
	}
}

var emits = []plugv1.EventKind{
	plugv1.EventKind_EVENT_KIND_MESSAGE, plugv1.EventKind_EVENT_KIND_EDIT, plugv1.EventKind_EVENT_KIND_DELETE,
	plugv1.EventKind_EVENT_KIND_REACTION_ADDED, plugv1.EventKind_EVENT_KIND_REACTION_REMOVED,
	plugv1.EventKind_EVENT_KIND_REACTIONS_SET, plugv1.EventKind_EVENT_KIND_MEMBERS_JOINED,
	plugv1.EventKind_EVENT_KIND_MEMBERS_LEFT, plugv1.EventKind_EVENT_KIND_CHANNEL_CHANGED,
	plugv1.EventKind_EVENT_KIND_CHANNEL_MIGRATED, plugv1.EventKind_EVENT_KIND_CHANNEL_STATE_CHANGED,
	plugv1.EventKind_EVENT_KIND_TYPING, plugv1.EventKind_EVENT_KIND_READ_MARKER,
}

// Plug is the plug. The SDK calls its methods.
type Plug struct {
	options Options
	echoes  plug.Echoes
	orders  orders

	mu      sync.Mutex
	session *plug.Session
	config  Config
	// networkID is what Start returned.
	networkID string
	// line is the connection; nil while there is none.
	line *line
}

// line is one connection and what its login said.
type line struct {
	*client.Client
	login wire.LoginReply
	// session ends when the plug has stopped.
	session context.Context
}

// Start connects and logs in.
func (p *Plug) Start(ctx context.Context, s *plug.Session) (*plug.Started, error) {
	var config Config
	if err := s.Config(&config); err != nil {
		return nil, err
	}
	for field, value := range map[string]string{"/address": config.Address, "/account": config.Account} {
		if value == "" {
			return nil, plug.BadConfig(field, errors.New("it is empty"))
		}
	}
	p.mu.Lock()
	p.session, p.config, p.networkID, p.line = s, config, "", nil
	p.mu.Unlock()
	p.orders.begin(s, p.options.Die)

	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	l := p.live()
	started := &plug.Started{
		NetworkID:   l.login.NetworkID,
		NetworkName: "simnet",
		Self:        &plugv1.User{Id: config.Account, Username: config.Account, Bot: true},
		Abilities:   abilities(l.login.Settings),
	}
	for _, c := range l.login.Channels {
		started.Channels = append(started.Channels, l.status(c))
	}
	return started, nil
}

// connect makes a new line the plug's. The error is a verdict on a Start.
func (p *Plug) connect(ctx context.Context) error {
	p.mu.Lock()
	session, config := p.session, p.config
	p.mu.Unlock()
	c, err := p.options.Dial(ctx, config.Address, client.Options{
		OnActivity: session.Queue.Active,
		OnOrder:    p.orders.take,
	})
	if err != nil {
		return plug.Unreachable(err, 0)
	}
	login, err := c.Login(ctx, wire.Login{Account: config.Account, Token: config.Token, Channels: session.Channels})
	if err != nil {
		c.Close()
		return plug.Unreachable(fmt.Errorf("log in: %w", err), 0)
	}
	if refused := login.Refused; refused != nil {
		c.Close()
		return startVerdict(refused)
	}
	if err := p.adopt(&line{c, login, session.Context()}); err != nil {
		c.Close()
		return err
	}
	return nil
}

// adopt makes a line the plug's. It must lead to the network that Start named:
// everything that the host stored is about that one.
func (p *Plug) adopt(l *line) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.networkID == "" {
		p.networkID = l.login.NetworkID
	}
	if p.networkID != l.login.NetworkID {
		return fmt.Errorf("the account is %q now and was %q: restart the plug", l.login.NetworkID, p.networkID)
	}
	p.line = l
	return nil
}

// live is the line, or nil.
func (p *Plug) live() *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line
}

// hangUp closes the line, if there is one.
func (p *Plug) hangUp() {
	p.mu.Lock()
	l := p.line
	p.line = nil
	p.mu.Unlock()
	if l != nil {
		l.Close()
	}
}

// Stop closes the connection.
func (p *Plug) Stop(context.Context) error {
	p.hangUp()
	return nil
}
