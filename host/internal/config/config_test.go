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
journal: {sync: always, keep: 3d12h, max_bytes: 2GiB, ballast: 64MiB, map: {keep: 30d, max_entries: 5000}}
files: {keep: 2d, max_bytes: 5GiB, max_file_bytes: 100MB}
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
		JournalSync: -1,
		KeepEvents:  84 * time.Hour,

		JournalMaxBytes: 2 << 30,
		JournalBallast:  64 << 20,
		KeepCopies:      30 * 24 * time.Hour,
		MaxCopies:       5000,
		Files:           host.Files{Keep: 48 * time.Hour, MaxBytes: 5 << 30, MaxFileBytes: 100_000_000},

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
