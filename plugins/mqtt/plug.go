package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/plugins/mqtt/internal/broker"
	"github.com/plughost/plughost/plugins/mqtt/internal/memory"
	"github.com/plughost/plughost/plugins/mqtt/internal/topic"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// version is set by the build.
var version = "0.0.0-dev"

// definition is what the SDK needs to know before anything runs.
var definition = plug.Definition{
	Name:      "mqtt",
	Version:   version,
	Network:   "MQTT",
	Config:    config{},
	Abilities: abilities(),
	// A publish goes to the topic that was asked for, so a running Put needs to hold back
	// only that topic's messages.
	PutScope: plugv1.PutScope_PUT_SCOPE_CHANNEL,
	// Below the receive maximum that brokers have (mosquitto: 20).
	MaxConcurrentPuts: 16,
	New:               func() plug.Plug { return &mqtt{} },
}

// abilities is what the plug can do at a broker that has everything.
func abilities() *plugv1.Abilities {
	return &plugv1.Abilities{
		// We subscribe with No Local.
		Echo: plugv1.Echo_ECHO_NONE,
		// The broker keeps the session, with all that was not acknowledged. There are no
		// cursors: the acknowledgements are.
		Resumable: true,
		// It goes beside the text: a device that reads "on" would not know "Ann: on".
		AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
		Limits:     &plugv1.Limits{TextLength: maxText, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_BYTES},
	}
}

// connecting bounds a connection with everything that follows from it.
const connecting = 30 * time.Second

// settling is how long Stop waits for the acknowledgement of what was not acknowledged when
// the SDK gave up waiting. What is not then comes again.
const settling = 3 * time.Second

// Pauses that a broker wants and doesn't tell the length of.
const (
	publishPause = 5 * time.Second
	connectPause = time.Minute
)

// mqtt is the plug.
type mqtt struct {
	log      hclog.Logger
	setState func(plugv1.NetworkState, string) // the session's SetNetworkState
	channels []*channel
	broker   broker.Options
	memory   *memory.Memory // Start's, then Receive's, then Stop's
	repeats  counter        // what became of messages that made no event; Receive's
	skipped  counter
	dropped  counter

	mu        sync.Mutex
	conn      *broker.Conn      // nil: not connected
	loggedOut error             // why the broker refused our credentials at the last try
	denied    map[string]string // sources that the broker doesn't let us read, and why
}

// Start connects and subscribes.
func (m *mqtt) Start(ctx context.Context, s *plug.Session) (_ *plug.Started, err error) {
	c := defaults()
	if err := s.Config(&c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	e, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	channels, err := c.channels(s.Channels)
	if err != nil {
		return nil, err
	}
	m.memory, err = memory.Open(s.StateDir, e.address, c.ClientID)
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	defer func() { // Stop is not called after a Start that failed
		if err != nil {
			err = errors.Join(err, m.memory.Close())
		}
	}()
	id := "mqtt:" + e.address + ":" + cmp.Or(c.Username, m.memory.Client())
	if len(id) > plugv1.MaxIDBytes {
		return nil, plug.BadConfig("/server", fmt.Errorf("server and user name are too long: %d bytes together", len(id)))
	}
	m.log, m.channels, m.setState = s.Logger, channels, s.SetNetworkState
	m.repeats, m.skipped, m.dropped = counter{}, counter{}, counter{}
	m.broker = broker.Options{
		Address: e.address, TLS: e.tls, ClientID: m.memory.Client(), Username: c.Username, Password: c.Password,
		KeepAlive: c.KeepAlive, SessionExpiry: c.SessionExpiry, Active: s.Queue.Active, Flush: s.Queue.Flush,
	}
	conn, err := m.connect(ctx, s.Queue)
	if err != nil {
		return nil, startVerdict(err)
	}
	m.log.Info("connected to the broker", "address", e.address, "client_id", m.memory.Client(), "session_present", conn.Facts.SessionPresent)
	return &plug.Started{
		NetworkID:   id,
		NetworkName: e.address,
		Self:        &plugv1.User{Id: cmp.Or(c.Username, m.memory.Client())},
		Abilities:   m.narrowed(conn.Facts),
		Channels:    m.statuses(),
	}, nil
}

// ValidateConfig finds what can't work whatever the broker says, all of it.
func (m *mqtt) ValidateConfig(_ context.Context, configJSON string) error {
	c := defaults()
	if err := plug.DecodeConfig(configJSON, &c); err != nil {
		return err
	}
	_, addressErr := c.endpoint()
	_, channelsErr := c.channels(nil)
	return errors.Join(c.check(), addressErr, channelsErr)
}

// narrowed is what the plug can do at this broker, with these channels.
func (m *mqtt) narrowed(f broker.Facts) *plugv1.Abilities {
	a := abilities()
	escaping := 1
	for _, c := range m.channels {
		if c.qos == 0 {
			a.Resumable = false // no broker needs to keep these for us
		}
		if c.json {
			escaping = 2
		}
	}
	if f.SessionExpiry < m.broker.SessionExpiry {
		m.log.Warn("the broker keeps the session for a shorter time than was asked for", "seconds", f.SessionExpiry)
		a.Resumable = a.Resumable && f.SessionExpiry > 0
	}
	a.Limits.TextLength = textLength(f.MaxPacket, escaping)
	if f.KeepAlive > 0 { // a ping and its answer come at least every other keepalive
		a.MaxSilence = durationpb.New(3*time.Duration(f.KeepAlive)*time.Second + 10*time.Second)
	}
	return a
}

// statuses gives the state of each channel.
func (m *mqtt) statuses() []*plugv1.ChannelStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*plugv1.ChannelStatus
	for _, c := range m.channels {
		s := proto.CloneOf(c.status)
		if reason, denied := m.denied[c.source]; denied {
			s.State, s.Reason = plugv1.ChannelState_CHANNEL_STATE_DENIED, "the broker does not let us read it: "+reason
		}
		all = append(all, s)
	}
	return all
}

// Stop acknowledges what the host has by now, and says goodbye. The broker keeps the
// session and what comes from now on.
func (m *mqtt) Stop(ctx context.Context) error {
	if conn := m.current(); conn != nil {
		settle, cancel := context.WithTimeout(ctx, settling)
		defer cancel()
		conn.Settle(settle)
		m.setConn(nil)
		conn.Close()
	}
	return m.memory.Close()
}

// Put publishes, and has a receipt once the broker has it.
func (m *mqtt) Put(ctx context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	c := m.channel(p.Channel)
	if c == nil || c.refused() {
		return nil, plug.NotSent(fmt.Errorf("the topic %s is not in use", p.Channel))
	}
	if c.publish == "" {
		return nil, plug.Refused(errors.New(c.status.GetReason()))
	}
	message, err := m.publish(c, p)
	if err != nil {
		return nil, plug.Refused(err)
	}
	conn, err := m.connected()
	if err != nil {
		return nil, err
	}
	if err := conn.Publish(ctx, message); err != nil {
		return nil, putVerdict(err)
	}
	return &plugv1.Receipt{Id: p.OperationID, Channel: p.Channel, Time: timestamppb.Now()}, nil
}

// connected gives the connection, or the verdict of a Put without one.
func (m *mqtt) connected() (*broker.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.conn != nil:
		return m.conn, nil // if it has ended, Publish says so
	case m.loggedOut != nil:
		return nil, plug.LoggedOut(m.loggedOut)
	default:
		return nil, plug.NotSent(broker.ErrNotSent)
	}
}

func (m *mqtt) channel(source string) *channel {
	for _, c := range m.channels {
		if c.source == source {
			return c
		}
	}
	return nil
}

// route finds the channel to which a message on a topic belongs: there is one at most.
func (m *mqtt) route(name string) *channel {
	for _, c := range m.channels {
		if !c.refused() && topic.Match(c.source, name) {
			return c
		}
	}
	return nil
}

func (m *mqtt) current() *broker.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

func (m *mqtt) setConn(c *broker.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = c
}

// putVerdict is what is certain after a publish that failed (MQTT 5.0, section 3.4.2.1).
func putVerdict(err error) error {
	refusal, refused := errors.AsType[*broker.Refusal](err)
	switch {
	case refused && refusal.Code == broker.QuotaExceeded:
		return plug.RateLimited(err, publishPause)
	case refused && refusal.Code == broker.PacketIDInUse:
		return plug.NotSent(err) // the next attempt has another one
	case refused:
		return plug.Refused(err)
	case errors.Is(err, broker.ErrNotSent):
		return plug.NotSent(err)
	default:
		return plug.Uncertain(err)
	}
}

// startVerdict is why a connection didn't come about (MQTT 5.0, section 3.2.2.2).
func startVerdict(err error) error {
	refusal, refused := errors.AsType[*broker.Refusal](err)
	if !refused {
		return plug.Unreachable(err, 0)
	}
	switch refusal.Code {
	case broker.BadCredentials, broker.NotAuthorized, broker.Banned:
		return plug.LoggedOut(err)
	case broker.BadClientID:
		return plug.BadConfig("/client_id", err)
	case broker.BadVersion, broker.BadAuthentication:
		return plug.BadConfig("/server", err)
	case broker.QuotaExceeded, broker.ConnectionRate:
		return plug.Unreachable(err, connectPause)
	default:
		return plug.Unreachable(err, 0)
	}
}
