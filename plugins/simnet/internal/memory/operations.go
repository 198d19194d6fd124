package memory

import (
	"strconv"
	"time"
)

// Operation is an operation id in a channel.
type Operation struct{ Channel, ID string }

// Operations remembers what was sent under which operation id, for a time. The
// zero value is empty.
type Operations[T any] struct {
	known map[Operation]T
	// order is the same, oldest first.
	order []expiry
}

type expiry struct {
	operation Operation
	at        time.Time
}

// Remember keeps what until a time, which must not be before that of an earlier
// call.
func (o *Operations[T]) Remember(op Operation, what T, until time.Time) {
	if o.known == nil {
		o.known = map[Operation]T{}
	}
	o.known[op] = what
	o.order = append(o.order, expiry{op, until})
}

// Find returns what was sent under the operation id, if that is still known.
func (o *Operations[T]) Find(op Operation, now time.Time) (what T, ok bool) {
	for len(o.order) > 0 && !now.Before(o.order[0].at) {
		delete(o.known, o.order[0].operation)
		o.order = o.order[1:]
	}
	what, ok = o.known[op]
	return what, ok
}

const maxUploads = 1024

// Uploads keeps what was uploaded and not posted yet. The zero value is empty.
type Uploads struct {
	last  uint64
	texts map[string]string
}

// Add keeps a text and returns the handle to it. The oldest goes if there are too
// many.
func (u *Uploads) Add(text string) (handle string) {
	if u.texts == nil {
		u.texts = map[string]string{}
	}
	u.last++
	if u.last > maxUploads {
		delete(u.texts, uploadHandle(u.last-maxUploads))
	}
	handle = uploadHandle(u.last)
	u.texts[handle] = text
	return handle
}

// Take returns a text and forgets it.
func (u *Uploads) Take(handle string) (text string, ok bool) {
	text, ok = u.texts[handle]
	delete(u.texts, handle)
	return text, ok
}

func uploadHandle(n uint64) string { return "upload-" + strconv.FormatUint(n, 10) }
