package html

import (
	"strconv"
	"strings"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/text"
	nethtml "golang.org/x/net/html"
)

// Parse reads the HTML of a network, of any quality. What it doesn't know it sees
// through: of an unknown element the content stays. Scripts, styles and the quote of
// Matrix's reply fallback (mx-reply) are left out; of a picture its description stays.
// Headings are bold; quotes, lists and rules become characters ("> ", "- ", "1. ",
// "---"). The result is normal.
func (f Format) Parse(s string) *plugv1.Text {
	p := parser{format: f, tokens: nethtml.NewTokenizer(strings.NewReader(s))}
	for {
		switch p.tokens.Next() {
		case nethtml.ErrorToken: // the end: a string has no other
			p.endLink()
			return text.Normalise(&plugv1.Text{Segments: p.out.segments})
		case nethtml.TextToken:
			if p.dropped == "" {
				p.text(string(p.tokens.Text()))
			}
		case nethtml.StartTagToken:
			p.start()
		case nethtml.SelfClosingTagToken:
			if name, _ := p.tokens.TagName(); string(name) == "br" || string(name) == "hr" || string(name) == "img" {
				p.open(string(name))
			}
		case nethtml.EndTagToken:
			p.end()
		}
	}
}

// parser follows the tags of one document. It counts what is open and expects no
// order: tags that overlap, or are never closed, are the rule rather than the
// exception.
type parser struct {
	format  Format
	tokens  *nethtml.Tokenizer
	out     writer
	dropped string // the element whose content is left out
	depth   int    // of that element in itself
	style   style
	link    string
	mention *mention
	lists   []list
}

// style counts the open elements of each kind.
type style struct{ bold, italic, underline, strike, code, pre int }

// list is an open list.
type list struct {
	ordered bool
	next    int
}

// mention gathers what people see of a mention: it is one segment, or it would notify
// twice.
type mention struct {
	user *plugv1.Mention
	text strings.Builder
}

func (p *parser) start() {
	name, _ := p.tokens.TagName()
	switch tag := string(name); {
	case p.dropped == tag:
		p.depth++
	case p.dropped != "":
	case tag == "script" || tag == "style" || tag == "mx-reply":
		p.dropped, p.depth = tag, 1
	default:
		p.open(tag)
	}
}

func (p *parser) open(tag string) {
	if count := p.style.of(tag); count != nil {
		*count++
	}
	switch tag {
	case "br":
		if p.mention == nil && p.style.pre == 0 {
			p.out.newLine(p.segment())
		} else {
			p.text("\n")
		}
	case "a":
		p.endLink()
		p.startLink(p.attribute("href"))
	case "code":
		if p.style.pre > 0 {
			p.out.language = language(p.attribute("class"))
		}
	case "img":
		p.text(p.attribute("alt"))
	case "hr":
		p.out.wantLines(1)
		p.text("---")
		p.out.wantLines(1)
	case "ul", "ol":
		first, err := strconv.Atoi(p.attribute("start"))
		if err != nil {
			first = 1
		}
		p.lists = append(p.lists, list{tag == "ol", first})
		p.out.wantLines(1)
	case "li":
		p.out.wantLines(1)
		p.out.marker = p.marker()
	case "blockquote":
		p.out.wantLines(1)
		p.out.quotes++
	case "pre":
		p.breakAtBlock()
		p.out.beginBlock()
	case "td", "th":
		p.out.space = text.WithText(p.segment(), " ")
	default:
		p.out.wantLines(linesAround(tag))
	}
}

func (p *parser) end() {
	name, _ := p.tokens.TagName()
	tag := string(name)
	if p.dropped != "" {
		if p.dropped == tag {
			if p.depth--; p.depth == 0 {
				p.dropped = ""
			}
		}
		return
	}
	count := p.style.of(tag)
	if count != nil && *count > 0 {
		*count--
	}
	switch tag {
	case "a":
		p.endLink()
	case "ul", "ol":
		p.lists = p.lists[:max(0, len(p.lists)-1)]
		p.out.wantLines(1)
	case "li":
		p.out.wantLines(1)
	case "pre":
		p.breakAtBlock()
	case "blockquote":
		p.out.quotes = max(0, p.out.quotes-1)
		p.out.wantLines(1)
	default:
		p.out.wantLines(linesAround(tag))
	}
}

// breakAtBlock breaks the line at a preformatted block, unless line feeds that are in
// the HTML do.
func (p *parser) breakAtBlock() {
	if !p.format.LineFeeds {
		p.out.wantLines(1)
	}
}

// of gives the count for an element; nil if it has none.
func (s *style) of(tag string) *int {
	switch tag {
	case "b", "strong", "h1", "h2", "h3", "h4", "h5", "h6":
		return &s.bold
	case "i", "em":
		return &s.italic
	case "u", "ins":
		return &s.underline
	case "s", "del", "strike":
		return &s.strike
	case "code", "tt", "kbd", "samp":
		return &s.code
	case "pre":
		return &s.pre
	}
	return nil
}

// linesAround is how many line feeds stand before and behind an element, at least.
func linesAround(tag string) int {
	switch tag {
	case "p":
		return 2
	case "h1", "h2", "h3", "h4", "h5", "h6", "div", "section", "article", "header", "footer", "details", "summary",
		"table", "tr", "caption", "dl", "dt", "dd", "figure", "figcaption", "center":
		return 1
	}
	return 0
}

func (p *parser) attribute(name string) string {
	for {
		key, value, more := p.tokens.TagAttr()
		if string(key) == name {
			return string(value)
		}
		if !more {
			return ""
		}
	}
}

func (p *parser) startLink(href string) {
	if p.format.User != nil {
		if user := p.format.User(href); user != nil {
			p.mention = &mention{user: user}
			return
		}
	}
	p.link = href // Normalise checks it
}

// endLink writes the mention that was gathered, without the sigil in front.
func (p *parser) endLink() {
	p.link = ""
	if p.mention == nil {
		return
	}
	m := p.mention
	p.mention = nil
	seen := strings.Join(strings.Fields(m.text.String()), " ")
	if short := strings.TrimPrefix(seen, "@"); short != "" {
		seen = short
	}
	s := p.segment()
	s.Mention, s.Text = m.user, seen
	p.out.write(s)
}

// segment is an empty segment with the formatting of the place.
func (p *parser) segment() *plugv1.Segment {
	s := &plugv1.Segment{
		Bold: p.style.bold > 0, Italic: p.style.italic > 0, Underline: p.style.underline > 0,
		Strike: p.style.strike > 0, Code: p.style.code > 0, Link: p.link,
	}
	if p.style.pre > 0 {
		s.Preformatted = &plugv1.Preformatted{Language: p.out.language}
	}
	return s
}

func (p *parser) text(s string) {
	switch {
	case p.mention != nil:
		p.mention.text.WriteString(s)
	case p.style.pre > 0:
		p.out.preformatted(text.WithText(p.segment(), s))
	case p.format.LineFeeds:
		p.out.literal(p.segment(), s)
	default:
		p.out.flow(p.segment(), s)
	}
}

// marker is what stands in front of a list's next item.
func (p *parser) marker() string {
	if len(p.lists) == 0 {
		return "- "
	}
	l := &p.lists[len(p.lists)-1]
	indent := strings.Repeat("  ", min(len(p.lists)-1, maxLevels))
	if !l.ordered {
		return indent + "- "
	}
	l.next++
	return indent + strconv.Itoa(l.next-1) + ". "
}

// language reads the class that Matrix and Telegram give to the code of a block.
func language(class string) string {
	for _, name := range strings.Fields(class) {
		if language, ok := strings.CutPrefix(name, "language-"); ok {
			return language
		}
	}
	return ""
}
