package page

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/plugins/webchat/internal/door"
	"github.com/plughost/plughost/plugins/webchat/internal/files"
	"github.com/plughost/plughost/plugins/webchat/internal/history"
	"github.com/plughost/plughost/plugins/webchat/internal/presence"
	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

//go:embed static
var static embed.FS

// Bounds of the server.
const (
	// maxPages is the most pages open at once.
	maxPages = 512
	// requestTimeout bounds a request and its answer; a WebSocket lives longer.
	requestTimeout = 10 * time.Second
	// beat is how often a page hears of us, and we of it.
	beat = 20 * time.Second
)

// Options of a server. Store, Files, Presence, Typing, Chat, Listen and Logger are
// required.
type Options struct {
	Store    *history.Store
	Files    *files.Store
	Presence *presence.Presence
	Typing   *presence.Typing
	// Format finds the formatting in what somebody types; nil: there is none.
	Format func(text string) []room.Segment
	// Chat tells this chat from any other. A page that finds another chat at its
	// address begins anew.
	Chat   string
	Rooms  []string
	Title  string
	Listen string // host:port
	// Origins are those from which the page may be opened, beside our own:
	// "https://chat.example.org".
	Origins []string
	// Password is asked for unless it is empty. Secret makes the cookie of who knows
	// it: random, constant, and the chat's own.
	Password, Secret string
	Logger           hclog.Logger
}

// OptionError says that an option can't work until a person changes it.
type OptionError struct {
	// Option is "listen", or "origins/0" for the first of the origins.
	Option string
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }

// Server serves the page.
type Server struct {
	Options
	http     *http.Server
	listener net.Listener
	door     *door.Door
	lock     *door.Lock

	stopping context.Context // ends when the pages are to be closed
	stop     context.CancelFunc
	pages    sync.WaitGroup
	slots    chan struct{} // one for each page open
	served   chan struct{} // closed when Serve has returned
}

// Listen opens the page. With port 0 it takes the port that it had before, or
// chooses one and keeps it, so that an open page finds the chat again after a
// restart. An error is an *OptionError, or something that may pass.
func Listen(ctx context.Context, o Options) (*Server, error) {
	s, err := prepare(o)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, &OptionError{"listen", fmt.Errorf("%q is not host:port, such as 127.0.0.1:8080", o.Listen)}
	}
	if port == "0" {
		s.listener, err = listenWhereLastTime(ctx, o, host)
	} else {
		s.listener, err = listen(ctx, o.Listen)
	}
	if err != nil {
		return nil, err
	}
	s.door.ListensAt(s.listener.Addr().(*net.TCPAddr), host)
	go s.run()
	return s, nil
}

// prepare makes a server that doesn't listen yet.
func prepare(o Options) (*Server, error) {
	shell, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("open the page's files: %w", err)
	}
	s := &Server{Options: o, slots: make(chan struct{}, maxPages), served: make(chan struct{}),
		door: door.New(), lock: door.NewLock(o.Password, o.Secret, o.Chat)}
	s.stopping, s.stop = context.WithCancel(context.Background())
	for i, origin := range o.Origins {
		if err := s.door.Admit(origin); err != nil {
			return nil, &OptionError{"origins/" + strconv.Itoa(i), err}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(shell))
	mux.HandleFunc("GET /ws", s.socket)
	mux.Handle("POST /unlock", s.lock)
	uploads := s.lock.Only(http.StripPrefix("/files", o.Files.Handler()))
	mux.Handle("GET /files/", uploads)
	mux.Handle("POST /files/", uploads)
	s.http = &http.Server{
		Handler:        s.door.Guard(mux),
		ReadTimeout:    requestTimeout,
		WriteTimeout:   requestTimeout,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       o.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	return s, nil
}

// run serves until Close.
func (s *Server) run() {
	defer close(s.served)
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.Logger.Error("the page is no longer served", "error", err)
	}
}

// portFact is where the store keeps the port that was chosen.
const portFact = "port"

// listenWhereLastTime listens on the port of last time. If somebody else has it now
// it chooses another one: a chat at a new address is better than none.
func listenWhereLastTime(ctx context.Context, o Options, host string) (net.Listener, error) {
	kept, err := o.Store.Fact(ctx, portFact, func() string { return "0" })
	if err != nil {
		return nil, err
	}
	l, err := listen(ctx, net.JoinHostPort(host, kept))
	if err != nil && kept != "0" {
		o.Logger.Warn("the port of last time is taken, another one is chosen", "port", kept, "error", err)
		l, err = listen(ctx, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, err
	}
	if err := o.Store.SetFact(ctx, portFact, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// listen tells an address that somebody else has, which may be free later, from one
// that can't be had.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("another program listens on %s: stop it, or choose another port: %w", address, err)
	default:
		return nil, &OptionError{"listen", err}
	}
}

// URL is where the page is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/" }

// Close cuts all pages off and stops listening. Requests get until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("close the page: %w", errors.Join(err, s.http.Close()))
	}
	s.pages.Wait()
	<-s.served
	return err
}
