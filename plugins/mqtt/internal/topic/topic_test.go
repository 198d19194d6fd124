package topic

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheck(t *testing.T) {
	for filter, want := range map[string]struct{ name, filter bool }{
		"a":                             {true, true},
		"/":                             {true, true},
		"a//b/":                         {true, true},
		"$SYS/broker":                   {true, true},
		"ünïcode ☂":                     {true, true},
		strings.Repeat("x", MaxBytes):   {true, true},
		"+":                             {false, true},
		"#":                             {false, true},
		"a/+/b/#":                       {false, true},
		"":                              {},
		"a+":                            {},
		"a/#/b":                         {},
		"a/b#":                          {},
		"##":                            {},
		"a\x00b":                        {},
		"a\nb":                          {},
		"a\u0085b":                      {},
		"a\ufffeb":                      {},
		"a\xffb":                        {},
		"$share/group/a":                {},
		strings.Repeat("x", MaxBytes+1): {},
	} {
		if got := CheckName(filter) == nil; got != want.name {
			t.Errorf("name %q: %v", filter, CheckName(filter))
		}
		if got := CheckFilter(filter) == nil; got != want.filter {
			t.Errorf("filter %q: %v", filter, CheckFilter(filter))
		}
	}
}

// The examples of MQTT 5.0, section 4.7.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, name string
		want         bool
	}{
		{"sport/tennis/player1/#", "sport/tennis/player1", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
		{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
		{"sport/#", "sport", true},
		{"#", "a/b", true},
		{"sport/tennis/+", "sport/tennis/player1", true},
		{"sport/tennis/+", "sport/tennis/player1/ranking", false},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"#", "$SYS/monitor/Clients", false},
		{"+/monitor/Clients", "$SYS/monitor/Clients", false},
		{"$SYS/#", "$SYS/monitor", true},
		{"a", "A", false},
	} {
		if got := Match(c.filter, c.name); got != c.want {
			t.Errorf("%s matches %s: %v", c.filter, c.name, got)
		}
	}
}

// Two filters overlap exactly if some name is matched by both.
func TestOverlap(t *testing.T) {
	var names []string
	var grow func(prefix string, depth int)
	grow = func(prefix string, depth int) {
		for _, level := range []string{"a", "b", "c", "$x"} {
			names = append(names, prefix+level)
			if depth < 4 {
				grow(prefix+level+"/", depth+1)
			}
		}
	}
	grow("", 1)
	filter := rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "+", "$x"}), 1, 3).Draw(t, "levels")
		if rapid.Bool().Draw(t, "open") {
			levels = append(levels, "#")
		}
		return strings.Join(levels, "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := filter.Draw(t, "a"), filter.Draw(t, "b")
		both := false
		for _, name := range names {
			both = both || match(a, name) && match(b, name)
		}
		if got := Overlap(a, b); got != both || got != Overlap(b, a) {
			t.Fatalf("%s and %s overlap: %v, but a name that both match: %v", a, b, got, both)
		}
	})
}

// match is section 4.7 once more, written differently.
func match(filter, name string) bool {
	if strings.HasPrefix(name, "$") && strings.IndexAny(filter, "+#") == 0 {
		return false
	}
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	for len(f) > 0 {
		if f[0] == "#" {
			return true
		}
		if len(n) == 0 || f[0] != "+" && f[0] != n[0] {
			return false
		}
		f, n = f[1:], n[1:]
	}
	return len(n) == 0
}

func FuzzTopic(f *testing.F) {
	f.Add("a/+/#", "a/b/c")
	f.Fuzz(func(t *testing.T, filter, name string) {
		if CheckFilter(filter) != nil || CheckName(name) != nil {
			return
		}
		if Match(filter, name) != match(filter, name) {
			t.Errorf("%q matches %q: %v", filter, name, Match(filter, name))
		}
	})
}
