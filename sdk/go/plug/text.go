package plug

import (
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// NewText makes a text of one plain segment. What is not valid UTF-8 becomes
// U+FFFD, because one wrong byte would end the stream to the host.
func NewText(s string) *plugv1.Text {
	if s == "" {
		return &plugv1.Text{}
	}
	return &plugv1.Text{Segments: []*plugv1.Segment{{Text: strings.ToValidUTF8(s, "\uFFFD")}}}
}

// PlainText is a text without its formatting. A nil text is empty.
func PlainText(t *plugv1.Text) string {
	segments := t.GetSegments()
	if len(segments) == 1 {
		return segments[0].GetText()
	}
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.GetText())
	}
	return b.String()
}

// NewMessage makes the event of a plain message, with the three facts that every
// message needs: the source of its channel, its id there, and whether it is the
// plug's own. The caller adds the author and what else the network tells.
func NewMessage(channel, id, text string, own plugv1.Own) *plugv1.Event {
	return &plugv1.Event{
		MessageId: id,
		Channel:   channel,
		Own:       own,
		Kind:      &plugv1.Event_Message{Message: &plugv1.Message{Text: NewText(text)}},
	}
}
