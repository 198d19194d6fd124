package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// MaxFrame is the longest body of a frame, in bytes: twice the largest event that
// the contract with plugs allows.
const MaxFrame = 512 << 10

const bufferBytes = 64 << 10

// Append appends a frame to b as it stands on the wire.
func Append(b []byte, f Frame) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(f.kind()))
	b = f.append(b)
	body := len(b) - start - 4
	if body > MaxFrame {
		return b[:start], fmt.Errorf("frame of %d bytes: the limit is %d", body, MaxFrame)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(body))
	return b, nil
}

// Reader reads frames. Not safe for concurrent use.
type Reader struct {
	r    *bufio.Reader
	body []byte
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, bufferBytes)}
}

// Read returns the next frame. The error is io.EOF where the connection ended
// between two frames.
func (r *Reader) Read() (Frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > MaxFrame {
		return nil, fmt.Errorf("frame of %d bytes: the limit is %d", length, MaxFrame)
	}
	if uint32(cap(r.body)) < length {
		r.body = make([]byte, length)
	}
	body := r.body[:length]
	if _, err := io.ReadFull(r.r, body); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	frame := newFrame(Kind(body[0]))
	if frame == nil {
		return nil, fmt.Errorf("frame of unknown kind %d", body[0])
	}
	f := fields{rest: string(body[1:])}
	frame.parse(&f)
	if err := f.end(); err != nil {
		return nil, fmt.Errorf("read frame of kind %d: %w", body[0], err)
	}
	return frame, nil
}

// fields takes a body apart. All its strings share the body's one allocation. The
// first error stays, and everything after it is zero.
type fields struct {
	rest string
	err  error
}

var errShort = errors.New("frame is too short")

func (f *fields) number() uint64 {
	var n uint64
	for i := 0; i < len(f.rest) && i < binary.MaxVarintLen64; i++ {
		b := f.rest[i]
		// The tenth byte has room for one bit.
		if i == binary.MaxVarintLen64-1 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			f.rest = f.rest[i+1:]
			return n
		}
	}
	f.fail(errShort)
	return 0
}

func (f *fields) string() string {
	n := f.number()
	if n > uint64(len(f.rest)) {
		f.fail(errShort)
		return ""
	}
	s := f.rest[:n]
	f.rest = f.rest[n:]
	return s
}

func (f *fields) bool() bool { return f.number() != 0 }

func (f *fields) time() time.Time {
	if n := f.number(); n != 0 {
		return time.Unix(0, int64(n))
	}
	return time.Time{}
}

func (f *fields) what() *What {
	s := f.string()
	if s == "" || f.err != nil {
		return nil
	}
	w := &What{}
	if err := json.Unmarshal([]byte(s), w); err != nil {
		f.fail(fmt.Errorf("read what happened: %w", err))
		return nil
	}
	return w
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
	f.rest = ""
}

func (f *fields) end() error {
	if f.err == nil && f.rest != "" {
		return fmt.Errorf("%d bytes too many", len(f.rest))
	}
	return f.err
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(t.UnixNano()))
}

// appendWhat writes nothing of a What that cannot be written: its JSON is not valid.
func appendWhat(b []byte, w *What) []byte {
	if w == nil {
		return append(b, 0)
	}
	data, err := json.Marshal(w)
	if err != nil {
		return append(b, 0)
	}
	return appendString(b, string(data))
}

func (c *Call) append(b []byte) []byte {
	return appendString(binary.AppendUvarint(b, c.ID), c.Body)
}

func (c *Call) parse(f *fields) { c.ID, c.Body = f.number(), f.string() }

func (r *Reply) append(b []byte) []byte {
	b = binary.AppendUvarint(b, r.ID)
	return appendString(appendString(b, r.Error), r.Body)
}

func (r *Reply) parse(f *fields) { r.ID, r.Error, r.Body = f.number(), f.string(), f.string() }

func (s *Send) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.ID)
	b = appendString(b, s.Channel)
	b = appendString(b, s.OperationID)
	b = appendString(b, s.Author)
	b = appendString(b, s.Text)
	return appendWhat(appendString(b, s.Upload), s.What)
}

func (s *Send) parse(f *fields) {
	s.ID, s.Channel, s.OperationID = f.number(), f.string(), f.string()
	s.Author, s.Text, s.Upload, s.What = f.string(), f.string(), f.string(), f.what()
}

func (u *Upload) append(b []byte) []byte {
	b = binary.AppendUvarint(b, u.ID)
	return appendString(appendString(b, u.Channel), u.Text)
}

func (u *Upload) parse(f *fields) { u.ID, u.Channel, u.Text = f.number(), f.string(), f.string() }

func (x *Fetch) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, x.ID), x.Position)
}

func (x *Fetch) parse(f *fields) { x.ID, x.Position = f.number(), f.number() }

func (a *Answer) append(b []byte) []byte {
	b = binary.AppendUvarint(b, a.ID)
	b = appendString(b, a.Verdict)
	b = appendBool(b, a.WholePlug)
	b = binary.AppendUvarint(b, uint64(a.RetryAfter))
	b = appendString(b, a.Reason)
	b = appendString(b, a.MessageID)
	b = appendTime(b, a.Time)
	return appendWhat(appendString(b, a.Content), a.What)
}

func (a *Answer) parse(f *fields) {
	a.ID, a.Verdict, a.WholePlug = f.number(), f.string(), f.bool()
	a.RetryAfter, a.Reason = time.Duration(f.number()), f.string()
	a.MessageID, a.Time, a.Content, a.What = f.string(), f.time(), f.string(), f.what()
}

func (e *Event) append(b []byte) []byte {
	b = binary.AppendUvarint(b, e.Position)
	b = appendString(b, e.Channel)
	b = appendString(b, e.EventID)
	b = appendString(b, e.MessageID)
	b = appendTime(b, e.Time)
	b = appendString(b, e.AuthorID)
	b = appendString(b, e.Author)
	b = appendString(b, e.Own)
	b = appendString(b, e.OperationID)
	b = appendString(b, e.Text)
	return appendWhat(appendBool(b, e.Fetch), e.What)
}

func (e *Event) parse(f *fields) {
	e.Position, e.Channel = f.number(), f.string()
	e.EventID, e.MessageID, e.Time = f.string(), f.string(), f.time()
	e.AuthorID, e.Author, e.Own = f.string(), f.string(), f.string()
	e.OperationID, e.Text, e.Fetch, e.What = f.string(), f.string(), f.bool(), f.what()
}

func (m *Mark) append(b []byte) []byte {
	b = binary.AppendUvarint(b, m.Position)
	return appendBool(appendString(b, m.Channel), m.CaughtUp)
}

func (m *Mark) parse(f *fields) {
	m.Position, m.Channel, m.CaughtUp = f.number(), f.string(), f.bool()
}

func (c *Credit) append(b []byte) []byte { return binary.AppendUvarint(b, c.Count) }
func (c *Credit) parse(f *fields)        { c.Count = f.number() }

func (*Ping) append(b []byte) []byte { return b }
func (*Ping) parse(*fields)          {}

func (o *Order) append(b []byte) []byte {
	return appendString(binary.AppendUvarint(b, o.ID), o.Body)
}

func (o *Order) parse(f *fields) { o.ID, o.Body = f.number(), f.string() }
