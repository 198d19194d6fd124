package adapt

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Has tells whether a network carries a feature natively.
func Has(a *plugv1.Abilities, f plugv1.Feature) bool { return slices.Contains(a.GetFeatures(), f) }

// Action makes an action fit a network. It returns the same one if nothing is to be
// done.
func Action(a *plugv1.Action, abilities *plugv1.Abilities) *plugv1.Action {
	message := a.GetMessage()
	if message == nil {
		message = a.GetEdit().GetContent()
	}
	if message == nil {
		return a
	}
	name := prefix(a, message, abilities)
	worded := words(message, abilities)
	emote := message.Emote && !Has(abilities, plugv1.Feature_FEATURE_EMOTE)
	thread := a.Thread != nil && !Has(abilities, plugv1.Feature_FEATURE_THREAD)
	avatar := a.GetAuthor().GetUser().GetAvatar() != nil && !Has(abilities, plugv1.Feature_FEATURE_AVATAR)
	if name == a.GetAuthor().GetFormattedName() && worded == nil && !emote && !thread && !avatar {
		return a
	}
	made := proto.CloneOf(a)
	if thread {
		made.Thread = nil
	}
	if made.Author != nil {
		made.Author.FormattedName = name
	}
	if avatar {
		made.Author.User.Avatar = nil
	}
	message = made.GetMessage()
	if message == nil {
		message = made.GetEdit().GetContent()
	}
	if emote {
		message.Emote = false
		if abilities.GetAuthorMode() == plugv1.AuthorMode_AUTHOR_MODE_NATIVE {
			message.Text = sentence(a.GetAuthor(), message.Text)
		}
	}
	if worded != nil {
		message.Attachments = worded.attachments
		message.Text = withLines(message.Text, worded.lines)
	}
	return made
}

// prefix is the author's name as it shall be shown: where it stands in the text, it
// ends in a separator, or makes a sentence of what they do.
func prefix(a *plugv1.Action, m *plugv1.Message, abilities *plugv1.Abilities) string {
	name := a.GetAuthor().GetFormattedName()
	if name == "" || abilities.GetAuthorMode() == plugv1.AuthorMode_AUTHOR_MODE_NATIVE {
		return name
	}
	if m.Emote && !Has(abilities, plugv1.Feature_FEATURE_EMOTE) {
		return "* " + strings.TrimRight(name, " :") + " "
	}
	if strings.HasSuffix(name, " ") {
		return name
	}
	return name + ": "
}

// sentence makes of what somebody does a sentence with their name, where it stands only
// beside the text: without it "waves" would be what they say.
func sentence(a *plugv1.Author, t *plugv1.Text) *plugv1.Text {
	name := strings.TrimSpace(a.GetUser().GetDisplayName())
	if name == "" {
		name = strings.TrimRight(a.GetFormattedName(), " :")
	}
	begin := &plugv1.Segment{Text: strings.TrimRight("* "+name, " ") + " "}
	return &plugv1.Text{Segments: append([]*plugv1.Segment{begin}, t.GetSegments()...)}
}

// wording is what is left of attachments, and the words for the others.
type wording struct {
	attachments []*plugv1.Attachment
	lines       []string
}

// words replaces what the network doesn't take; nil if it takes all.
func words(m *plugv1.Message, abilities *plugv1.Abilities) *wording {
	var w wording
	for _, a := range m.Attachments {
		switch k := a.Kind.(type) {
		case *plugv1.Attachment_File:
			if takes(k.File, abilities) {
				w.attachments = append(w.attachments, a)
			} else {
				w.lines = append(w.lines, fileWords(k.File))
			}
		case *plugv1.Attachment_Location:
			if Has(abilities, plugv1.Feature_FEATURE_LOCATION) {
				w.attachments = append(w.attachments, a)
			} else {
				w.lines = append(w.lines, locationWords(k.Location))
			}
		default:
			w.lines = append(w.lines, "[attachment]")
		}
	}
	if len(w.lines) == 0 {
		return nil
	}
	return &w
}

// takes tells whether a network takes a file.
func takes(f *plugv1.File, abilities *plugv1.Abilities) bool {
	l := abilities.GetLimits()
	switch {
	case !Has(abilities, plugv1.Feature_FEATURE_FILE), len(f.Spool.GetSha256()) == 0:
		return false
	case l.GetFileBytes() > 0 && f.Size > l.FileBytes:
		return false
	case len(l.GetFileTypes()) == 0:
		return true
	}
	return slices.ContainsFunc(l.FileTypes, func(pattern string) bool {
		match, err := path.Match(pattern, f.MediaType)
		return err == nil && match
	})
}

var kinds = map[plugv1.FileKind]string{
	plugv1.FileKind_FILE_KIND_IMAGE: "image", plugv1.FileKind_FILE_KIND_VIDEO: "video", plugv1.FileKind_FILE_KIND_AUDIO: "audio",
	plugv1.FileKind_FILE_KIND_VOICE: "voice message", plugv1.FileKind_FILE_KIND_STICKER: "sticker",
}

// fileWords describes a file: "[image cat.png, 210 kB]", with its address if it has a
// public one.
func fileWords(f *plugv1.File) string {
	kind := kinds[f.Kind]
	if kind == "" {
		kind = "file"
	}
	parts := []string{strings.TrimSpace(kind + " " + f.Name)}
	if f.Size > 0 {
		parts = append(parts, size(f.Size))
	}
	if f.Unavailable != "" {
		parts = append(parts, f.Unavailable)
	}
	words := "[" + strings.Join(parts, ", ") + "]"
	if f.AltText != "" {
		words += " " + f.AltText
	}
	if f.Url != "" {
		words += " " + f.Url
	}
	return words
}

// size says how large something is, in units of 1,000 (ISO 80000-13).
func size(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
}

func locationWords(l *plugv1.Location) string {
	name := l.Name
	if name == "" {
		name = "location"
	}
	return fmt.Sprintf("[%s, geo:%.6f,%.6f]", name, l.Latitude, l.Longitude) // RFC 5870
}

// withLines puts lines behind a text.
func withLines(t *plugv1.Text, lines []string) *plugv1.Text {
	made := proto.CloneOf(t)
	if made == nil {
		made = &plugv1.Text{}
	}
	joined := strings.Join(lines, "\n")
	if len(made.Segments) > 0 {
		joined = "\n" + joined
	}
	made.Segments = append(made.Segments, &plugv1.Segment{Text: joined})
	return made
}
