package plug

import (
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
)

// NewText makes a text of one plain segment. What is not valid UTF-8 becomes
// U+FFFD, because one wrong byte would end the stream to the host. Formatted text is
// made by package sdk/go/text.
func NewText(s string) *plugv1.Text { return text.New(s) }

// PlainText is a text without its formatting. A nil text is empty.
func PlainText(t *plugv1.Text) string { return text.Plain(t) }

// split makes the contents of the physical parts of a text.
func split(t *plugv1.Text, prefix string, limits *plugv1.Limits) []*plugv1.Text {
	return text.Split(t, prefix, limits)
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
