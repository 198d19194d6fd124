package html

import (
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Format is the HTML of one network. The zero Format is right for Matrix and XMPP,
// without mentions. Its functions are called in the caller's goroutine.
type Format struct {
	// LineFeeds is true where a line feed in HTML is one in the text, as on Telegram.
	// Otherwise it is a space, and <br> breaks a line.
	LineFeeds bool
	// Inert are the patterns of text.Inert that must not notify anyone on this network;
	// Render makes them inert, except in a mention that Mention renders.
	Inert []string
	// Mention gives, in Render, the network's mark-up for a mention or mass mention, as
	// it is put into the HTML: well-formed and escaped. False, or no function: what people
	// see of the mention is sent as text.
	Mention func(*plugv1.Segment) (markup string, ok bool)
	// User gives, in Parse, the user whom a link mentions, nil if it mentions nobody:
	// "https://matrix.to/#/@ann:example.org", "tg://user?id=7". It gets the href as it is,
	// unchecked.
	User func(href string) *plugv1.Mention
}
