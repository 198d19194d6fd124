package config_test

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config"
)

// wantNoProblems fails the test if a config has problems.
func wantNoProblems(t *testing.T, c *config.Config) {
	t.Helper()
	for _, p := range c.Problems {
		t.Errorf("unexpected problem: %s", p)
	}
	if !c.Runnable() {
		t.Error("the config is not runnable")
	}
}

// wantProblem fails the test if no problem has that place and that text.
func wantProblem(t *testing.T, c *config.Config, position, text string) {
	t.Helper()
	var all []string
	for _, p := range c.Problems {
		p.File = "f"
		if strings.HasPrefix(p.String(), "f:"+position+": ") && strings.Contains(p.String(), text) {
			return
		}
		all = append(all, p.String())
	}
	t.Errorf("no problem at %s with %q; there are:\n%s", position, text, strings.Join(all, "\n"))
}

// A plug that cannot be started takes its channels with it and nothing else.
func TestOneBadPlug(t *testing.T) {
	for name, bad := range map[string]string{
		"no binary":       `{use: matrix}`,
		"no use":          `{label: X}`,
		"broken config":   `{use: irc, config: {port: 6697}}`,
		"no secret":       `{use: irc, config: {server: "${env:PLUGHOST_NO_SUCH}"}}`,
		"unknown key":     `{use: irc, config: {server: s}, confg: {}}`,
		"not an object":   `irc`,
		"label is a list": `{use: irc, label: [], config: {server: s}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, `version: 1
plugs: {a: {use: xmpp}, b: {use: xmpp}, bad: `+bad+`}
conversations: {dev: {members: [a/1, bad/2, b/3]}}
`)
			if !c.Runnable() || len(c.Problems) == 0 {
				t.Fatalf("runnable: %v, problems: %v", c.Runnable(), c.Problems)
			}
			for _, p := range c.Problems {
				if p.Plug != "bad" {
					t.Errorf("a problem is not of the plug: %s", p)
				}
			}
			if want := []id.InstanceName{"bad"}; !reflect.DeepEqual(c.Unusable, want) {
				t.Errorf("unusable: %v, want %v", c.Unusable, want)
			}
			// It stays in the options: what is said to it is kept until it can run.
			if len(c.Options.Plugs) != 3 || len(c.Options.Conversations[0].Members) != 3 {
				t.Errorf("options: %+v", c.Options)
			}
		})
	}
}

// A plug that does not say what it is may do so later: the host keeps trying.
func TestPlugThatCrashesIsStillStarted(t *testing.T) {
	c := load(t, "version: 1\nplugs:\n  a: {use: crashes, config: {x: 1}}\n")
	wantProblem(t, c, "3:12", "plug a: it does not say what it is: killed by SIGSEGV")
	if !c.Runnable() || len(c.Unusable) != 0 || string(c.Options.Plugs[0].Config) != `{"x":1}` {
		t.Errorf("runnable %v, unusable %v, options %+v", c.Runnable(), c.Unusable, c.Options)
	}
}

func TestNothingIsRunnable(t *testing.T) {
	for name, text := range map[string]string{
		"wide problem":     "version: 2\nplugs: {a: {use: xmpp}}\n",
		"every plug bad":   "version: 1\nplugs: {a: {use: matrix}}\n",
		"no plugs":         "version: 1\n",
		"not YAML":         "version: [\n",
		"empty":            "",
		"a list":           "- version\n",
		"unknown plug":     "version: 1\nplugs: {a: {use: xmpp}}\nconversations: {x: {members: [a/1, b/2]}}\n",
		"bad name of plug": "version: 1\nplugs: {a: {use: xmpp}, b/c: {use: xmpp}}\n",
	} {
		if c := load(t, text); c.Runnable() || len(c.Problems) == 0 {
			t.Errorf("%s: runnable %v, problems %v", name, c.Runnable(), c.Problems)
		}
	}
}

// Everything is reported at once, in the file's order, each at its place.
func TestAllProblemsTogether(t *testing.T) {
	c := load(t, `version: 2
alerts: libera/#ops
plgs_dir: ./plugs
plugs:
  libera: {use: irk, config: {server: a}}
  jabber: {use: xmpp, config: {nick: x}}
  other: {use: irc, config: {prt: 1}}
conversations:
  dev:
    members: [libera/#dev, libra/#dev, libera/#dev]
    at: {jaber: {name: "{nme}"}}
`)
	var got []string
	for _, p := range c.Problems {
		p.File = "f"
		got = append(got, p.String())
	}
	dir := filepath.Join(filepath.Dir(c.File), "plugs")
	want := []string{
		"f:1:10: this plughost reads version 1, not \"2\"\n    write version: 1, or use the plughost that this file was made for",
		"f:2:1: unknown key \"alerts\" in the config: this version of plughost has no such thing\n    remove it",
		"f:3:1: unknown key \"plgs_dir\" in the config\n    did you mean \"plugs_dir\"?",
		"f:5:17: plug libera: there is no plug \"irk\" in " + dir + "\n    did you mean \"irc\"?",
		"f:6:32: plug jabber: plug xmpp takes no config\n    remove config",
		"f:7:29: plug other: config: key \"server\" is missing\n    add it: Host name of the server.",
		"f:7:30: plug other: config: unknown key \"prt\"\n    did you mean \"port\"?",
		"f:10:28: there is no plug \"libra\"\n    did you mean \"libera\"?",
		"f:10:40: conversation dev has channel libera/#dev twice, first in line 10\n    remove one of them",
		"f:11:10: there is no plug \"jaber\"\n    did you mean \"jabber\"?",
		"f:11:24: name \"{nme}\": there is no placeholder {nme}; there are {name}, {username}, {network}, {plug} and {channel}",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMembersThatCannotDoTheirPart(t *testing.T) {
	c := load(t, `version: 1
plugs: {a: {use: xmpp}, feed: {use: rss}, page: {use: pager}, sky: {use: weather}}
conversations:
  one:
    members:
      - a/1
      - feed/x
      - page/y
      - sky/z
      - {channel: feed/z, direction: out}
      - {channel: page/z, direction: in}
  two:
    members:
      - a/2
      - {channel: feed/x2, direction: in}
      - {channel: page/y2, direction: out}
`)
	wantProblem(t, c, "7:9", "write {channel: feed/x, direction: in}")
	wantProblem(t, c, "8:9", "write {channel: page/y, direction: out}")
	wantProblem(t, c, "9:9", "carries no messages")
	wantProblem(t, c, "10:19", "only reads")
	wantProblem(t, c, "11:19", "only writes")
	if len(c.Problems) != 5 {
		t.Errorf("problems: %v", c.Problems)
	}
}
