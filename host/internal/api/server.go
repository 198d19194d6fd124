package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

const (
	// maxRequest is the largest request, in bytes: an action of 256 KiB as JSON, which
	// takes up to six bytes for one.
	maxRequest = 2 << 20
	// maxBehind is how many changes a watcher may be behind.
	maxBehind = 256
	// shutdownPatience is what calls get to end when the server stops.
	shutdownPatience = 2 * time.Second
	headerPatience   = 5 * time.Second
)

var (
	errStopping = connect.NewError(connect.CodeUnavailable, errors.New("the host stops"))
	errBehind   = connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("more than %d changes behind; watch again", maxBehind))
)

// Host is what the API shows: a *host.Host. Safe for concurrent use.
type Host interface {
	// Status lists every plug instance in the config's order.
	Status() []host.Status
	// Restart, Start and Stop act on one instance.
	Restart(id.InstanceName) error
	Start(id.InstanceName) error
	Stop(id.InstanceName) error
	// Logs gives the lines of an instance's log to yield.
	Logs(ctx context.Context, plug id.InstanceName, lines int, follow bool, yield func(host.LogLine) error) error

	// Client sends in the name of a client.
	Client(name string) (hook.Host, error)
	Operation(context.Context, id.OperationID) (*hook.Operation, error)
	Wait(context.Context, id.OperationID) (*hook.Operation, error)
	Queues(context.Context) ([]host.Queue, error)
	Parked(context.Context) ([]host.ParkedOperation, error)
	ParkedOperation(context.Context, id.OperationID) (*host.ParkedOperation, error)
	RetryParked(context.Context, ...id.OperationID) ([]host.PutBack, error)
	DropParked(context.Context, ...id.OperationID) error

	// AddFile takes a file into the store, File finds one there.
	AddFile(context.Context, io.Reader) (host.StoredFile, error)
	File(sha256 []byte) (host.StoredFile, error)

	// Subscribe opens a subscription; the rest is of durable ones.
	Subscribe(context.Context, host.Subscribe) (*host.Subscription, error)
	Acknowledge(ctx context.Context, name, ack string) error
	Subscriptions(context.Context) ([]host.DurableSubscription, error)
	DeleteSubscription(ctx context.Context, name string) error
	// Label gives a channel as an operator names it.
	Label(id.Channel) hook.Channel

	Users(id.InstanceName) hook.Users
	Channels(id.InstanceName) hook.Channels
	History(id.InstanceName) hook.History
}

var _ Host = (*host.Host)(nil)

// Server serves the API. Make it with New, give Changed to the host's options,
// and call Serve once.
type Server struct {
	log      hclog.Logger
	stopping chan struct{} // closed when calls that wait are to end

	mu       sync.Mutex
	last     map[id.InstanceName]host.Status // that Changed was told
	watchers map[*watcher]bool
	stopped  bool
}

// watcher is one running WatchPlugs.
type watcher struct {
	changes chan host.Status // bounded by maxBehind; closed with end set
	end     error
}

// New makes a server.
func New(log hclog.Logger) *Server {
	return &Server{log: log.Named("api"), stopping: make(chan struct{}), last: map[id.InstanceName]host.Status{}, watchers: map[*watcher]bool{}}
}

// Changed is told each change of a plug's status, one after another per plug. It
// never blocks. Safe for concurrent use.
func (s *Server) Changed(status host.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[status.Plug] = status
	for w := range s.watchers {
		select {
		case w.changes <- status:
		default:
			s.cut(w, errBehind)
		}
	}
}

// cut ends a watcher. The caller holds mu.
func (s *Server) cut(w *watcher, end error) {
	if s.watchers[w] {
		delete(s.watchers, w)
		w.end = end
		close(w.changes)
	}
}

// Serve serves a host's API until ctx ends, and closes the listener. It is called
// once. Its error says that the listener failed, or closing it did.
func (s *Server) Serve(ctx context.Context, l net.Listener, h Host) error {
	mux := http.NewServeMux()
	limit := connect.WithReadMaxBytes(maxRequest)
	mux.Handle(hostv1connect.NewPlugServiceHandler(&plugs{server: s, host: h}, limit))
	mux.Handle(hostv1connect.NewMessageServiceHandler(&messages{server: s, host: h}, limit))
	mux.Handle(hostv1connect.NewEventServiceHandler(&events{server: s, host: h}, limit))
	mux.Handle(hostv1connect.NewUserServiceHandler(&users{h}, limit))
	mux.Handle(hostv1connect.NewChannelServiceHandler(&channels{h}, limit))
	mux.Handle(hostv1connect.NewFileServiceHandler(&uploads{s, h, make(chan struct{}, maxUploads)}, limit))
	mux.Handle(hostv1connect.NewHistoryServiceHandler(&history{s, h}, limit))
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerPatience,
		ErrorLog:          s.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}),
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for gRPC clients

	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serve the host's API: %w", err), l.Close())
	case <-ctx.Done():
	}
	s.stop()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	err := server.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-served
	return errors.Join(err, l.Close())
}

// stop cuts off all watchers, and those to come.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		close(s.stopping)
	}
	s.stopped = true
	for w := range s.watchers {
		s.cut(w, errStopping)
	}
}

// watch begins to watch: it returns every plug as it is, and a watcher of what
// changes from there on.
func (s *Server) watch(h Host) ([]host.Status, *watcher, error) {
	all := h.Status() // before mu is held: a host may hold its own lock in Changed
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, nil, errStopping
	}
	for i, status := range all {
		// What Changed was told last is what the next change follows on.
		if last, ok := s.last[status.Plug]; ok {
			all[i] = last
		}
	}
	w := &watcher{changes: make(chan host.Status, maxBehind)}
	s.watchers[w] = true
	return all, w, nil
}

// plugs implements PlugService.
type plugs struct {
	server *Server
	host   Host
}

var _ hostv1connect.PlugServiceHandler = (*plugs)(nil)

// ListPlugs implements hostv1connect.PlugServiceHandler.
func (p *plugs) ListPlugs(context.Context, *hostv1.ListPlugsRequest) (*hostv1.ListPlugsResponse, error) {
	response := &hostv1.ListPlugsResponse{}
	for _, s := range p.host.Status() {
		response.Plugs = append(response.Plugs, toProto(s))
	}
	return response, nil
}

// WatchPlugs implements hostv1connect.PlugServiceHandler.
func (p *plugs) WatchPlugs(ctx context.Context, _ *hostv1.WatchPlugsRequest, stream *connect.ServerStream[hostv1.WatchPlugsResponse]) error {
	now, w, err := p.server.watch(p.host)
	if err != nil {
		return err
	}
	defer func() {
		p.server.mu.Lock()
		defer p.server.mu.Unlock()
		p.server.cut(w, nil)
	}()
	for _, s := range now {
		if err := stream.Send(&hostv1.WatchPlugsResponse{Plug: toProto(s)}); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s, more := <-w.changes:
			if !more {
				return w.end
			}
			if err := stream.Send(&hostv1.WatchPlugsResponse{Plug: toProto(s)}); err != nil {
				return err
			}
		}
	}
}

// RestartPlug implements hostv1connect.PlugServiceHandler.
func (p *plugs) RestartPlug(_ context.Context, request *hostv1.RestartPlugRequest) (*hostv1.RestartPlugResponse, error) {
	return &hostv1.RestartPlugResponse{}, p.act("restart", p.host.Restart, request.Plug)
}

// StopPlug implements hostv1connect.PlugServiceHandler.
func (p *plugs) StopPlug(_ context.Context, request *hostv1.StopPlugRequest) (*hostv1.StopPlugResponse, error) {
	return &hostv1.StopPlugResponse{}, p.act("stop", p.host.Stop, request.Plug)
}

// StartPlug implements hostv1connect.PlugServiceHandler.
func (p *plugs) StartPlug(_ context.Context, request *hostv1.StartPlugRequest) (*hostv1.StartPlugResponse, error) {
	return &hostv1.StartPlugResponse{}, p.act("start", p.host.Start, request.Plug)
}

func (p *plugs) act(what string, do func(id.InstanceName) error, plug string) error {
	if err := do(id.InstanceName(plug)); err != nil {
		return failure(err)
	}
	p.server.log.Info("an operator acts on a plug", "action", what, "plug", plug)
	return nil
}

// ReadLogs implements hostv1connect.PlugServiceHandler.
func (p *plugs) ReadLogs(ctx context.Context, request *hostv1.ReadLogsRequest, stream *connect.ServerStream[hostv1.ReadLogsResponse]) error {
	ctx, release := p.server.untilStop(ctx)
	defer release()
	err := p.host.Logs(ctx, id.InstanceName(request.Plug), int(request.Lines), request.Follow, func(l host.LogLine) error {
		return stream.Send(&hostv1.ReadLogsResponse{Time: timestamp(l.Time), Level: l.Level, Text: strings.ToValidUTF8(l.Text, "\uFFFD"), Missed: l.Missed})
	})
	return p.server.failure(ctx, err)
}

// untilStop bounds a call that waits: it ends when the server stops.
func (s *Server) untilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.stopping:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-ended
	}
}

// failure is failure, for a call that the server's stop may have ended.
func (s *Server) failure(ctx context.Context, err error, accepted ...*hostv1.Operation) error {
	if err != nil && errors.Is(context.Cause(ctx), errStopping) {
		err = errStopping
	}
	return failure(err, accepted...)
}
