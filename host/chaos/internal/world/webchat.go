package world

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/plugins/webchat/webchattest"
)

// webchat is people at the page of a webchat. The page is opened when it is needed, and
// again when it is gone.
type webchat struct {
	plug, address, path string
	seed                uint64

	mu      sync.Mutex
	page    *webchattest.Page
	db      *ledger.Database
	refused map[string]string // client ids and why
	watch   sync.WaitGroup
}

func newWebchat(plug, address, path string, seed uint64) *webchat {
	return &webchat{plug: plug, address: address, path: path, seed: seed, refused: map[string]string{}}
}

var verbs = map[plan.Do]string{plan.Say: "say", plan.Edit: "edit", plan.Delete: "delete", plan.React: "react", plan.Unreact: "unreact", plan.Again: "say"}

// client names a deed, so that it is done once however often it is tried.
func client(s plan.Step) string {
	if s.Token == 0 {
		return hash([]byte(s.Text))[:32]
	}
	return fmt.Sprintf("chaos-%s-%s-%d", ledger.Mark(s.Token, s.Revision), verbs[s.Do], s.At.Milliseconds())
}

// sayClient is what client gives a message, at whatever time it was said, as a pattern.
func sayClient(t ledger.Token) string { return fmt.Sprintf("chaos-%s-say-%%", ledger.Mark(t, 0)) }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (c *webchat) do(ctx context.Context, s plan.Step) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	page, db, err := c.open(ctx)
	if err != nil {
		return err
	}
	deed := webchattest.Deed{Type: verbs[s.Do], Client: client(s), Room: s.Source, Name: s.Author, Text: s.Text, Emoji: s.Reaction}
	about := s.Token
	if s.Do == plan.Say {
		about = s.Answers
	}
	if about != 0 {
		if deed.Message, err = db.Row(ctx, sayClient(about)); err != nil {
			return err
		}
		if deed.Message == 0 {
			return fmt.Errorf("webchat %s has no message %s", c.plug, about)
		}
	}
	if s.File > 0 {
		content := c.file(s)
		uploaded, err := page.Upload(ctx, bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return err
		}
		deed.Files = []webchattest.File{{Hash: uploaded, Name: s.Token.String() + ".bin"}}
	}
	if err := page.Do(ctx, deed); err != nil {
		c.drop(page)
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if row, err := db.Row(ctx, deed.Client); err != nil || row > 0 {
			return err
		}
		if why, refused := c.refusal(deed.Client); refused {
			return fmt.Errorf("the page refuses: %s", why)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.drop(page)
			return ctx.Err()
		}
	}
}

// file is the content of a step's file: the same for the same seed.
func (c *webchat) file(s plan.Step) []byte {
	content := make([]byte, s.File)
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%d %s", c.seed, s.Token))
	_, _ = rand.NewChaCha8(seed).Read(content)
	return content
}

func (c *webchat) open(ctx context.Context) (*webchattest.Page, *ledger.Database, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.db == nil {
		db, err := ledger.OpenDatabase(c.path)
		if err != nil {
			return nil, nil, err
		}
		c.db = db
	}
	if c.page == nil {
		page, err := webchattest.Open(ctx, c.address)
		if err != nil {
			return nil, nil, err
		}
		c.page = page
		c.watch.Go(func() {
			_ = page.Watch(context.Background(), c.refuse) // ends with the page, whose end whoever uses it sees
			c.drop(page)
		})
	}
	return c.page, c.db, nil
}

func (c *webchat) refuse(client, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused[client] = reason
}

func (c *webchat) refusal(client string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	why, refused := c.refused[client]
	return why, refused
}

// drop closes a page that is no good any more.
func (c *webchat) drop(page *webchattest.Page) {
	c.mu.Lock()
	ours := c.page == page
	if ours {
		c.page = nil
	}
	c.mu.Unlock()
	if ours {
		page.Close()
	}
}

func (c *webchat) lines(ctx context.Context) ([]ledger.Line, error) {
	c.mu.Lock()
	db := c.db
	c.mu.Unlock()
	if db == nil {
		return nil, nil // nobody has spoken yet
	}
	return db.Lines(ctx, c.plug)
}

func (c *webchat) close() {
	c.mu.Lock()
	page, db := c.page, c.db
	c.mu.Unlock()
	if page != nil {
		c.drop(page)
	}
	c.watch.Wait()
	if db != nil {
		_ = db.Close() // it was only read
	}
}

// Files fetches each file that a webchat's messages have and gives the hash of what
// came, by the hash that it should have.
func (w *World) Files(ctx context.Context) (map[string]map[string]string, error) {
	got := map[string]map[string]string{}
	for plug, s := range w.speakers {
		c, ok := s.(*webchat)
		if !ok {
			continue
		}
		got[plug] = map[string]string{}
		lines, err := c.lines(ctx)
		if err != nil {
			return nil, err
		}
		page, _, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		for _, m := range ledger.Standing(lines) {
			for _, f := range m.Files {
				if m.Deleted {
					continue
				}
				content, err := page.Download(ctx, f)
				if err != nil {
					got[plug][f] = err.Error()
					continue
				}
				got[plug][f] = hash(content)
			}
		}
	}
	return got, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), errors.Join(l.Close())
}
