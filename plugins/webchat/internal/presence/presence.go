package presence

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

const (
	// Grace is how long somebody without a page is still there.
	Grace = 30 * time.Second
	// maxStays is the most people in rooms, counted in each.
	maxStays = 2000
	// again is when a change that could not be made is tried again.
	again = 5 * time.Second
)

// Log is where coming and going is written down.
type Log interface {
	Do(ctx context.Context, c room.Change) (room.Change, error)
	Members(ctx context.Context, name string) ([]room.Person, error)
}

// Presence knows who is in which room. Safe for concurrent use.
type Presence struct {
	log    Log
	rooms  []string
	logger hclog.Logger
	wake   chan struct{} // has room for one

	mu    sync.Mutex
	stays map[key]*stay
}

type key struct{ room, id string }

// stay is somebody in a room, or on the way in or out.
type stay struct {
	person room.Person
	pages  int
	until  time.Time // when no page is left: until when they are still there
	told   string    // the name that the log has; "": not there
}

// New makes a Presence of rooms; Run makes it work.
func New(log Log, rooms []string, logger hclog.Logger) *Presence {
	return &Presence{log: log, rooms: rooms, logger: logger, wake: make(chan struct{}, 1), stays: map[key]*stay{}}
}

// Enter says that one more page of somebody shows a room. Each needs its Leave.
func (p *Presence) Enter(name string, who room.Person) { p.count(name, who, 1) }

// Rename says what somebody who has entered is called now.
func (p *Presence) Rename(name string, who room.Person) { p.count(name, who, 0) }

// Leave says that a page of somebody that had entered a room is closed.
func (p *Presence) Leave(name string, who room.Person) { p.count(name, who, -1) }

func (p *Presence) count(name string, who room.Person, pages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stays[key{name, who.ID}]
	switch {
	case s == nil && (pages <= 0 || len(p.stays) >= maxStays):
		return
	case s == nil:
		s = &stay{}
		p.stays[key{name, who.ID}] = s
	}
	if pages >= 0 {
		s.person = who
	}
	if s.pages = max(s.pages+pages, 0); s.pages == 0 {
		s.until = time.Now().Add(Grace)
	}
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run writes down who comes and goes, until ctx ends.
func (p *Presence) Run(ctx context.Context) error {
	if err := p.recall(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		timer.Reset(p.settle(ctx))
	}
}

// recall takes up who was there when the last process ended.
func (p *Presence) recall(ctx context.Context) error {
	for _, name := range p.rooms {
		members, err := p.log.Members(ctx, name)
		if err != nil {
			return err
		}
		p.mu.Lock()
		for _, who := range members {
			if s := p.stays[key{name, who.ID}]; s != nil {
				s.told = who.Name // has a page already
				continue
			}
			p.stays[key{name, who.ID}] = &stay{person: who, told: who.Name, until: time.Now().Add(Grace)}
		}
		p.mu.Unlock()
	}
	return nil
}

// settle makes the changes that are due, and says when to look again.
func (p *Presence) settle(ctx context.Context) (next time.Duration) {
	next = time.Hour
	for _, c := range p.due(&next) {
		_, err := p.log.Do(ctx, c)
		if err != nil && !errors.Is(err, room.ErrAlready) {
			p.logger.Warn("who comes and goes can't be written down", "error", err)
			return again
		}
		p.told(c)
	}
	return next
}

// due gives the changes to be made, and shortens next to when there are more.
func (p *Presence) due(next *time.Duration) (changes []room.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for k, s := range p.stays {
		c := room.Change{Kind: room.Joined, Room: k.room, By: s.person}
		gone := s.pages == 0 && !now.Before(s.until)
		switch {
		case gone && s.told == "":
			delete(p.stays, k)
		case gone:
			c.Kind = room.Left
			changes = append(changes, c)
		case s.told != s.person.Name:
			changes = append(changes, c)
		}
		if s.pages == 0 && !gone {
			*next = min(*next, s.until.Sub(now))
		}
	}
	return changes
}

// told notes that a change is in the log.
func (p *Presence) told(c room.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{c.Room, c.By.ID}
	s := p.stays[k]
	if s == nil {
		return
	}
	s.told = c.By.Name
	if c.Kind == room.Left {
		if s.told = ""; s.pages == 0 {
			delete(p.stays, k)
			return
		}
	}
	if s.pages > 0 && s.told != s.person.Name { // changed its mind meanwhile
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}
