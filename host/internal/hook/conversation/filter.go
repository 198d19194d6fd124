package conversation

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// filter changes what a placeholder gives.
type filter func(string) string

// filters are what may stand behind a placeholder, without an argument.
var filters = map[string]filter{
	"noping":      noping,
	"short":       short,
	"strip_emoji": stripEmoji,
}

// parseFilter reads what stands between two bars: "noping", "max:20".
func parseFilter(s string) (filter, error) {
	name, argument, has := strings.Cut(s, ":")
	if name == "max" {
		n, err := strconv.Atoi(argument)
		if err != nil || n < 1 || n > 64 {
			return nil, fmt.Errorf("filter max needs a number from 1 to 64, such as max:20, and has %q", argument)
		}
		return func(s string) string { return most(s, n) }, nil
	}
	f := filters[name]
	switch {
	case f == nil:
		return nil, fmt.Errorf("there is no filter %q; there are noping, max:N, color, short and strip_emoji", name)
	case has:
		return nil, fmt.Errorf("filter %s takes no %q", name, argument)
	}
	return f, nil
}

// color is the colour of a user: one of 24 that can be read on light and on dark, by a
// hash of who they are.
func color(n id.NetworkID, u *plugv1.User) uint32 {
	h := fnv.New32a()
	for _, part := range []string{string(n), cmp.Or(u.GetId(), u.GetUsername(), u.GetDisplayName())} {
		_, _ = h.Write([]byte(part + "\x00"))
	}
	step := h.Sum32() % 24 // of 15 degrees of hue, saturation and lightness one half
	channel := func(shift uint32) uint32 {
		// Distance of the hue from the channel's own, in steps, up to half the circle.
		d := (step + shift) % 24
		d = min(d, 24-d)
		switch {
		case d <= 4:
			return 0xBF
		case d >= 8:
			return 0x40
		}
		return 0xBF - (d-4)*(0xBF-0x40)/4
	}
	return channel(0)<<16 | channel(16)<<8 | channel(8)
}

// zeroWidth is a character that nobody sees: U+200B, ZERO WIDTH SPACE.
const zeroWidth = "\u200b"

// noping keeps a name from notifying whoever is called like that: networks that look
// for nicks in a text don't find one that is broken after its first grapheme.
func noping(s string) string {
	first, rest, _, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	if rest == "" {
		return s
	}
	return first + zeroWidth + rest
}

// short is the first word.
func short(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// most is at most n graphemes, with an ellipsis if there are more.
func most(s string, n int) string {
	if uniseg.GraphemeClusterCount(s) <= n {
		return s
	}
	var b strings.Builder
	for rest, state := s, -1; n > 1; n-- {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		b.WriteString(cluster)
	}
	return strings.TrimRight(b.String(), " ") + "…"
}

// stripEmoji leaves out pictures; a name of nothing else stays as it is.
func stripEmoji(s string) string {
	var b strings.Builder
	for rest, state := s, -1; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if !strings.ContainsFunc(cluster, pictograph) {
			b.WriteString(cluster)
		}
	}
	if made := clean(strings.Join(strings.Fields(b.String()), " ")); made != "" {
		return made
	}
	return s
}

// pictograph tells the blocks in which Unicode keeps emoji, flags and their parts.
func pictograph(r rune) bool {
	return 0x1F000 <= r && r <= 0x1FAFF || 0x2600 <= r && r <= 0x27BF || 0x2B00 <= r && r <= 0x2BFF || r == 0xFE0F || r == 0x20E3
}
