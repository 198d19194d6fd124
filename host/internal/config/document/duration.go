package document

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Day is the longest unit of a duration.
const Day = 24 * time.Hour

// Duration reads a time such as 90s, 1h30m or 7d into a variable, which keeps
// its value if n is nil or wrong.
func (p *Problems) Duration(n *Node, what string, least, most time.Duration, into *time.Duration) {
	if n == nil {
		return
	}
	text, ok := p.Text(n, what, "30s")
	if !ok {
		return
	}
	d, err := parseDuration(text)
	switch {
	case err != nil:
		p.Report(n, "write a time with its unit, such as 500ms, 30s, 5m, 2h or 7d", "%s cannot be %q", what, text)
	case d < least || d > most:
		p.Report(n, fmt.Sprintf("the least is %s, the most is %s", shortDuration(least), shortDuration(most)), "%s cannot be %s", what, text)
	default:
		*into = d
	}
}

var days = regexp.MustCompile(`^(\d{1,5})d(\d.*)?$`)

// parseDuration is time.ParseDuration with days in front.
func parseDuration(text string) (time.Duration, error) {
	m := days.FindStringSubmatch(text)
	if m == nil {
		return time.ParseDuration(text)
	}
	count, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, err
	}
	whole := time.Duration(count) * Day
	if m[2] == "" {
		return whole, nil
	}
	rest, err := time.ParseDuration(m[2])
	return whole + rest, err
}

// shortDuration writes a duration as a config does.
func shortDuration(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{Day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d%unit.length == 0 {
			return fmt.Sprintf("%d%s", d/unit.length, unit.name)
		}
	}
	return d.String()
}
