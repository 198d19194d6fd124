package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plughost/plughost/plugins/webchat/internal/page"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// version is set by the build.
var version = "0.0.0-dev"

// definition is what the SDK needs to know before anything runs. What follows from
// the methods below (that it emits and accepts messages) is not repeated.
var definition = plug.Definition{
	Name:    "webchat",
	Version: version,
	Network: "Webchat",
	Config:  config{},
	Abilities: &plugv1.Abilities{
		// The operation id is stored with the message, and comes back with it.
		Echo: plugv1.Echo_ECHO_OPERATION_ID,
		// It is unique in the database, whatever is killed or restarted. The window
		// is what we promise; the database remembers longer.
		IdempotentPut: &plugv1.IdempotentPut{Window: durationpb.New(90 * 24 * time.Hour), SurvivesNetworkRestart: true},
		// A cursor is a row number, and rows are never removed.
		Resumable: true,
		// The page shows a name beside each message; none is put into the text.
		AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
		Limits:     &plugv1.Limits{TextLength: room.MaxText, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_RUNES},
	},
	// A message always lands in the room that was asked for, so a running Put needs
	// to hold back only that room's events.
	PutScope: plugv1.PutScope_PUT_SCOPE_CHANNEL,
	// Puts that run at once are written in one transaction: more of them cost little.
	MaxConcurrentPuts: 64,
	New:               func() plug.Plug { return &webchat{} },
}

// config is what an operator writes under "config:".
type config struct {
	Listen  string   `json:"listen,omitempty" jsonschema:"description=Address to listen on. Loopback if left out. With port 0 a free port is chosen once and kept.,default=127.0.0.1:0"`
	Title   string   `json:"title,omitempty" jsonschema:"description=Name of the chat as the page shows it.,maxLength=80,default=Webchat"`
	Origins []string `json:"origins,omitempty" jsonschema:"description=Other origins from which the page may be opened (such as https://chat.example.org): those of a reverse proxy."`
}

// webchat is the plug. The network that it connects is part of it: a store, and a
// page. What other plugs keep here is the connection to a server.
type webchat struct {
	rooms []string
	store *room.Store
	page  *page.Server
}

// Start opens the network. It doesn't wait for messages: those are for Receive.
func (w *webchat) Start(ctx context.Context, s *plug.Session) (_ *plug.Started, err error) {
	c := config{Listen: "127.0.0.1:0", Title: "Webchat"}
	if err := s.Config(&c); err != nil {
		return nil, err
	}
	store, err := room.Open(ctx, filepath.Join(s.StateDir, "chat.sqlite"))
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	defer func() { // Stop is not called after a Start that failed
		if err != nil {
			err = errors.Join(err, store.Close())
		}
	}()
	// Made once and kept: everything that the host stores is keyed by it. It tells
	// this chat from every other one, and not where it is or what it is called, for
	// those may change.
	identity, err := store.Fact(ctx, "id", room.RandomID)
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	p, err := page.Listen(ctx, page.Options{
		Store: store, Chat: identity, Rooms: s.Channels, Title: c.Title, Listen: c.Listen, Origins: c.Origins, Logger: s.Logger,
	})
	if wrong, ok := errors.AsType[*page.OptionError](err); ok {
		return nil, plug.BadConfig("/"+wrong.Option, wrong.Err) // only a person can help
	}
	if err != nil {
		return nil, plug.Unreachable(err, 0) // may pass: the host tries again
	}
	w.rooms, w.store, w.page = s.Channels, store, p
	s.Logger.Info("webchat is open", "address", p.URL())
	return &plug.Started{NetworkID: "webchat:" + identity, NetworkName: c.Title}, nil
}

// Stop closes what Start opened, the last first: the page uses the store. Receive has
// returned by now.
func (w *webchat) Stop(ctx context.Context) error {
	return errors.Join(w.page.Close(ctx), w.store.Close())
}

// Put says a message. The operation id makes it unique: asked a second time, the
// store answers with the message of the first time. So whatever is lost between
// here and the host's journal, trying again is safe.
func (w *webchat) Put(ctx context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	m := toRoom(p)
	if err := m.Check(); err != nil {
		return nil, plug.Refused(err) // trying again would not help
	}
	said, err := w.store.Say(ctx, m)
	switch {
	case errors.Is(err, room.ErrNotSaid):
		return nil, plug.NotSent(err)
	case err != nil:
		return nil, plug.Uncertain(err) // its echo, or the next attempt, will tell
	}
	return receipt(said), nil
}
