package bridging

import (
	"strconv"
	"time"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/internal/config/document"
)

// What "catch_up:" bounds where it doesn't say so itself.
const (
	defaultMaxAge      = 30 * time.Minute
	defaultMaxMessages = 50
)

// Bounds of the bounds. Within its first minute nothing is given up anyhow.
const (
	leastMaxAge     = time.Minute
	mostMaxAge      = 365 * document.Day
	mostMaxMessages = 10_000
)

var catchUpKeys = document.Keys{Known: []string{"max_age", "max_messages", "then"}}

// catchUp is what one place of the config says of what is delivered late; zero if it
// says nothing.
type catchUp struct {
	said   bool
	limits *hook.CatchUp // nil: all is delivered
}

// catchUp reads "catch_up:"; n is nil where there is none.
func (r *reader) catchUp(n *document.Node) catchUp {
	const example = "{max_age: 30m, max_messages: 50, then: drop}"
	const cure = "write then: drop (what is older or further behind is given up) or then: deliver (all is sent)"
	if n == nil {
		return catchUp{}
	}
	fields := r.Fields(n, "catch_up", example, catchUpKeys)
	limits := &hook.CatchUp{MaxAge: defaultMaxAge, MaxMessages: defaultMaxMessages}
	r.Duration(fields["max_age"], "max_age", leastMaxAge, mostMaxAge, &limits.MaxAge)
	if most := fields["max_messages"]; most != nil {
		text, ok := r.Text(most, "max_messages", "50")
		if count, err := strconv.Atoi(text); ok && (err != nil || count < 1 || count > mostMaxMessages) {
			r.Report(most, "write a number from 1 to 10000", "max_messages cannot be %q", text)
		} else {
			limits.MaxMessages = count
		}
	}
	then := fields["then"]
	if then == nil {
		if n.Kind == document.Mapping {
			r.Report(n, cure, `catch_up has no key "then"`)
		}
		return catchUp{said: true}
	}
	text, ok := r.Text(then, "then", "drop")
	switch {
	case !ok || text == "deliver":
		return catchUp{said: true}
	case text == "drop":
		return catchUp{true, limits}
	case text == "summary":
		r.Report(then, cure, "this version of plughost makes no summary of what it gives up")
	default:
		r.Report(then, cure, "there is no then: %q", text)
	}
	return catchUp{said: true}
}
