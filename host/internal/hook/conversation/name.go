package conversation

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/plughost/plughost/host/hook"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// DefaultName is how an author looks elsewhere if the config doesn't say.
const DefaultName = "{name} [{network}]"

// Format is how an author's name looks: text with placeholders, filled in one
// pass, so that what a person is called is never read as a placeholder.
type Format struct {
	parts []part
	color bool // the author's name is to be shown in a colour
}

type part struct {
	text        string
	placeholder string
	filters     []filter
}

// placeholders are what a format may hold.
var placeholders = map[string]func(*hook.Delivery, *plugv1.User) string{
	"name":     func(_ *hook.Delivery, u *plugv1.User) string { return displayName(u) },
	"username": func(_ *hook.Delivery, u *plugv1.User) string { return clean(u.GetUsername()) },
	"network":  func(d *hook.Delivery, _ *plugv1.User) string { return clean(d.NetworkName) },
	"plug":     func(d *hook.Delivery, _ *plugv1.User) string { return string(d.Channel.Plug) },
	"channel":  func(d *hook.Delivery, _ *plugv1.User) string { return clean(string(d.Channel.Source)) },
}

// ParseFormat reads a format such as "{name|max:20} [{network}]".
func ParseFormat(s string) (Format, error) {
	var f Format
	for rest := s; rest != ""; {
		text, after, found := strings.Cut(rest, "{")
		if text != "" {
			f.parts = append(f.parts, part{text: text})
		}
		if !found {
			break
		}
		inside, tail, closed := strings.Cut(after, "}")
		if !closed {
			return Format{}, fmt.Errorf("name %q: a { has no }", s)
		}
		name, filters, _ := strings.Cut(inside, "|")
		if placeholders[name] == nil {
			return Format{}, fmt.Errorf("name %q: there is no placeholder {%s}; there are {name}, {username}, {network}, {plug} and {channel}", s, name)
		}
		p := part{placeholder: name}
		if strings.Contains(inside, "|") {
			for _, of := range strings.Split(filters, "|") {
				if of == "color" {
					f.color = true
					continue
				}
				filter, err := parseFilter(of)
				if err != nil {
					return Format{}, fmt.Errorf("name %q: %w", s, err)
				}
				p.filters = append(p.filters, filter)
			}
		}
		f.parts = append(f.parts, p)
		rest = tail
	}
	if len(f.parts) == 0 {
		return Format{}, fmt.Errorf("the name format is empty; leave it out for %q", DefaultName)
	}
	return f, nil
}

var defaultFormat = func() Format {
	f, err := ParseFormat(DefaultName)
	if err != nil {
		panic(err) // a constant
	}
	return f
}()

// format gives the name of a user of the delivery's network.
func (f Format) format(d *hook.Delivery, u *plugv1.User) string {
	if len(f.parts) == 0 {
		f = defaultFormat
	}
	var b strings.Builder
	for _, p := range f.parts {
		if p.placeholder == "" {
			b.WriteString(p.text)
			continue
		}
		value := placeholders[p.placeholder](d, u)
		for _, filter := range p.filters {
			value = filter(value)
		}
		b.WriteString(value)
	}
	return b.String()
}

// displayName is the first name of a user that shows something.
func displayName(u *plugv1.User) string {
	for _, name := range []string{u.GetDisplayName(), u.GetUsername(), u.GetId()} {
		if name = clean(name); name != "" {
			return name
		}
	}
	return "someone"
}

// clean makes one line of a name, without what can't be seen around it.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name)
	return strings.TrimFunc(name, invisible)
}

// blank tells whether a text shows nothing.
func blank(t *plugv1.Text) bool {
	for _, s := range t.GetSegments() {
		if strings.IndexFunc(s.Text, func(r rune) bool { return !invisible(r) }) >= 0 {
			return false
		}
	}
	return true
}

func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u3164' || r == '\u2800'
}
