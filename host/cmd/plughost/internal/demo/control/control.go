package control

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

//go:embed static
var static embed.FS

const (
	// maxPages is the most pages that are told the state at once.
	maxPages = 32
	// maxLines is how many lines of what has happened are kept.
	maxLines = 50
	// requestTimeout bounds a request, and one write to a page.
	requestTimeout = 10 * time.Second
	// aliveEvery is how often a page is told that nothing has changed, so that one
	// that is gone is noticed.
	aliveEvery = 5 * time.Second
)

// State is what the page shows.
type State struct {
	Host  Process `json:"host"`
	Plugs []Plug  `json:"plugs"`
	// Lines are what has happened, the oldest first. Show keeps them.
	Lines []Line `json:"lines"`
}

// Process is a process. Pid is 0 if there is none now.
type Process struct {
	// State is one word: "ready", "stopped" and so on; Words says it for a person.
	State string `json:"state"`
	Words string `json:"words"`
	Pid   int    `json:"pid"`
	// Since is when it got there, in Unix milliseconds; 0 if that isn't known.
	Since int64 `json:"since"`
	// Frozen is true after a freeze, until it goes on.
	Frozen bool `json:"frozen"`
}

// Plug is a plug, and where its page is.
type Plug struct {
	Process
	Name     string `json:"name"`
	Address  string `json:"address"`
	Restarts int    `json:"restarts"`
}

// Line is something that has happened.
type Line struct {
	Time int64  `json:"time"` // Unix milliseconds
	Text string `json:"text"`
}

// Control serves the page. Its methods may be called at any time, by any goroutine.
type Control struct {
	commands []string
	// lines takes each command that a button wants. Unbuffered.
	lines    chan string
	listener net.Listener
	http     *http.Server
	served   chan struct{} // closed when nothing is served any more
	stopping context.Context
	stop     context.CancelFunc
	slots    chan struct{} // one for each page

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed at each change of state
}

// Listen opens the page on a free port of the loopback. Commands are those that have a
// button.
func Listen(commands []string) (*Control, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the demo's page: %w", err)
	}
	shell, err := fs.Sub(static, "static")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the demo's page: %w", err), l.Close())
	}
	c := &Control{commands: commands, lines: make(chan string), listener: l, served: make(chan struct{}),
		slots: make(chan struct{}, maxPages), changed: make(chan struct{})}
	c.stopping, c.stop = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(shell))
	mux.HandleFunc("GET /state", c.watch)
	mux.HandleFunc("POST /command", c.command)
	c.http = &http.Server{
		Handler: c.guard(http.NewCrossOriginProtection().Handler(mux)), ReadTimeout: requestTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() { // ends with Close
		defer close(c.served)
		_ = c.http.Serve(l) // the error is Close's; else the page shows that nobody answers
	}()
	return c, nil
}

// URL is where the page is.
func (c *Control) URL() string { return "http://" + c.listener.Addr().String() + "/" }

// Commands gives each command that a button wants.
func (c *Control) Commands() <-chan string { return c.lines }

// Show shows a state; its lines are those that Said told.
func (c *Control) Show(s State) {
	c.update(func() {
		s.Lines = c.state.Lines
		c.state = s
	})
}

// Said adds a line of what has happened.
func (c *Control) Said(text string) {
	c.update(func() {
		lines := append(slices.Clone(c.state.Lines), Line{time.Now().UnixMilli(), text})
		c.state.Lines = lines[max(0, len(lines)-maxLines):]
	})
}

func (c *Control) update(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Control) now() (State, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.changed
}

// Close cuts all pages off, and stops listening. Closing again does nothing.
func (c *Control) Close() error {
	c.stop()
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	err := c.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("close the demo's page: %w", errors.Join(err, c.http.Close()))
	}
	<-c.served
	return err
}

// guard lets in only who names us by our address: a foreign site that had its own name
// point here (DNS rebinding) sends that name.
func (c *Control) guard(next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(c.listener.Addr().String()) // it is our own
	hosts := []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("localhost", port)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !slices.Contains(hosts, r.Host) {
			http.Error(w, "The demo is not at that address.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// command hands a button's command over. That it is done is seen in the state.
func (c *Control) command(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	line := r.PostFormValue("line")
	if !slices.Contains(c.commands, line) {
		http.Error(w, "There is no such button.", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	select {
	case c.lines <- line:
		w.WriteHeader(http.StatusNoContent)
	case <-ctx.Done():
		http.Error(w, "The demo is busy. Try again.", http.StatusServiceUnavailable)
	case <-c.stopping.Done():
		http.Error(w, "The demo has ended.", http.StatusServiceUnavailable)
	}
}

// watch tells a page the state, as server-sent events (HTML Living Standard, 9.2).
func (c *Control) watch(w http.ResponseWriter, r *http.Request) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	// The deadline of the request would end this too. Without deadlines, as in a test,
	// there is nothing to be taken away.
	_ = out.SetReadDeadline(time.Time{})
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		state, changed := c.now()
		data, err := json.Marshal(state)
		if err != nil {
			return
		}
		_ = out.SetWriteDeadline(time.Now().Add(requestTimeout)) // as above
		if _, err := fmt.Fprintf(w, "data: %s\n\n", data); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-alive.C:
		case <-r.Context().Done():
			return
		case <-c.stopping.Done():
			return
		}
	}
}
