package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// maxFields bounds the fields taken from one line; further ones are counted.
const maxFields = 32

// entry is one log line of a plug.
type entry struct {
	level   hclog.Level
	message string
	fields  []any // keys and values, as hclog takes them
}

// String is the entry for a person.
func (e entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s] %s", strings.ToUpper(e.level.String()), e.message)
	for i := 0; i < len(e.fields); i += 2 {
		fmt.Fprintf(&b, " %v=%v", e.fields[i], e.fields[i+1])
	}
	return b.String()
}

// parseJSON reads a line in hclog's JSON format: an object with "@message" and
// "@level", both strings, and fields beside them. The time is the host's, that
// of the line's arrival. Anything else is not ok.
func parseJSON(line []byte) (_ entry, ok bool) {
	if !bytes.HasPrefix(line, []byte("{")) {
		return entry{}, false
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // a float64 breaks 64-bit ids
	if err := d.Decode(&object); err != nil || d.More() {
		return entry{}, false
	}
	message, ok := object["@message"].(string)
	if !ok {
		return entry{}, false
	}
	level, ok := object["@level"].(string)
	if !ok {
		return entry{}, false
	}
	e := entry{level: hclog.LevelFromString(level), message: printable(message)}
	if e.level == hclog.NoLevel || e.level == hclog.Off {
		e.level = hclog.Info
	}
	delete(object, "@message")
	delete(object, "@level")
	delete(object, "@timestamp")
	keys := slices.Sorted(maps.Keys(object))
	for _, key := range keys[:min(len(keys), maxFields)] {
		// The host's own keys begin with "@".
		e.fields = append(e.fields, printable(strings.TrimLeft(key, "@")), value(object[key]))
	}
	if more := len(keys) - maxFields; more > 0 {
		e.fields = append(e.fields, "more_fields", more)
	}
	return e, true
}

// value makes a field's value one that every logger can show. Text may have
// several lines, such as a stack: hclog indents them.
func value(v any) any {
	switch v := v.(type) {
	case string:
		return printableLines(v)
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return "?" // cannot be: it came out of JSON
		}
		return printable(string(text))
	default:
		return v // nil, bool, json.Number
	}
}

// plainLevel is the level of a line that is no JSON: that which its beginning
// names, else Info.
func plainLevel(line []byte) hclog.Level {
	for _, level := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn, hclog.Error} {
		if bytes.HasPrefix(line, []byte("["+strings.ToUpper(level.String())+"]")) {
			return level
		}
	}
	return hclog.Info
}
