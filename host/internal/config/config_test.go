package config_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// ircSchema is a plug's schema with what an author uses.
const ircSchema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"$ref": "#/$defs/Config",
	"$defs": {
		"Config": {
			"type": "object",
			"additionalProperties": false,
			"required": ["server"],
			"properties": {
				"server": {"type": "string", "description": "Host name of the server."},
				"port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "Port of the server."},
				"nick": {"type": "string", "pattern": "^[a-z]+$", "description": "Name on the network."},
				"tls": {"type": "boolean", "description": "Whether the connection is encrypted."},
				"mode": {"enum": ["fast", "slow"], "description": "How to send."},
				"owner": {"type": "integer", "description": "Id of the owner."},
				"url": {"type": "string", "format": "uri", "description": "Where to look."},
				"from": {"oneOf": [{"type": "string"}, {"type": "integer"}], "description": "Where to begin."},
				"sasl": {
					"type": "object",
					"additionalProperties": false,
					"properties": {"password": {"type": "string", "minLength": 8, "writeOnly": true, "description": "Password of the account."}}
				},
				"servers": {"type": "array", "maxItems": 2, "items": {"type": "string"}}
			}
		}
	}
}`

var (
	message = []plugv1.EventKind{plugv1.EventKind_EVENT_KIND_MESSAGE}
	say     = []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_MESSAGE}

	binaries = map[string]*plugv1.DescribeResponse{
		"irc":     {Name: "irc", Emits: message, Accepts: say, ConfigSchema: ircSchema},
		"xmpp":    {Name: "xmpp", Emits: message, Accepts: say},
		"discord": {Name: "discord", Emits: message, Accepts: say, ConfigSchema: `{"type": "object"}`},
		"rss":     {Name: "rss", Emits: message},
		"pager":   {Name: "pager", Accepts: say},
		"weather": {Name: "weather"},
		"broken":  {Name: "broken", ConfigSchema: `{"type": 7}`},
		"remote":  {Name: "remote", ConfigSchema: `{"$ref": "file:///etc/passwd"}`},
		"crashes": nil,
	}
)

// describe answers like the binaries.
func describe(_ context.Context, _ id.InstanceName, path string) (*plugv1.DescribeResponse, error) {
	if facts := binaries[filepath.Base(path)]; facts != nil {
		return facts, nil
	}
	return nil, errors.New("killed by SIGSEGV")
}

// write writes a config beside its plugs and gives its path.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name := range binaries {
		writeFile(t, filepath.Join(dir, "plugs", name), "", 0o755)
	}
	file := filepath.Join(dir, "plughost.yaml")
	writeFile(t, file, text, 0o600)
	return file
}

func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Load(t.Context(), write(t, text), describe, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

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

func TestLoadEverything(t *testing.T) {
	t.Setenv("XMPP_PASSWORD", "s3cret")
	file := write(t, `# everything that there is
version: 1
timezone: Europe/Berlin
data_dir: data
plugs_dir: ./plugs
plugs:
  libera:
    use: irc
    label: IRC
    config: {server: irc.libera.chat, port: 6697, nick: commbot, tls: true}
  jabber: {use: xmpp}
  discord:
    use: discord
    config: {token: "${env:XMPP_PASSWORD}", guild: 18446744073709551615}
defaults: {name: "{name} ({network})"}
conversations:
  dev:
    members: [libera/#dev, jabber/dev@muc.example.org, discord/112233445566778899]
    at: {libera: {name: "<{name}> "}, discord: {mass_mentions: text}}
    mass_mentions: allow
  help:
    name: "{name}: "
    members:
      - {channel: libera/#help, name: "[{plug}] {name} "}
      - {channel: "jabber/help@muc.example.org", direction: both, mass_mentions: allow}
    at: {libera: {name: "<{name}> "}}
  news:
    members:
      - {channel: discord/5, direction: in}
      - {channel: "libera/#news", direction: out}
    at: {libera: {mass_mentions: allow}}
journal: {sync: always, keep: 3d12h}
settle_timeout: 20s
supervision: {ready_reset: 5s, backoff_min: 2s, backoff_max: 2m, healthy_reset: 10m, max_exits: 3, exits_window: 5m, probe_every: 1h}
`)
	c, err := config.Load(t.Context(), file, describe, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantNoProblems(t, c)
	dir := filepath.Dir(file)
	channel := func(plug id.InstanceName, source id.ChannelSource) hook.Channel {
		return hook.Channel{Plug: plug, Source: source}
	}
	want := host.Options{
		DataDir: filepath.Join(dir, "data"),
		Plugs: []host.Plug{
			{Name: "libera", Path: filepath.Join(dir, "plugs/irc"), Label: "IRC", Config: []byte(`{"nick":"commbot","port":6697,"server":"irc.libera.chat","tls":true}`)},
			{Name: "jabber", Path: filepath.Join(dir, "plugs/xmpp"), Config: []byte(`{}`)},
			{Name: "discord", Path: filepath.Join(dir, "plugs/discord"), Config: []byte(`{"guild":18446744073709551615,"token":"s3cret"}`)},
		},
		Conversations: []host.Conversation{
			{Name: "dev", Members: []host.Member{
				{Channel: channel("libera", "#dev"), Name: "<{name}> ", MassMentions: true},
				{Channel: channel("jabber", "dev@muc.example.org"), Name: "{name} ({network})", MassMentions: true},
				{Channel: channel("discord", "112233445566778899"), Name: "{name} ({network})"},
			}},
			{Name: "help", Members: []host.Member{
				{Channel: channel("libera", "#help"), Name: "[{plug}] {name} "},
				{Channel: channel("jabber", "help@muc.example.org"), Name: "{name}: ", MassMentions: true},
			}},
			{Name: "news", Members: []host.Member{
				{Channel: channel("discord", "5"), Direction: host.In, Name: "{name} ({network})"},
				{Channel: channel("libera", "#news"), Direction: host.Out, Name: "{name} ({network})", MassMentions: true},
			}},
		},
		JournalSync:   -1,
		KeepEvents:    84 * time.Hour,
		SettleTimeout: 20 * time.Second,
		TimeZone:      "Europe/Berlin",
		Supervision: host.Supervision{
			ReadyReset: 5 * time.Second, BackoffMin: 2 * time.Second, BackoffMax: 2 * time.Minute, HealthyReset: 10 * time.Minute,
			MaxExits: 3, ExitsWindow: 5 * time.Minute, ProbeEvery: time.Hour,
		},
	}
	if !reflect.DeepEqual(c.Options, want) {
		t.Errorf("options:\n got %+v\nwant %+v", c.Options, want)
	}
	if want := []id.InstanceName{"libera", "jabber", "discord"}; !reflect.DeepEqual(c.Plugs, want) {
		t.Errorf("plugs %v, want %v", c.Plugs, want)
	}
}

func TestDefaults(t *testing.T) {
	file := write(t, "version: 1\nplugs: {a: {use: xmpp}}\n")
	c, err := config.Load(t.Context(), file, describe, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantNoProblems(t, c)
	want := host.Options{
		DataDir:       filepath.Join(filepath.Dir(file), "plughost-data"),
		Plugs:         []host.Plug{{Name: "a", Path: filepath.Join(filepath.Dir(file), "plugs/xmpp"), Config: []byte(`{}`)}},
		Conversations: []host.Conversation{},
		TimeZone:      "UTC",
	}
	if !reflect.DeepEqual(c.Options, want) {
		t.Errorf("options:\n got %+v\nwant %+v", c.Options, want)
	}
}

// A source is what is written, however much it looks like something else.
func TestSourcesAreLiteral(t *testing.T) {
	c := load(t, `version: 1
plugs: {on: {use: xmpp}, "0123": {use: xmpp}, null: {use: xmpp}}
conversations:
  yes:
    members:
      - on/0123
      - 0123/-1001234
      - "on/1_000"
      - null/on
      - {channel: on/no}
      - on/~
      - 'on/a b/c#d'
      - on/1e3
      - on/0x1F
`)
	wantNoProblems(t, c)
	want := []string{"on/0123", "0123/-1001234", "on/1_000", "null/on", "on/no", "on/~", "on/a b/c#d", "on/1e3", "on/0x1F"}
	var got []string
	for _, m := range c.Options.Conversations[0].Members {
		got = append(got, m.Channel.String())
	}
	if !reflect.DeepEqual(got, want) || c.Options.Conversations[0].Name != "yes" {
		t.Errorf("conversation %s has %q, want %q", c.Options.Conversations[0].Name, got, want)
	}
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

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv(config.EnvVar, "")
	if _, err := os.Stat("/etc/plughost/plughost.yaml"); err == nil {
		t.Skip("this machine has a config of its own")
	}
	if file, err := config.Find(""); err == nil {
		t.Errorf("found %q where there is none", file)
	}
	writeFile(t, "plughost.yaml", "version: 1\n", 0o600)
	find := func(named, want string) {
		t.Helper()
		if file, err := config.Find(named); err != nil || file != want {
			t.Errorf("Find(%q) = %q, %v, want %q", named, file, err, want)
		}
	}
	find("", "plughost.yaml")
	t.Setenv(config.EnvVar, "/b.yaml")
	find("", "/b.yaml")
	find("/c.yaml", "/c.yaml")
}

// The data directory is found also where the config is otherwise wrong, so that
// the state of a host can be asked for while its config is being changed.
func TestDataDir(t *testing.T) {
	for text, want := range map[string]string{
		"data_dir: /var/lib/x\nplugs: 7\nwhat: {}\n": "/var/lib/x",
		"data_dir: x\n": "x",
		"version: 1\n":  "plughost-data",
	} {
		file := write(t, text)
		if !filepath.IsAbs(want) {
			want = filepath.Join(filepath.Dir(file), want)
		}
		if dir, err := config.DataDir(file); err != nil || dir != want {
			t.Errorf("%q: DataDir = %q, %v, want %q", text, dir, err, want)
		}
	}
	if dir, err := config.DataDir(write(t, "a: [\n")); err == nil {
		t.Errorf("DataDir = %q of what is no YAML", dir)
	}
	if dir, err := config.DataDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("DataDir = %q, %v of no file", dir, err)
	}
}

// I4: whatever is wrong with a secret or beside it, its value is never shown.
func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "hunter2"
	t.Setenv("SECRET", secret)
	c := load(t, `version: 1
plugs:
  a: {use: irc, config: {server: "${env:SECRET}", nick: "${env:SECRET}", url: "${env:SECRET} no", sasl: {password: "${env:SECRET}"}}}
  b: {use: irc, config: {server: s, port: "${env:SECRET}", mode: "${env:SECRET}", tls: "${env:SECRET}"}}
  c: {use: irc, config: {server: s, nick: hunter2, sasl: {password: hunter2}, url: "hunter2 no", mode: hunter2}}
  d: {use: irc, config: {server: "${hunter2}", nick: "${env:hunter2", from: [hunter2], servers: [hunter2, hunter2, hunter2]}}
`)
	if len(c.Problems) < 14 {
		t.Errorf("only %d problems: %v", len(c.Problems), c.Problems)
	}
	for _, p := range c.Problems {
		if strings.Contains(p.String(), secret) {
			t.Errorf("a problem shows the secret: %s", p)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"version: 1\nplugs: {a: {use: xmpp, config: {x: [1, -2.5e3, 0123, ~, \"${env:HOME}\"]}}}\nconversations: {c: {members: [a/1, {channel: a/2, direction: in}], at: {a: {name: x}}}}\n",
		"a: &x [*x]\n<<: {b: 1}\n? [a]\n: b\n!!str c: !t d\n--- e\n",
		"conversations: {a: {members: [a/1, a/2]}, b: {members: [a/2, a/1]}}\nplugs: {a: {use: irc}}\n",
		"journal: {sync: 1d1s, keep: 9999999999999999d}\nsupervision: {max_exits: 1e9}\n",
		"plugs:\n  a: {use: ../../etc/passwd}\n  b: {use: [}\n",
	} {
		f.Add([]byte(text))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(dir, "plughost.yaml")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(t.Context(), file, describe, nil)
		if err != nil {
			if len(data) <= 1<<20 {
				t.Fatal(err)
			}
			return
		}
		for _, p := range c.Problems {
			if p.What == "" || strings.ContainsRune(p.What, '\n') || strings.ContainsRune(p.Cure, '\n') {
				t.Errorf("a problem is not one line: %q", p.String())
			}
		}
		if c.Runnable() {
			if _, err := host.New(c.Options); err != nil {
				t.Errorf("a config without a problem makes options that cannot be: %v", err)
			}
		}
	})
}
