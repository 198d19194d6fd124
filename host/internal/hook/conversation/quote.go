package conversation

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// recentMessages is how many messages are remembered to be quoted. After a restart
	// of the host, or for older ones, a quote has only what the network tells.
	recentMessages = 2000
	// quoteRunes is how much of a message is quoted.
	quoteRunes = 80
)

// recent remembers how the newest messages begin.
type recent struct {
	mu    sync.Mutex
	said  map[id.Message]beginning
	ring  []id.Message // grows up to limit, then wraps
	next  int
	limit int
}

type beginning struct{ name, line string }

func newRecent(limit int) *recent { return &recent{said: map[id.Message]beginning{}, limit: limit} }

func (r *recent) add(d *hook.Delivery, m *plugv1.Message) {
	key := id.Message{Channel: d.In(), ID: id.MessageID(d.Event.MessageId)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.said[key]; !known {
		if len(r.ring) < r.limit {
			r.ring = append(r.ring, key)
		} else {
			delete(r.said, r.ring[r.next])
			r.ring[r.next] = key
			r.next = (r.next + 1) % r.limit
		}
	}
	r.said[key] = beginning{displayName(d.Event.Author), firstLine(m.GetText())}
}

func (r *recent) find(t *hook.Target) beginning {
	if t == nil {
		return beginning{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said[t.Message]
}

// quoted is a reply as a message that quotes what it answers, for networks without
// replies and for what is not there; nil if nothing is known of it.
func (h *Hook) quoted(d *hook.Delivery, m *plugv1.Message) *plugv1.Message {
	was := h.recent.find(d.About)
	r := d.Event.GetMessage().GetReplyTo()
	if was.line == "" {
		was.line = firstLine(r.GetText())
	}
	if was.name == "" && r.GetAuthor() != nil {
		was.name = displayName(r.Author)
	}
	var quote string
	switch {
	case was.name != "" && was.line != "":
		quote = "> " + was.name + ": " + was.line + "\n"
	case was.line != "":
		quote = "> " + was.line + "\n"
	case was.name != "":
		quote = "> " + was.name + "\n"
	default:
		return nil
	}
	made := proto.CloneOf(m)
	made.ReplyTo = nil
	made.Text = before(made.Text, &plugv1.Segment{Text: quote})
	return made
}

// firstLine is the first line of a text that shows something, cut to quoteRunes.
func firstLine(t *plugv1.Text) string {
	var whole strings.Builder
	for _, s := range t.GetSegments() {
		whole.WriteString(s.Text)
	}
	for line := range strings.Lines(whole.String()) {
		line = clean(line)
		if line == "" || strings.HasPrefix(line, ">") {
			continue // a quote of a quote says little
		}
		return shorten(line)
	}
	return ""
}

// shorten cuts a line that is too long for a quote.
func shorten(line string) string {
	end, runes := 0, 0
	for i := range line {
		if runes++; runes == quoteRunes {
			end = i
		}
	}
	if runes <= quoteRunes {
		return line
	}
	return line[:end] + "…"
}
