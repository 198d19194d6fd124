package contract

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// A longer name keeps its first nameHead and its last nameTail graphemes with
	// an ellipsis between, 64 in all. It is cut in the middle because a formatted
	// name ends with what separates it from the text ("> ", ": ").
	nameGraphemes = 64
	nameTail      = 16
	nameHead      = nameGraphemes - nameTail - 1
	// graphemeBytes bounds a single grapheme of a name: marks can be piled up on
	// one letter without end. The longest emoji in use have 35 bytes.
	graphemeBytes = 64
	// lineBytes bounds a message for a person.
	lineBytes = 1 << 10
)

// CleanAction makes an action safe for any network, in place: one control
// character costs an XMPP session, one line break in a name is a second IRC
// command.
func CleanAction(a *plugv1.Action) {
	switch k := a.GetKind().(type) {
	case *plugv1.Action_Message:
		cleanMessage(k.Message)
	case *plugv1.Action_Edit:
		cleanMessage(k.Edit.GetContent())
	case *plugv1.Action_Delete:
		k.Delete.Reason = CleanLine(k.Delete.GetReason())
	case *plugv1.Action_ReactionAdded:
		cleanReactions(k.ReactionAdded.GetCurrent(), k.ReactionAdded.GetReaction())
	case *plugv1.Action_ReactionRemoved:
		cleanReactions(k.ReactionRemoved.GetCurrent(), k.ReactionRemoved.GetReaction())
	case *plugv1.Action_ChannelChanged:
		if c := k.ChannelChanged; c.Title != nil {
			*c.Title = cleanName(*c.Title)
		}
		if c := k.ChannelChanged; c.Topic != nil {
			*c.Topic = CleanLine(*c.Topic)
		}
	}
	if author := a.GetAuthor(); author != nil {
		author.FormattedName = cleanName(author.FormattedName)
		cleanUser(author.User)
	}
}

func cleanMessage(m *plugv1.Message) {
	if m == nil {
		return
	}
	cleanSegments(m.Text)
	if r := m.ReplyTo; r != nil {
		cleanUser(r.Author)
		cleanSegments(r.Text)
	}
	for _, a := range m.Attachments {
		switch k := a.GetKind().(type) {
		case *plugv1.Attachment_File:
			f := k.File
			f.Name = cleanName(strings.ReplaceAll(f.Name, "/", "_"))
			f.MediaType, f.AltText, f.Unavailable = CleanLine(f.MediaType), CleanLine(f.AltText), CleanLine(f.Unavailable)
		case *plugv1.Attachment_Location:
			k.Location.Name = cleanName(k.Location.Name)
		}
	}
}

func cleanSegments(text *plugv1.Text) {
	var t textCleaner
	for _, s := range text.GetSegments() {
		s.Text = t.clean(s.Text)
		if s.Link != "" && !safeLink(s.Link) {
			s.Link = ""
		}
		if s.Preformatted != nil {
			s.Preformatted.Language = CleanLine(s.Preformatted.Language)
		}
		cleanUser(s.Mention.GetUser())
	}
}

// safeLink accepts an absolute address that no reader executes.
func safeLink(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxLinkBytes || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == ' ' }) {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "", "javascript", "data", "vbscript", "file", "blob", "about":
		return false
	}
	return true
}

func cleanUser(u *plugv1.User) {
	if u != nil {
		u.Username = cleanName(u.Username)
		u.DisplayName = cleanName(u.DisplayName)
	}
}

func cleanReactions(current []*plugv1.Reaction, one *plugv1.Reaction) {
	for _, r := range append([]*plugv1.Reaction{one}, current...) {
		if r == nil {
			continue
		}
		r.Name = cleanName(r.Name)
		if e, ok := r.Key.(*plugv1.Reaction_Emoji); ok {
			e.Emoji = cleanName(e.Emoji)
		}
	}
}

// textCleaner cleans the segments of one text, in reading order.
type textCleaner struct {
	// afterCR is true behind a CR, also over the border of two segments, so that
	// CR LF makes one line break.
	afterCR bool
}

// clean gives the text as valid UTF-8 without C0 and C1 controls except tab and
// line feed, and without U+FFFE and U+FFFF. CR LF, CR and NEL become line feeds.
func (t *textCleaner) clean(s string) string {
	return strings.Map(func(r rune) rune {
		cr := t.afterCR
		t.afterCR = r == '\r'
		switch {
		case r == '\n' && cr:
			return -1
		case r == '\n', r == '\r', r == '\u0085':
			return '\n'
		case r == '\t':
			return r
		case unicode.IsControl(r), isNonCharacter(r):
			return -1
		}
		return r // an invalid byte arrives here as U+FFFD
	}, s)
}

// isNonCharacter tells the two that XML forbids (XML 1.0, section 2.2) and that
// strings.Map would let through.
func isNonCharacter(r rune) bool { return r == '\uFFFE' || r == '\uFFFF' }

// ircColour matches the two formatting codes of IRC that have arguments, with
// them (https://modern.ircdocs.horse/formatting). All others are single control
// characters.
var ircColour = regexp.MustCompile(`\x03(\d{1,2}(,\d{1,2})?)?|\x04([0-9A-Fa-f]{6}(,[0-9A-Fa-f]{6})?)?`)

// cleanName gives a name as valid UTF-8 in one line, without control characters,
// formatting codes and bidi overrides, and with at most 64 graphemes.
func cleanName(s string) string {
	if strings.ContainsAny(s, "\x03\x04") {
		s = ircColour.ReplaceAllString(s, "")
	}
	return clipName(strings.Map(lineRune, s))
}

// CleanLine gives a message for a person as one line of valid UTF-8, at most
// 1 KiB, so that it can do no harm in a log, a status or a terminal.
func CleanLine(s string) string {
	// Cut before the work: the plug chooses the length, up to 16 MiB.
	if len(s) > lineBytes {
		s = s[:lineBytes]
	}
	s = strings.Map(lineRune, s)
	for len(s) > lineBytes { // invalid bytes have become three each
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// lineRune maps a rune of a text that has to stay in one line.
func lineRune(r rune) rune {
	switch {
	case r == '\n', r == '\r', r == '\t', r == '\u0085', r == '\u2028', r == '\u2029':
		return ' '
	case unicode.IsControl(r), isNonCharacter(r):
		return -1
	// Embeddings, overrides and isolates (UAX #9, section 2): unclosed ones turn
	// the rest of the line round. The marks LRM and RLM do no harm.
	case '\u202A' <= r && r <= '\u202E', '\u2066' <= r && r <= '\u2069':
		return -1
	}
	return r
}

// clipName cuts a name to 64 graphemes.
func clipName(s string) string {
	if len(s) <= nameGraphemes { // no grapheme is shorter than a byte
		return s
	}
	var clusters []string
	for state := -1; s != ""; {
		var c string
		c, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		if len(c) > graphemeBytes {
			_, n := utf8.DecodeRuneInString(c)
			c = c[:n]
		}
		clusters = append(clusters, c)
	}
	if len(clusters) <= nameGraphemes {
		return strings.Join(clusters, "")
	}
	head, tail := clusters[:nameHead], clusters[len(clusters)-nameTail:]
	return strings.Join(head, "") + "…" + strings.Join(tail, "")
}
