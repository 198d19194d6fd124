package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

const (
	// sendBatch is the most messages of one answer.
	sendBatch = 100
	// sendFirst is how much of a room's history a new page is sent.
	sendFirst = 200
	// sendTimeout bounds one write to a page.
	sendTimeout = 10 * time.Second
	// missedBeats is after how many beats without a frame a page counts as gone.
	missedBeats = 3
)

// socket serves one page for as long as it is open.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
		return
	}
	s.pages.Add(1)
	defer s.pages.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: s.doors.origins})
	if err != nil {
		s.Logger.Debug("a page was not let in", "error", err)
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	if err := s.serve(ctx, conn); err != nil {
		s.Logger.Debug("a page has gone", "error", err)
	}
}

// serve reads in this goroutine and sends in another, which it waits for.
func (s *Server) serve(ctx context.Context, conn *websocket.Conn) error {
	v := &visitor{server: s, conn: conn, rows: map[string]int64{}}
	hello, err := v.read(ctx)
	if err != nil {
		return err
	}
	if hello.Type != "hello" || len(hello.Token) < 16 {
		return conn.Close(websocket.StatusPolicyViolation, "say hello first")
	}
	v.self = publicID(hello.Token)
	if err := v.resume(ctx, hello); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	sent := make(chan error, 1)
	go func() {
		defer cancel() // ends the reading too
		sent <- v.sendAll(ctx)
	}()
	err = v.readAll(ctx)
	cancel()
	return errors.Join(err, <-sent)
}

// visitor is one open page.
type visitor struct {
	server *Server
	conn   *websocket.Conn
	self   string
	rows   map[string]int64 // the last row that the page has of each room
}

// resume finds out from where the page has to be sent what it doesn't have. Rows of
// another chat, or of a history that was lost, mean nothing here.
func (v *visitor) resume(ctx context.Context, hello frame) error {
	store := v.server.Store
	end, err := store.End(ctx)
	if err != nil {
		return err
	}
	for _, name := range v.server.Rooms {
		if row, known := hello.Rows[name]; known && hello.Chat == v.server.Chat && 0 <= row && row <= end {
			v.rows[name] = row
		} else if v.rows[name], err = store.BeforeLast(ctx, name, sendFirst); err != nil {
			return err
		}
	}
	return nil
}

// sendAll gives the page what is new, for as long as it is open.
func (v *visitor) sendAll(ctx context.Context) error {
	s := v.server
	if err := v.send(ctx, answer{Type: "welcome", Chat: s.Chat, Title: s.Title, Rooms: s.Rooms, Self: v.self}); err != nil {
		return err
	}
	alive := time.NewTicker(beat)
	defer alive.Stop()
	for caughtUp := false; ; {
		changed := s.Store.Changed()
		for _, name := range s.Rooms {
			if err := v.sendRoom(ctx, name); err != nil {
				return err
			}
		}
		if !caughtUp {
			if err := v.send(ctx, answer{Type: "caught_up"}); err != nil {
				return err
			}
			caughtUp = true
		}
		select {
		case <-changed:
		case <-alive.C:
			if err := v.send(ctx, answer{Type: "alive"}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendRoom sends what a room has that the page has not.
func (v *visitor) sendRoom(ctx context.Context, name string) error {
	for {
		messages, err := v.server.Store.SinceIn(ctx, name, v.rows[name], sendBatch)
		if err != nil || len(messages) == 0 {
			return err
		}
		a := answer{Type: "messages", Room: name, Messages: make([]message, len(messages))}
		for i, m := range messages {
			a.Messages[i] = fromRoom(m, v.self)
			v.rows[name] = m.Row
		}
		if err := v.send(ctx, a); err != nil {
			return err
		}
	}
}

func (v *visitor) send(ctx context.Context, a answer) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := wsjson.Write(ctx, v.conn, a); err != nil {
		return fmt.Errorf("send to the page: %w", err)
	}
	return nil
}

// readAll does what the page asks for, for as long as it is open.
func (v *visitor) readAll(ctx context.Context) error {
	for {
		f, err := v.read(ctx)
		if err != nil {
			return err
		}
		switch f.Type {
		case "alive":
		case "say":
			err = v.say(ctx, f)
		default:
			err = v.conn.Close(websocket.StatusPolicyViolation, "unknown frame; reload the page")
		}
		if err != nil {
			return err
		}
	}
}

// say says what the page wants said. The page sees it come back as a message. What
// can't be said is answered with the reason. Where the store fails the page is cut
// off: it comes back and says it again, under the same id.
func (v *visitor) say(ctx context.Context, f frame) error {
	m, err := f.toRoom(v.self, v.server.Rooms)
	if err != nil {
		return v.send(ctx, answer{Type: "refused", Client: f.Client, Reason: err.Error()})
	}
	if _, err := v.server.Store.Say(ctx, m); err != nil {
		return errors.Join(err, v.conn.Close(websocket.StatusTryAgainLater, "the chat can't write now"))
	}
	return nil
}

func (v *visitor) read(ctx context.Context) (frame, error) {
	ctx, cancel := context.WithTimeout(ctx, missedBeats*beat)
	defer cancel()
	kind, data, err := v.conn.Read(ctx)
	if err != nil {
		return frame{}, fmt.Errorf("read from the page: %w", err)
	}
	if kind != websocket.MessageText {
		return frame{}, errors.Join(errors.New("read from the page: a binary frame"), v.conn.Close(websocket.StatusUnsupportedData, "text frames only"))
	}
	return parse(data)
}
