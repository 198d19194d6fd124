// Package webchattest is somebody at a webchat's page, for tests and benchmarks.
//
// Takes: the page's address.
// Gives: what a browser does, by the same frames: say, upload, wait for what is shown.
// Order and bounds: for one caller at a time; what is shown is read until it is what is
// waited for, and forgotten.
// Stops: Close, which ends the connection and the heartbeat.
package webchattest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// beat is how often the page says that it is alive; the chat closes one that doesn't.
const beat = 10 * time.Second

// Page is an open page.
type Page struct {
	address string
	conn    *websocket.Conn
	end     context.CancelFunc
	beats   sync.WaitGroup
}

// File is a file of a message that is shown.
type File struct {
	Hash string // SHA-256 in hexadecimal
	Name string
	Size int64
}

// Open opens the page at an address such as "127.0.0.1:8101".
func Open(ctx context.Context, address string) (*Page, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+address+"/ws", nil)
	if err != nil {
		return nil, fmt.Errorf("open the page: %w", err)
	}
	conn.SetReadLimit(-1) // the history comes in large frames
	p := &Page{address: address, conn: conn}
	if err := p.send(ctx, map[string]any{"type": "hello", "token": "0123456789abcdef"}); err != nil {
		_ = conn.CloseNow()
		return nil, err
	}
	alive, end := context.WithCancel(context.Background())
	p.end = end
	p.beats.Go(func() {
		for tick := time.NewTicker(beat); ; {
			select {
			case <-tick.C:
				_ = p.send(alive, map[string]any{"type": "alive"}) // whoever uses the page sees that it is gone
			case <-alive.Done():
				tick.Stop()
				return
			}
		}
	})
	return p, nil
}

// Close closes the page.
func (p *Page) Close() {
	p.end()
	p.beats.Wait()
	_ = p.conn.CloseNow()
}

func (p *Page) send(ctx context.Context, frame map[string]any) error {
	if err := wsjson.Write(ctx, p.conn, frame); err != nil {
		return fmt.Errorf("write to the page: %w", err)
	}
	return nil
}

// Say says a text in a room, as Ann; with a file that was uploaded if hash is not
// empty. It returns before anybody is shown it.
func (p *Page) Say(ctx context.Context, room, text, hash string) error {
	frame := map[string]any{"type": "say", "room": room, "name": "Ann", "text": text, "client": fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
	if hash != "" {
		frame["files"] = []map[string]string{{"hash": hash, "name": "film.bin"}}
	}
	return p.send(ctx, frame)
}

// Deed is something that somebody does.
type Deed struct {
	// Type is "say", "edit", "delete", "react" or "unreact"; Client the page's own id of
	// it, of 8 to 64 characters: done again under the same one, it is done once.
	Type, Client string
	// Room is where, Name who.
	Room, Name string
	// Message is the row of the message that it is about, or that is answered.
	Message int64
	Text    string
	Emoji   string
	Files   []File // of which Hash and Name count
}

// Do does something. It returns before it is known whether it was done: Watch tells
// of what was refused.
func (p *Page) Do(ctx context.Context, d Deed) error {
	frame := map[string]any{"type": d.Type, "room": d.Room, "name": d.Name, "client": d.Client, "message": d.Message, "text": d.Text, "emoji": d.Emoji}
	var files []map[string]string
	for _, f := range d.Files {
		files = append(files, map[string]string{"hash": f.Hash, "name": f.Name})
	}
	if len(files) > 0 {
		frame["files"] = files
	}
	return p.send(ctx, frame)
}

// Watch reads what the page is sent until the page is gone, and tells of each deed that
// was refused. It returns why it ended.
func (p *Page) Watch(ctx context.Context, refused func(client, reason string)) error {
	for {
		var answer struct{ Type, Client, Reason string }
		if err := wsjson.Read(ctx, p.conn, &answer); err != nil {
			return fmt.Errorf("read from the page: %w", err)
		}
		if answer.Type == "refused" {
			refused(answer.Client, answer.Reason)
		}
	}
}

// Download fetches a file that the chat has and returns its bytes.
func (p *Page) Download(ctx context.Context, hash string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+"/files/"+hash, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the page answers %s", response.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return content, nil
}

// Upload gives the chat a file and returns its hash.
func (p *Page) Upload(ctx context.Context, content io.Reader, size int64) (hash string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+"/files/", content)
	if err != nil {
		return "", err
	}
	request.ContentLength = size
	request.Header.Set("Origin", "http://"+p.address)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("upload: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("upload: %s, %w: %s", response.Status, err, answer)
	}
	var uploaded struct{ Hash string }
	return uploaded.Hash, json.Unmarshal(answer, &uploaded)
}

// Connected has somebody at one page speak until another one shows it: before a channel
// of a host has its first cursor, what is said there isn't heard.
func Connected(ctx context.Context, from *Page, room string, to *Page) error {
	heard := make(chan struct{})
	var speaker sync.WaitGroup
	speaker.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for n := 0; from.Say(ctx, room, fmt.Sprintf("%s%d", hello, n), "") == nil; n++ {
			select {
			case <-tick.C:
			case <-heard:
				return
			}
		}
	})
	_, err := to.shown(ctx, func(text string) bool { return strings.HasPrefix(text, hello) })
	close(heard)
	speaker.Wait()
	return err
}

// hello begins what Connected says.
const hello = "is anybody there? "

// Sees waits until the page shows a text, and returns the message's first file.
func (p *Page) Sees(ctx context.Context, text string) (File, error) {
	file, err := p.shown(ctx, func(s string) bool { return s == text })
	if err != nil {
		err = fmt.Errorf("wait for %q: %w", text, err)
	}
	return file, err
}

func (p *Page) shown(ctx context.Context, wanted func(string) bool) (File, error) {
	type message struct {
		Text  string
		Files []File
	}
	for {
		var answer struct {
			Type, Reason string
			Messages     []message
			Changes      []struct{ Message *message }
		}
		if err := wsjson.Read(ctx, p.conn, &answer); err != nil {
			return File{}, fmt.Errorf("read from the page: %w", err)
		}
		if answer.Type == "refused" {
			return File{}, fmt.Errorf("the page refuses: %s", answer.Reason)
		}
		for _, c := range answer.Changes {
			if c.Message != nil {
				answer.Messages = append(answer.Messages, *c.Message)
			}
		}
		for _, m := range answer.Messages {
			if wanted(m.Text) {
				if len(m.Files) > 0 {
					return m.Files[0], nil
				}
				return File{}, nil
			}
		}
	}
}
