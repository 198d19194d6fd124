package text

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

func TestSplit(t *testing.T) {
	const (
		bytes = plugv1.LengthUnit_LENGTH_UNIT_BYTES
		runes = plugv1.LengthUnit_LENGTH_UNIT_RUNES
		utf16 = plugv1.LengthUnit_LENGTH_UNIT_UTF16
	)
	family := "👨‍👩‍👧" // 5 code points, 8 UTF-16 units, 18 bytes, one grapheme
	for name, c := range map[string]struct {
		text, prefix string
		limits       *plugv1.Limits
		want         []string
	}{
		"no limits":              {"a b\nc", "x: ", nil, []string{"x: a b\nc"}},
		"empty":                  {"", "x: ", &plugv1.Limits{TextLength: 6}, []string{"x: "}},
		"fits exactly":           {"hello", "x: ", &plugv1.Limits{TextLength: 8}, []string{"x: hello"}},
		"blanks that fit stay":   {" a\n\nb ", "", &plugv1.Limits{TextLength: 9}, []string{" a\n\nb "}},
		"line before word":       {"ab\ncd ef gh", "", &plugv1.Limits{TextLength: 8}, []string{"ab", "cd ef gh"}},
		"break right behind":     {"abcde fghij", "", &plugv1.Limits{TextLength: 5}, []string{"abcde", "fghij"}},
		"word":                   {"one two three", "", &plugv1.Limits{TextLength: 8}, []string{"one two", "three"}},
		"long word":              {"abcdefghij", "", &plugv1.Limits{TextLength: 4}, []string{"abcd", "efgh", "ij"}},
		"prefix on each":         {"one two", "x: ", &plugv1.Limits{TextLength: 6}, []string{"x: one", "x: two"}},
		"long prefix is cut":     {"one two", "longname: ", &plugv1.Limits{TextLength: 6}, []string{"lonone", "lontwo"}},
		"lines":                  {"a\nb\nc\nd\ne", "", &plugv1.Limits{TextLines: 2}, []string{"a\nb", "c\nd", "e"}},
		"one line, blank ones":   {"a\n\n\nb", "", &plugv1.Limits{TextLines: 1}, []string{"a", "b"}},
		"one line, indented":     {"a\n  b", "", &plugv1.Limits{TextLines: 1}, []string{"a", "  b"}},
		"nothing but lines":      {"\n\n\n", "", &plugv1.Limits{TextLines: 1}, []string{""}},
		"CR LF":                  {"a\r\nb", "", &plugv1.Limits{TextLines: 1}, []string{"a", "b"}},
		"bytes":                  {"ééé", "", &plugv1.Limits{TextLength: 4, TextUnit: bytes}, []string{"éé", "é"}},
		"runes":                  {"ééé", "", &plugv1.Limits{TextLength: 2, TextUnit: runes}, []string{"éé", "é"}},
		"utf16":                  {"😀😀😀", "", &plugv1.Limits{TextLength: 4, TextUnit: utf16}, []string{"😀😀", "😀"}},
		"whole grapheme":         {"ab" + family + "cd", "", &plugv1.Limits{TextLength: 6}, []string{"ab", family + "c", "d"}},
		"combining":              {"aaae\u0301", "", &plugv1.Limits{TextLength: 4}, []string{"aaa", "e\u0301"}},
		"space with a mark":      {"ab \u0301cd", "", &plugv1.Limits{TextLength: 5}, []string{"ab \u0301c", "d"}},
		"grapheme over the part": {family + "b", "", &plugv1.Limits{TextLength: 2}, []string{"👨\u200d", "👩\u200d", "👧", "b"}},
		"code point over it":     {"éé", "", &plugv1.Limits{TextLength: 1, TextUnit: bytes}, []string{"é", "é"}},
		"parts":                  {"one two three four", "", &plugv1.Limits{TextLength: 7, Parts: 2}, []string{"one two", "three…"}},
		"parts, last is full":    {"one two threeee four", "", &plugv1.Limits{TextLength: 7, Parts: 2}, []string{"one two", "threee…"}},
		"parts just suffice":     {"one two three", "", &plugv1.Limits{TextLength: 7, Parts: 2}, []string{"one two", "three"}},
		"one part":               {"one two three", "x: ", &plugv1.Limits{TextLength: 10, Parts: 1}, []string{"x: one tw…"}},
		"no room to say more":    {"ab cd", "", &plugv1.Limits{TextLength: 2, Parts: 1, TextUnit: bytes}, []string{"ab"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := plains(Split(New(c.text), c.prefix, c.limits)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func plains(parts []*plugv1.Text) []string {
	var all []string
	for _, p := range parts {
		all = append(all, Plain(p))
	}
	return all
}

// checkSplit holds for any valid text: nothing but breaks, spaces and blank parts is
// lost, no grapheme that fits is broken, nothing exceeds the limits.
func checkSplit(t interface{ Fatalf(string, ...any) }, text, prefix string, limits *plugv1.Limits) {
	if limits.GetParts() > 0 {
		text = strings.ReplaceAll(text, ellipsis, ".") // else ours can't be told from the text's
	}
	parts := plains(Split(New(text), prefix, limits))
	if len(parts) == 0 {
		t.Fatalf("no part of %q", text)
	}
	if most := int(limits.GetParts()); most > 0 && len(parts) > most {
		t.Fatalf("%d parts, %d are allowed", len(parts), most)
	}
	measure := ruler{unit: limits.GetTextUnit()}.measure
	length := math.MaxInt
	if n := limits.GetTextLength(); n > 0 {
		length = int(n)
	}
	for _, part := range parts {
		if n := measure(part); n > length {
			t.Fatalf("part %q is %d long, %d are allowed", part, n, length)
		}
		if lines := 1 + strings.Count(part, "\n"); limits.GetTextLines() > 0 && lines > int(limits.GetTextLines()) {
			t.Fatalf("part %q has %d lines", part, lines)
		}
	}
	if measure(prefix) > length/2 {
		return // the prefix was cut: TestSplit has that case
	}
	boundaries := map[int]bool{0: true}
	longest, at := 0, 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		_, end := g.Positions()
		boundaries[end] = true
		longest = max(longest, measure(g.Str()))
	}
	for i, part := range parts {
		part = strings.TrimPrefix(part, prefix)
		if i+1 == int(limits.GetParts()) {
			part = strings.TrimSuffix(part, ellipsis)
		}
		skipped := strings.Index(text[at:], part)
		if skipped < 0 || strings.TrimSpace(text[at:at+skipped]) != "" {
			t.Fatalf("between the parts %q of %q something is lost before %q", parts, text, part)
		}
		begin := at + skipped
		at = begin + len(part)
		if longest <= length-measure(prefix) && (!boundaries[begin] || !boundaries[at]) {
			t.Fatalf("part %q of %q breaks a grapheme", part, text)
		}
	}
	if limits.GetParts() == 0 && strings.TrimSpace(text[at:]) != "" {
		t.Fatalf("%q is lost behind the last of %q", text[at:], parts)
	}
}

func TestSplitProperties(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{" ", "  ", "\n", "\t", "\n\n", "e\u0301", "👨‍👩‍👧", "🇩🇪", "🇩🇪🇫🇷", "한국", "เก้า", "नि", " \u0301", "…", "a\u200db"}),
		rapid.StringMatching(`[a-zé]{1,12}`),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "text"), "")
		prefix := rapid.SampledFrom([]string{"", "x: ", "<é> "}).Draw(t, "prefix")
		checkSplit(t, text, prefix, &plugv1.Limits{
			TextLength: uint32(rapid.IntRange(12, 60).Draw(t, "length")), // the longest code point, twice, and a prefix
			TextUnit:   plugv1.LengthUnit(rapid.IntRange(0, 3).Draw(t, "unit")),
			TextLines:  uint32(rapid.IntRange(0, 4).Draw(t, "lines")),
			Parts:      uint32(rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "parts")),
		})
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("one two three\nfour 👨‍👩‍👧 e\u0301", "x: ", uint32(12), int32(1), uint32(1), uint32(0))
	f.Add("\n\n  \t", "", uint32(16), int32(3), uint32(2), uint32(2))
	f.Fuzz(func(t *testing.T, text, prefix string, length uint32, unit int32, lines, parts uint32) {
		if !utf8.ValidString(text) || !utf8.ValidString(prefix) {
			return // gRPC brings valid UTF-8 only
		}
		limits := &plugv1.Limits{TextLength: length, TextUnit: plugv1.LengthUnit(unit), TextLines: lines, Parts: parts}
		if strings.Contains(prefix, "\n") || (length > 0 && length < 12) {
			Split(New(text), prefix, limits) // ends, without a panic
			return
		}
		checkSplit(t, text, prefix, limits)
	})
}
