package read

import (
	"bytes"
	"strconv"
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	goldtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// The parsers are safe for use at once and keep nothing of what they parse.
var (
	common = newParser(
		[]util.PrioritizedValue{
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
		}, nil,
	)
	discord = newParser(nil, []util.PrioritizedValue{
		util.Prioritized(underlineParser{}, 450), // before emphasis
	})
)

func newParser(blocks, inlines []util.PrioritizedValue) parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(append(blocks,
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		)...),
		parser.WithInlineParsers(append(inlines,
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(extension.NewStrikethroughParser(), 500),
		)...),
	)
}

// Markdown reads source, which is clean, as CommonMark or as Discord's Markdown. False:
// it would take too long.
func Markdown(source []byte, onDiscord bool) ([]*plugv1.Segment, bool) {
	if isTooMuch(source) {
		return nil, false
	}
	markdown := common
	if onDiscord {
		markdown = discord
	}
	p := reader{source: source}
	p.blocks(markdown.Parse(goldtext.NewReader(source)))
	return p.out, true
}

// reader makes segments of the nodes of one document.
type reader struct {
	source        []byte
	out           []*plugv1.Segment
	style         plugv1.Segment // the formatting of the place, without text
	quotes, items int            // open ones
	marker        string         // of the item that begins, before its first text
	newLine       bool           // the next text begins a line
}

func (p *reader) blocks(parent ast.Node) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if n.PreviousSibling() != nil {
			p.separate(n)
		}
		p.block(n)
	}
}

// separate writes what is between a block and the one before.
func (p *reader) separate(n ast.Node) {
	p.lineFeed()
	if n.HasBlankPreviousLines() && p.isBlankBefore(n.Pos()) {
		p.lineFeed()
	}
}

// isBlankBefore says whether the line before that of a position has nothing in it but
// the signs of quotes. (Of what stands behind a fence goldmark always says so.)
func (p *reader) isBlankBefore(pos int) bool {
	if pos < 0 {
		return true
	}
	end := bytes.LastIndexByte(p.source[:pos], '\n')
	if end < 0 {
		return false
	}
	begin := bytes.LastIndexByte(p.source[:end], '\n') + 1
	return len(bytes.Trim(p.source[begin:end], " \t>")) == 0
}

func (p *reader) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		defer p.set(&p.style.Bold)()
		if n.FirstChild() == nil {
			p.text(strings.Repeat("#", n.Level))
		}
		p.inlines(n)
	case *ast.Blockquote:
		if n.FirstChild() == nil {
			p.text(">")
		}
		p.newLine = true
		p.quotes++
		p.blocks(n)
		p.quotes--
	case *ast.List:
		p.list(n)
	case *ast.FencedCodeBlock:
		p.preformatted(n, string(n.Language(p.source)))
	case *ast.CodeBlock:
		p.preformatted(n, "")
	case *ast.ThematicBreak:
		p.text("---")
	default:
		if n.Type() == ast.TypeBlock && n.FirstChild() != nil && n.FirstChild().Type() == ast.TypeBlock {
			p.blocks(n)
		} else {
			p.inlines(n)
		}
	}
}

// set formats until what it returns is called.
func (p *reader) set(format *bool) func() {
	before := *format
	*format = true
	return func() { *format = before }
}

func (p *reader) list(list *ast.List) {
	number := list.Start
	for n := list.FirstChild(); n != nil; n = n.NextSibling() {
		if n.PreviousSibling() != nil {
			p.separate(n)
		}
		p.newLine, p.marker = true, "- "
		if list.IsOrdered() {
			p.marker = strconv.Itoa(number) + string(rune(list.Marker)) + " "
			number++
		}
		p.items++
		if n.FirstChild() == nil {
			p.out = append(p.out, &plugv1.Segment{Text: strings.TrimRight(p.front(), " ")})
		}
		p.blocks(n)
		p.items--
	}
}

func (p *reader) preformatted(n ast.Node, language string) {
	var b strings.Builder
	lines := n.Lines()
	for i := range lines.Len() {
		line := lines.At(i)
		b.Write(line.Value(p.source))
	}
	if b.Len() == 0 {
		p.text("```" + language)
		return
	}
	p.marker, p.newLine = "", false
	p.out = append(p.out, &plugv1.Segment{
		Text:         strings.TrimSuffix(b.String(), "\n"),
		Preformatted: &plugv1.Preformatted{Language: language},
	})
}

func (p *reader) inlines(parent ast.Node) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		p.inline(n)
	}
}

func (p *reader) inline(n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		value := n.Value(p.source)
		if !n.IsRaw() {
			value = unescape(value)
		}
		p.text(string(value))
		if n.SoftLineBreak() || n.HardLineBreak() {
			p.lineFeed()
		}
	case *ast.String:
		p.text(string(n.Value))
	case *ast.CodeSpan:
		defer p.set(&p.style.Code)()
		var b strings.Builder
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if t, ok := c.(*ast.Text); ok {
				b.Write(t.Value(p.source))
			}
		}
		p.text(strings.ReplaceAll(b.String(), "\n", " "))
	case *ast.Emphasis:
		if n.Level == 1 {
			defer p.set(&p.style.Italic)()
		} else {
			defer p.set(&p.style.Bold)()
		}
		p.inlines(n)
	case *extast.Strikethrough:
		defer p.set(&p.style.Strike)()
		p.inlines(n)
	case *underlineNode:
		defer p.set(&p.style.Underline)()
		p.inlines(n)
	case *ast.Link:
		p.link(n, n.Destination)
	case *ast.Image:
		p.link(n, n.Destination)
	case *ast.AutoLink:
		p.autoLink(n)
	default:
		p.inlines(n)
	}
}

func (p *reader) link(n ast.Node, destination []byte) {
	url := string(unescape(destination))
	clean, ok := text.Link(url)
	switch {
	case !ok:
		p.text("[")
		p.inlines(n)
		p.text("](" + url + ")")
	case n.FirstChild() == nil:
		p.text(url)
	default:
		before := p.style.Link
		p.style.Link = clean
		p.inlines(n)
		p.style.Link = before
	}
}

func (p *reader) autoLink(n *ast.AutoLink) {
	label := string(n.Label(p.source))
	url := label
	if n.AutoLinkType == ast.AutoLinkEmail {
		url = "mailto:" + label
	}
	clean, ok := text.Link(url)
	if !ok {
		p.text("<" + label + ">")
		return
	}
	before := p.style.Link
	p.style.Link = clean
	p.text(label)
	p.style.Link = before
}

// text writes text of one line; at the begin of a line what stands in front there.
func (p *reader) text(s string) {
	if s == "" {
		return
	}
	if front := p.front(); front != "" {
		p.out = append(p.out, &plugv1.Segment{Text: front})
	}
	p.out = append(p.out, text.WithText(&p.style, s))
}

// front takes what stands in front of text, at the begin of a line.
func (p *reader) front() string {
	if !p.newLine && len(p.out) > 0 {
		return ""
	}
	level, marker := min(p.items, maxLevels), p.marker
	if marker != "" {
		level--
	}
	p.newLine, p.marker = false, ""
	return strings.Repeat("> ", min(p.quotes, maxLevels)) + strings.Repeat("  ", max(level, 0)) + marker
}

func (p *reader) lineFeed() {
	p.out = append(p.out, text.WithText(&p.style, "\n"))
	p.newLine = true
}
