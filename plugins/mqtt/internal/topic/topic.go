// Package topic knows MQTT's topic names and topic filters (MQTT 5.0, section 4.7).
//
// Takes: names and filters, as an operator or a broker wrote them.
//
// Gives: whether they are valid, which names a filter matches, and whether two filters
// can match the same name.
//
// Order and bounds: functions without state, callable from everywhere at once. A name
// of MaxBytes at most is valid: it is the source of a channel.
//
// How it stops: there is nothing that runs.
package topic

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// MaxBytes is the longest topic taken. MQTT allows 65,535 bytes; a channel's source
// has to fit into the contract.
const MaxBytes = plugv1.MaxIDBytes

const (
	one = "+" // matches one level
	all = "#" // matches any number of levels, also none; only at the end
)

// CheckName says why messages can't be published to a topic; nil if they can.
func CheckName(name string) error {
	if Wild(name) {
		return errors.New("messages can't be published to a topic with a wildcard (+ or #)")
	}
	return CheckFilter(name)
}

// CheckFilter says why a filter can't be subscribed to; nil if it can.
func CheckFilter(filter string) error {
	switch {
	case filter == "":
		return errors.New("a topic can't be empty")
	case len(filter) > MaxBytes:
		return fmt.Errorf("a topic can have %d bytes, this one has %d", MaxBytes, len(filter))
	case !utf8.ValidString(filter) || Clean(filter) != filter:
		return errors.New("a topic is UTF-8 without control characters")
	case strings.HasPrefix(filter, "$share/"):
		return errors.New("a shared subscription gives each message to one of its subscribers only: name the topic itself")
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if len(level) > 1 && Wild(level) {
			return fmt.Errorf("a wildcard stands alone between slashes, unlike in %q", level)
		}
		if level == all && i != len(levels)-1 {
			return errors.New("the wildcard # stands only at the end")
		}
	}
	return nil
}

// Clean drops from a string what MQTT forbids in one, or lets a broker forbid: it may end
// the connection for it (MQTT 5.0, section 1.5.4; mosquitto does).
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Noncharacter_Code_Point, r) {
			return -1
		}
		return r
	}, s)
}

// Wild says whether a filter has a wildcard.
func Wild(filter string) bool { return strings.ContainsAny(filter, one+all) }

// Match says whether a valid filter matches a name.
func Match(filter, name string) bool {
	return filter == name || Wild(filter) && Overlap(filter, name)
}

// Overlap says whether there is a name that two valid filters both match.
func Overlap(a, b string) bool {
	if hides(a, b) || hides(b, a) {
		return false
	}
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := 0; ; i++ {
		switch {
		case i < len(as) && as[i] == all, i < len(bs) && bs[i] == all:
			return true
		case i == len(as) || i == len(bs):
			return len(as) == len(bs)
		case as[i] != bs[i] && as[i] != one && bs[i] != one:
			return false
		}
	}
}

// hides says that the broker's own topics ($SYS and the like) are not matched by a
// wildcard at the beginning.
func hides(filter, name string) bool {
	return Wild(filter[:min(1, len(filter))]) && strings.HasPrefix(name, "$")
}
