package adapt

import (
	"testing"

	"google.golang.org/protobuf/proto"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func message(text string, change func(*plugv1.Message)) *plugv1.Action {
	m := &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}
	if text == "" {
		m.Text = nil
	}
	if change != nil {
		change(m)
	}
	return &plugv1.Action{Author: &plugv1.Author{FormattedName: "Ann [IRC]"}, Kind: &plugv1.Action_Message{Message: m}}
}

func file(f *plugv1.File) *plugv1.Attachment {
	return &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: f}}
}

func shown(m *plugv1.Message) (s string) {
	for _, segment := range m.GetText().GetSegments() {
		s += segment.Text
	}
	return s
}

// Where the name stands in the text it ends in a separator, or makes a sentence.
func TestNames(t *testing.T) {
	t.Parallel()
	emote := func(m *plugv1.Message) { m.Emote = true }
	native := &plugv1.Abilities{AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE}
	carries := &plugv1.Abilities{Features: []plugv1.Feature{plugv1.Feature_FEATURE_EMOTE}}
	for name, c := range map[string]struct {
		format    string
		change    func(*plugv1.Message)
		abilities *plugv1.Abilities
		want      string
		text      string
		emote     bool
	}{
		"text":          {"Ann", nil, nil, "Ann: ", "waves", false},
		"separated":     {"<Ann> ", nil, nil, "<Ann> ", "waves", false},
		"native":        {"Ann", nil, native, "Ann", "waves", false},
		"none":          {"", nil, nil, "", "waves", false},
		"emote":         {"Ann: ", emote, nil, "* Ann ", "waves", false},
		"native emote":  {"Ann", emote, carries, "Ann: ", "waves", true},
		"emote, native": {"Ann [IRC]", emote, native, "Ann [IRC]", "* Ann [IRC] waves", false},
		"nobody does":   {"", emote, native, "", "* waves", false},
	} {
		a := message("waves", c.change)
		a.Author.FormattedName = c.format
		before := proto.CloneOf(a)
		got := Action(a, c.abilities)
		if got.Author.FormattedName != c.want || got.GetMessage().Emote != c.emote || shown(got.GetMessage()) != c.text {
			t.Errorf("%s: %q says %q, emote %v", name, got.Author.FormattedName, shown(got.GetMessage()), got.GetMessage().Emote)
		}
		if !proto.Equal(a, before) {
			t.Errorf("%s: the action was changed", name)
		}
	}
	called := message("waves", emote)
	called.Author.User = &plugv1.User{DisplayName: "Ann"}
	if got := Action(called, native); shown(got.GetMessage()) != "* Ann waves" {
		t.Errorf("by the display name: %q", shown(got.GetMessage()))
	}
	edit := &plugv1.Action{Author: &plugv1.Author{FormattedName: "Ann"}, Kind: &plugv1.Action_Edit{Edit: &plugv1.Edit{Content: message("x", emote).GetMessage()}}}
	if got := Action(edit, nil); got.Author.FormattedName != "* Ann " || got.GetEdit().Content.Emote {
		t.Errorf("an edit: %v", got)
	}
	if other := (&plugv1.Action{Author: &plugv1.Author{FormattedName: "Ann"}, Kind: &plugv1.Action_Delete{Delete: &plugv1.Delete{}}}); Action(other, nil) != other {
		t.Error("an action without text was changed")
	}
}

// What a network doesn't take is told in words, and only that.
func TestAttachments(t *testing.T) {
	t.Parallel()
	stored := &plugv1.SpoolFile{Name: "x", Sha256: []byte("h")}
	all := func(m *plugv1.Message) {
		m.Attachments = []*plugv1.Attachment{
			file(&plugv1.File{Kind: plugv1.FileKind_FILE_KIND_IMAGE, Name: "cat.png", MediaType: "image/png", Size: 210_400, Spool: stored}),
			file(&plugv1.File{Name: "big.iso", MediaType: "application/x-iso", Size: 4_700_000_000, Spool: stored, Url: "https://x.example/big"}),
			file(&plugv1.File{Kind: plugv1.FileKind_FILE_KIND_VOICE, Size: 5, Unavailable: "it was too large", AltText: "a song"}),
			{Kind: &plugv1.Attachment_Location{Location: &plugv1.Location{Latitude: 52.5, Longitude: 13.25}}},
			{},
		}
	}
	const (
		cat, big, voice = "[image cat.png, 210 kB]", "[file big.iso, 4.7 GB] https://x.example/big", "[voice message, 5 B, it was too large] a song"
		place, unknown  = "[location, geo:52.500000,13.250000]", "[attachment]"
	)
	files := []plugv1.Feature{plugv1.Feature_FEATURE_FILE}
	for name, c := range map[string]struct {
		abilities *plugv1.Abilities
		text      string
		left      int
		want      string
	}{
		"nothing":         {nil, "see", 0, "see\n" + cat + "\n" + big + "\n" + voice + "\n" + place + "\n" + unknown},
		"no text":         {nil, "", 0, cat + "\n" + big + "\n" + voice + "\n" + place + "\n" + unknown},
		"files":           {&plugv1.Abilities{Features: files}, "see", 2, "see\n" + voice + "\n" + place + "\n" + unknown},
		"files to a size": {&plugv1.Abilities{Features: files, Limits: &plugv1.Limits{FileBytes: 1_000_000}}, "see", 1, "see\n" + big + "\n" + voice + "\n" + place + "\n" + unknown},
		"files of a type": {&plugv1.Abilities{Features: files, Limits: &plugv1.Limits{FileTypes: []string{"image/*"}}}, "see", 1, "see\n" + big + "\n" + voice + "\n" + place + "\n" + unknown},
		"places":          {&plugv1.Abilities{Features: []plugv1.Feature{plugv1.Feature_FEATURE_LOCATION}}, "see", 1, "see\n" + cat + "\n" + big + "\n" + voice + "\n" + unknown},
	} {
		got := Action(message(c.text, all), c.abilities).GetMessage()
		if shown(got) != c.want || len(got.Attachments) != c.left {
			t.Errorf("%s: %d attachments and %q, want %q", name, len(got.Attachments), shown(got), c.want)
		}
	}
}

// A thread that the network doesn't have is the channel itself.
func TestThread(t *testing.T) {
	t.Parallel()
	a := message("x", nil)
	a.Thread = &plugv1.Target{Receipts: []*plugv1.Receipt{{Id: "root"}}}
	if Action(a, nil).Thread != nil {
		t.Error("the thread was left")
	}
	if got := Action(a, &plugv1.Abilities{Features: []plugv1.Feature{plugv1.Feature_FEATURE_THREAD}}); got.Thread == nil {
		t.Error("the thread was taken out")
	}
}
