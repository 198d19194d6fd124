package presence

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/plughost/plughost/plugins/webchat/internal/room"
)

const (
	// Writing is how long somebody writes who was said to write.
	Writing = 10 * time.Second
	// maxWriters is the most who write at once, in all rooms.
	maxWriters = 200
)

// Typing knows who is writing. Safe for concurrent use.
type Typing struct {
	mu      sync.Mutex
	writers map[key]*writer
	changed chan struct{}
}

type writer struct {
	Writer
	timer *time.Timer
}

// Writer is somebody who is writing.
type Writer struct {
	room.Person
	// Said is how often it was said since they began: whoever passes it on as
	// something that ends by itself says it again.
	Said int
}

// NewTyping makes one in which nobody writes.
func NewTyping() *Typing {
	return &Typing{writers: map[key]*writer{}, changed: make(chan struct{})}
}

// Set says that somebody writes, for the next 10 s, or no longer.
func (t *Typing) Set(name string, who room.Person, writes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{name, who.ID}
	w := t.writers[k]
	switch {
	case w == nil && (!writes || len(t.writers) >= maxWriters):
	case w == nil:
		w = &writer{Writer: Writer{who, 1}}
		w.timer = time.AfterFunc(Writing, func() { t.stopped(k, w) })
		t.writers[k] = w
		t.tell()
	case writes:
		w.timer.Reset(Writing)
		w.Said++
		t.tell()
	default:
		w.timer.Stop()
		delete(t.writers, k)
		t.tell()
	}
}

func (t *Typing) stopped(k key, w *writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.writers[k] == w {
		delete(t.writers, k)
		t.tell()
	}
}

// Now gives who writes in a room, by name.
func (t *Typing) Now(name string) (writers []Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, w := range t.writers {
		if k.room == name {
			writers = append(writers, w.Writer)
		}
	}
	slices.SortFunc(writers, func(a, b Writer) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return writers
}

// Changed returns a channel that is closed when it is otherwise. Take it before Now.
func (t *Typing) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

func (t *Typing) tell() {
	close(t.changed)
	t.changed = make(chan struct{})
}
