package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

const (
	// sendBatch is the most changes of one answer, and how much of a room's history a
	// new page is sent, and one that asks for older messages.
	sendBatch = 100
	// sendBytes is about the most that one answer with history has; one message
	// always fits.
	sendBytes = 512 << 10
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
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: s.door.Origins()})
	if err != nil {
		s.Logger.Debug("a page was not let in", "error", err)
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	if !s.lock.Opened(r) {
		// Said on the WebSocket, since a browser doesn't tell a page why it got none.
		err := (&visitor{server: s, conn: conn}).send(ctx, answer{Type: "locked"})
		s.Logger.Debug("a page has to say the password", "error", err)
		_ = conn.Close(websocket.StatusPolicyViolation, "this chat has a password")
		return
	}
	if err := s.serve(ctx, conn); err != nil {
		s.Logger.Debug("a page has gone", "error", err)
	}
}

// serve reads in this goroutine and sends in another, which it waits for.
func (s *Server) serve(ctx context.Context, conn *websocket.Conn) error {
	v := &visitor{server: s, conn: conn, rows: map[string]int64{}, fresh: map[string]bool{}, entered: map[string]room.Person{}}
	defer v.leave()
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

// visitor is one open page. What stands below a line is one goroutine's alone.
type visitor struct {
	server *Server
	conn   *websocket.Conn
	self   string

	// The sender's: the last row that the page has of each room; the rooms of which
	// it has nothing; who it was told is writing.
	rows   map[string]int64
	fresh  map[string]bool
	typing map[string][]room.Person

	// The reader's: as whom the page is in which room.
	entered map[string]room.Person
}

// resume finds out from where the page has to be sent what it doesn't have. Rows of
// another chat, or of a history that was lost, mean nothing here.
func (v *visitor) resume(ctx context.Context, hello frame) error {
	end, err := v.server.Store.End(ctx)
	if err != nil {
		return err
	}
	for _, name := range v.server.Rooms {
		if row, known := hello.Rows[name]; known && hello.Chat == v.server.Chat && 0 <= row && row <= end {
			v.rows[name] = row
			continue
		}
		// How things stand is read after this, so that nothing falls between.
		v.rows[name], v.fresh[name] = end, true
	}
	return nil
}

// sendAll gives the page what is new, for as long as it is open.
func (v *visitor) sendAll(ctx context.Context) error {
	s := v.server
	if err := v.send(ctx, answer{Type: "welcome", Chat: s.Chat, Title: s.Title, Rooms: s.Rooms, Self: v.self, MaxFile: s.Files.Each}); err != nil {
		return err
	}
	for _, name := range s.Rooms {
		if err := v.sendStanding(ctx, name); err != nil {
			return err
		}
	}
	alive := time.NewTicker(beat)
	defer alive.Stop()
	v.typing = map[string][]room.Person{}
	for caughtUp := false; ; {
		changed, typing := s.Store.Changed(), s.Typing.Changed()
		for _, name := range s.Rooms {
			if err := errors.Join(v.sendChanges(ctx, name), v.sendTyping(ctx, name)); err != nil {
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
		case <-typing:
		case <-alive.C:
			if err := v.send(ctx, answer{Type: "alive"}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sendStanding sends who is in a room and, to a page that has nothing of it, the
// last messages.
func (v *visitor) sendStanding(ctx context.Context, name string) error {
	members, err := v.server.Store.Members(ctx, name)
	if err == nil {
		err = v.send(ctx, answer{Type: "members", Room: name, People: people(members)})
	}
	if err == nil && v.fresh[name] {
		err = v.sendHistory(ctx, name, 0)
	}
	return err
}

// sendHistory sends the last messages of a room that are before a row.
func (v *visitor) sendHistory(ctx context.Context, name string, before int64) error {
	messages, err := v.server.Store.Before(ctx, name, before, sendBatch+1)
	if err != nil {
		return err
	}
	a := answer{Type: "history", Room: name, Before: before, More: len(messages) > sendBatch}
	if a.More {
		messages = messages[1:]
	}
	if before == 0 {
		a.Row = v.rows[name]
	}
	bytes := 0
	for i, m := range slices.Backward(messages) {
		if bytes += len(m.Text) + len(m.Plain()); bytes > sendBytes && i < len(messages)-1 {
			messages, a.More = messages[i+1:], true
			break
		}
	}
	for _, m := range messages {
		a.Messages = append(a.Messages, fromMessage(m, v.self))
	}
	return v.send(ctx, a)
}

// sendChanges sends what happened in a room that the page has not.
func (v *visitor) sendChanges(ctx context.Context, name string) error {
	for {
		changes, err := v.server.Store.SinceIn(ctx, name, v.rows[name], sendBatch)
		if err != nil || len(changes) == 0 {
			return err
		}
		a := answer{Type: "changes", Room: name}
		for _, c := range changes {
			a.Changes = append(a.Changes, fromChange(c, v.self))
			v.rows[name] = c.Row
		}
		if err := v.send(ctx, a); err != nil {
			return err
		}
	}
}

// sendTyping sends who else is writing in a room, if the page was told otherwise.
func (v *visitor) sendTyping(ctx context.Context, name string) error {
	var now []room.Person
	for _, w := range v.server.Typing.Now(name) {
		if w.ID != v.self {
			now = append(now, w.Person)
		}
	}
	if slices.Equal(now, v.typing[name]) {
		return nil
	}
	v.typing[name] = now
	return v.send(ctx, answer{Type: "typing", Room: name, People: people(now)})
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
		case "say", "edit", "delete", "react", "unreact":
			err = v.do(ctx, f)
		case "enter":
			v.enter(f)
		case "typing":
			if who, wrong := f.person(v.self, v.server.Rooms); wrong == nil {
				v.server.Typing.Set(f.Room, who, f.Typing)
			}
		case "older":
			if slices.Contains(v.server.Rooms, f.Room) && f.Before > 0 {
				err = v.sendHistory(ctx, f.Room, f.Before)
			}
		default:
			err = v.conn.Close(websocket.StatusPolicyViolation, "unknown frame; reload the page")
		}
		if err != nil {
			return err
		}
	}
}

// do does what the page wants done. The page sees it come back as a change; what
// can't be done is answered with the reason. Where the store fails the page is cut
// off: it comes back and wants it again, under the same id.
func (v *visitor) do(ctx context.Context, f frame) error {
	c, err := f.toRoom(v.self, v.server.Options)
	if err != nil {
		return v.send(ctx, answer{Type: "refused", Client: f.Client, Reason: err.Error()})
	}
	_, err = v.server.Store.Do(ctx, c)
	refusal, refused := errors.AsType[room.Refusal](err)
	switch {
	case refused && refusal != room.ErrAlready:
		return v.send(ctx, answer{Type: "refused", Client: f.Client, Reason: refusal.Error()})
	case err != nil && !refused:
		return errors.Join(err, v.conn.Close(websocket.StatusTryAgainLater, "the chat can't write now"))
	case c.Kind == room.Said:
		v.server.Typing.Set(c.Room, c.By, false)
		return nil
	}
	// It may have been done long ago, and then nothing comes back.
	return v.send(ctx, answer{Type: "done", Client: f.Client})
}

// enter notes that the page looks at a room, and as whom. Who says no name only looks.
func (v *visitor) enter(f frame) {
	who, err := f.person(v.self, v.server.Rooms)
	if err != nil {
		return
	}
	switch before, in := v.entered[f.Room]; {
	case !in:
		v.server.Presence.Enter(f.Room, who)
	case before != who:
		v.server.Presence.Rename(f.Room, who)
	}
	v.entered[f.Room] = who
}

// leave notes that the page is closed.
func (v *visitor) leave() {
	for name, who := range v.entered {
		v.server.Presence.Leave(name, who)
		v.server.Typing.Set(name, who, false)
	}
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
