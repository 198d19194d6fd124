package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	"github.com/plughost/plughost/sdk/go/text/markdown"
)

// render is how many messages a second a plug splits under its network's limit and
// renders as Markdown: 300 bytes of plain text, as most messages are, and every tenth of
// 3,000 bytes with formatting. The yardstick is walking the graphemes of the same texts,
// which nobody gets by who breaks none.
func render(ctx context.Context, s *suite) ([]figure, error) {
	limits := &plugv1.Limits{TextLength: 2000, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_UTF16}
	var texts []*plugv1.Text
	for i := range 10 {
		if i < 9 {
			texts = append(texts, text.New(strings.Repeat("hello there, ", 23)))
			continue
		}
		long := &plugv1.Text{}
		for n := range 60 {
			long.Segments = append(long.Segments, &plugv1.Segment{Text: "fifty characters of a long and somewhat tiring text ", Bold: n%3 == 1, Italic: n%3 == 2})
		}
		texts = append(texts, long)
	}
	var format markdown.Format
	work := func() (out int) {
		for _, t := range texts {
			for _, part := range text.Split(t, "Ann [IRC]: ", limits) {
				out += len(format.Render(part))
			}
		}
		return out
	}
	walk := func() (out int) {
		for _, t := range texts {
			for _, segment := range t.Segments {
				out += uniseg.GraphemeClusterCount(segment.Text)
			}
		}
		return out
	}
	var rates, bare []float64
	for range pick(s, 5, 2) {
		limit := perSecond(ctx, walk, len(texts), pick(s, 2*time.Second, 200*time.Millisecond))
		rate := perSecond(ctx, work, len(texts), pick(s, 2*time.Second, 200*time.Millisecond))
		fmt.Fprintf(s.say, "  graphemes %.0f/s, rendered %.0f/s\n", limit, rate)
		rates, bare = append(rates, rate), append(bare, limit)
	}
	return []figure{{
		Name: "render", Value: median(rates), Unit: "messages/s", Limit: median(bare), expected: "—",
		note: "split under 2,000 UTF-16 units and rendered as Markdown, one core, nine of 300 bytes and one formatted of 3,000; limit: walking their graphemes",
	}}, ctx.Err()
}

// perSecond runs work, which is of so many messages, again and again.
func perSecond(ctx context.Context, work func() int, messages int, during time.Duration) float64 {
	begun, done := time.Now(), 0
	for time.Since(begun) < during && ctx.Err() == nil {
		if work() == 0 {
			return 0
		}
		done += messages
	}
	return float64(done) / time.Since(begun).Seconds()
}
