package text_test

import (
	"strings"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	"github.com/plughost/plughost/sdk/go/text/html"
	"github.com/plughost/plughost/sdk/go/text/markdown"
)

func BenchmarkSplitAndRender(b *testing.B) {
	short := text.New("hello, this is what most of the messages in a channel look like, more or less")
	rich := &plugv1.Text{Segments: []*plugv1.Segment{
		{Text: "hello, this is "}, {Text: "what", Bold: true}, {Text: " some of the messages "},
		{Text: "look like", Italic: true, Link: "https://example.org"}, {Text: ", more or less"},
	}}
	long := &plugv1.Text{}
	for range 40 {
		long.Segments = append(long.Segments, rich.GetSegments()...)
	}
	for _, c := range []struct {
		name string
		text *plugv1.Text
	}{{"short", short}, {"rich", rich}, {"long", long}, {"3000lines", text.New(strings.Repeat("line\n", 3000))}} {
		limits := &plugv1.Limits{TextLength: 2000, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_UTF16}
		for _, render := range []struct {
			name string
			do   func(*plugv1.Text) string
		}{{"plain", text.Plain}, {"html", html.Format{}.Render}, {"markdown", markdown.Format{}.Render}} {
			b.Run(c.name+"/split/"+render.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for _, part := range text.Split(c.text, "ann: ", limits) {
						render.do(part)
					}
				}
			})
			b.Run(c.name+"/rendered/"+render.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					text.SplitRendered(c.text, "ann: ", limits, render.do)
				}
			})
		}
	}
}
