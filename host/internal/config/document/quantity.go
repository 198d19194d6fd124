package document

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// Bytes reads a size such as 256MiB or 10GiB into a variable, which keeps its value if
// n is nil or wrong.
func (p *Problems) Bytes(n *Node, what string, least, most int64, into *int64) {
	if n == nil {
		return
	}
	text, ok := p.Text(n, what, "256MiB")
	if !ok {
		return
	}
	size, err := humanize.ParseBytes(text)
	switch {
	case err != nil || strings.Trim(text, "0123456789.") == "":
		p.Report(n, "write a size with its unit, such as 256MiB or 10GiB", "%s cannot be %q", what, text)
	case size < uint64(least) || size > uint64(most):
		p.Report(n, fmt.Sprintf("the least is %s, the most is %s", shortBytes(least), shortBytes(most)), "%s cannot be %s", what, text)
	default:
		*into = int64(size)
	}
}

// shortBytes writes a size as a config does.
func shortBytes(size int64) string {
	return strings.ReplaceAll(humanize.IBytes(uint64(size)), " ", "")
}

// Count reads a whole number into a variable, which keeps its value if n is nil or
// wrong.
func (p *Problems) Count(n *Node, what string, least, most int64, into *int64) {
	if n == nil {
		return
	}
	text, ok := p.Text(n, what, fmt.Sprint(least))
	if !ok {
		return
	}
	count, err := strconv.ParseInt(text, 10, 64)
	if err != nil || count < least || count > most {
		p.Report(n, fmt.Sprintf("write a number from %d to %d", least, most), "%s cannot be %q", what, text)
		return
	}
	*into = count
}
