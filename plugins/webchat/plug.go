package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/plughost/plughost/plugins/webchat/internal/files"
	"github.com/plughost/plughost/plugins/webchat/internal/history"
	"github.com/plughost/plughost/plugins/webchat/internal/page"
	"github.com/plughost/plughost/plugins/webchat/internal/presence"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
	"github.com/plughost/plughost/sdk/go/plug/spool"
)

// version is set by the build.
var version = "0.0.0-dev"

// definition is what the SDK needs to know before anything runs. What follows from
// the methods of put.go (that it accepts messages, edits and so on) is not repeated.
var definition = plug.Definition{
	Name:    "webchat",
	Version: version,
	Network: "Webchat",
	Config:  config{},
	// What people do on the page; receive.go queues it.
	Emits: []plugv1.EventKind{
		plugv1.EventKind_EVENT_KIND_MESSAGE, plugv1.EventKind_EVENT_KIND_EDIT, plugv1.EventKind_EVENT_KIND_DELETE,
		plugv1.EventKind_EVENT_KIND_REACTION_ADDED, plugv1.EventKind_EVENT_KIND_REACTION_REMOVED,
		plugv1.EventKind_EVENT_KIND_MEMBERS_JOINED, plugv1.EventKind_EVENT_KIND_MEMBERS_LEFT, plugv1.EventKind_EVENT_KIND_TYPING,
	},
	Abilities: &plugv1.Abilities{
		// The operation id is stored with what was done, and comes back with it.
		Echo: plugv1.Echo_ECHO_OPERATION_ID,
		// It is unique in the database, whatever is killed or restarted. The window
		// is what we promise; the database remembers longer.
		IdempotentPut: &plugv1.IdempotentPut{Window: durationpb.New(90 * 24 * time.Hour), SurvivesNetworkRestart: true},
		// A cursor is a row number, and rows are never removed.
		Resumable: true,
		// The page shows a name beside each message; none is put into the text.
		AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
		// What isn't here reaches us as words in the text.
		Features: []plugv1.Feature{
			plugv1.Feature_FEATURE_FORMATTING, plugv1.Feature_FEATURE_REPLY, plugv1.Feature_FEATURE_FILE, plugv1.Feature_FEATURE_EMOTE,
			plugv1.Feature_FEATURE_AVATAR,
		},
		// Start adds how large a file may be: that is the operator's choice.
		Limits: &plugv1.Limits{TextLength: room.MaxText, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_RUNES, Files: room.MaxFiles},
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
	Listen   string   `json:"listen,omitempty" jsonschema:"description=Address to listen on. Loopback if left out. With port 0 a free port is chosen once and kept.,default=127.0.0.1:0"`
	Title    string   `json:"title,omitempty" jsonschema:"description=Name of the chat as the page shows it.,maxLength=80,default=Webchat"`
	Origins  []string `json:"origins,omitempty" jsonschema:"description=Other origins from which the page may be opened (such as https://chat.example.org): those of a reverse proxy."`
	Password string   `json:"password,omitempty" jsonschema:"description=Password that everybody who opens the page has to know. None if left out.,maxLength=500,writeOnly=true"`
	// Sizes are in MB of a million bytes, as people count them.
	MaxFileMB int64 `json:"max_file_mb,omitempty" jsonschema:"description=Largest file that may be uploaded in megabytes.,minimum=1,maximum=10000,default=25"`
	FilesMB   int64 `json:"files_mb,omitempty" jsonschema:"description=Space that all uploaded files may take together in megabytes.,minimum=1,default=2000"`
}

const megabyte = 1_000_000

// webchat is the plug. The network that it connects is part of it: a log of what
// happens in the rooms, the files of the messages, and a page. What other plugs keep
// here is the connection to a server.
type webchat struct {
	rooms  []string
	spool  *spool.Spool
	files  *files.Store
	store  *history.Store
	typing *presence.Typing
	page   *page.Server

	cancel     context.CancelFunc // ends what runs in the background
	background sync.WaitGroup
}

// Start opens the network. It doesn't wait for messages: those are for Receive.
func (w *webchat) Start(ctx context.Context, s *plug.Session) (_ *plug.Started, err error) {
	c := config{Listen: "127.0.0.1:0", Title: "Webchat", MaxFileMB: 25, FilesMB: 2000}
	if err := s.Config(&c); err != nil {
		return nil, err
	}
	var open []func() error // to be closed, the last first
	defer func() {          // Stop is not called after a Start that failed
		for i := len(open) - 1; err != nil && i >= 0; i-- {
			err = errors.Join(err, open[i]())
		}
	}()
	uploads, err := files.Open(files.Options{Dir: filepath.Join(s.StateDir, "files"), Each: c.MaxFileMB * megabyte, All: c.FilesMB * megabyte})
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	open = append(open, uploads.Close)
	store, err := history.Open(ctx, filepath.Join(s.StateDir, "chat.sqlite"), uploads)
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	open = append(open, store.Close)
	// Made once and kept: everything that the host stores is keyed by it. It tells
	// this chat from every other one, and not where it is or what it is called, for
	// those may change.
	identity, err := store.Fact(ctx, "id", history.RandomID)
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	secret, err := store.Fact(ctx, "cookie secret", history.RandomID)
	if err != nil {
		return nil, plug.Unreachable(err, 0)
	}
	here, typing := presence.New(store, s.Channels, s.Logger), presence.NewTyping()
	p, err := page.Listen(ctx, page.Options{
		Store: store, Files: uploads, Presence: here, Typing: typing, Format: formatted,
		Chat: identity, Rooms: s.Channels, Title: c.Title, Listen: c.Listen, Origins: c.Origins, Password: c.Password, Secret: secret, Logger: s.Logger,
	})
	if wrong, ok := errors.AsType[*page.OptionError](err); ok {
		return nil, plug.BadConfig("/"+wrong.Option, wrong.Err) // only a person can help
	}
	if err != nil {
		return nil, plug.Unreachable(err, 0) // may pass: the host tries again
	}
	w.rooms, w.spool, w.files, w.store, w.typing, w.page = s.Channels, s.Spool(), uploads, store, typing, p
	w.begin(s, here)
	s.Logger.Info("webchat is open", "address", p.URL())
	abilities := proto.CloneOf(definition.Abilities)
	abilities.Limits.FileBytes = uint64(uploads.Each)
	return &plug.Started{NetworkID: "webchat:" + identity, NetworkName: c.Title, Abilities: abilities}, nil
}

// begin starts what runs in the background until Stop, which waits for it.
func (w *webchat) begin(s *plug.Session, here *presence.Presence) {
	ctx, cancel := context.WithCancel(s.Context())
	w.cancel = cancel
	w.background.Go(func() {
		if err := here.Run(ctx); ctx.Err() == nil {
			s.Logger.Error("nobody notices any more who comes and goes", "error", err)
		}
	})
	w.background.Go(func() {
		// Files that were uploaded and then not said.
		for tick := time.NewTicker(files.Kept); ; {
			if err := w.files.Sweep(ctx, w.store.FileUsed); err != nil && ctx.Err() == nil {
				s.Logger.Warn("files that nobody uses stay", "error", err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
}

// Stop closes what Start opened, the last first: the page uses the store. Receive has
// returned by now.
func (w *webchat) Stop(ctx context.Context) error {
	err := w.page.Close(ctx)
	w.cancel()
	w.background.Wait()
	return errors.Join(err, w.store.Close(), w.files.Close())
}
