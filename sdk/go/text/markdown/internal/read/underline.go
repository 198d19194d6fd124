package read

import (
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	goldtext "github.com/yuin/goldmark/text"
)

// underlineParser reads "_" as goldmark does, but "__" as underlined.
type underlineParser struct{}

func (underlineParser) Trigger() []byte { return []byte{'_'} }

func (underlineParser) Parse(_ ast.Node, block goldtext.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	node := parser.ScanDelimiter(line, before, 1, underlineDelimiters{})
	if node == nil {
		return nil
	}
	node.Segment = segment.WithStop(segment.Start + node.OriginalLength)
	block.Advance(node.OriginalLength)
	pc.PushDelimiter(node)
	return node
}

type underlineDelimiters struct{}

func (underlineDelimiters) IsDelimiter(b byte) bool { return b == '_' }

func (underlineDelimiters) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	return opener.Char == closer.Char
}

func (underlineDelimiters) OnMatch(consumes int) ast.Node {
	if consumes == 1 {
		return ast.NewEmphasis(1)
	}
	return &underlineNode{}
}

var kindUnderline = ast.NewNodeKind("Underline")

// underlineNode is underlined text.
type underlineNode struct{ ast.BaseInline }

func (n *underlineNode) Kind() ast.NodeKind { return kindUnderline }

func (n *underlineNode) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }
