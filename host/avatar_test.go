package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// asPlug makes the test binary a plug: "painter" says three messages of authors with
// pictures, "gallery" notes which pictures it is given, "wall" can show none,
// "astray" puts messages elsewhere (see breach_test.go), "past" tells of what was said
// long ago (see catchup_test.go).
const asPlug = "PLUGHOST_TEST_AS_PLUG"

func servePlug(kind string) {
	abilities := &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE, AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE}
	if kind == "gallery" {
		abilities.Features = []plugv1.Feature{plugv1.Feature_FEATURE_AVATAR}
	}
	if kind == "astray" {
		serveAstray()
	}
	plug.Serve(plug.Definition{Name: kind, Version: "0.0.0", Network: kind, Config: visitors{}, Abilities: abilities,
		New: func() plug.Plug { return &visitors{kind: kind} }})
}

type visitors struct {
	Out string `json:"out,omitempty" jsonschema:"description=File that a line goes to for each message."`

	kind    string
	session *plug.Session
}

func (v *visitors) Start(_ context.Context, s *plug.Session) (*plug.Started, error) {
	v.session = s
	return &plug.Started{NetworkID: "test:" + v.kind}, s.Config(v)
}

func (v *visitors) Stop(context.Context) error { return nil }

// Receive says the painter's messages: the second has the picture's hash only, as a plug
// may that has given the picture before; the third has one that was never given.
func (v *visitors) Receive(ctx context.Context, q *plug.Queue, _ plug.Cursors) error {
	if v.kind == "past" {
		if err := sayPast(ctx, q); err != nil {
			return err
		}
	}
	if v.kind == "painter" {
		for i, hash := range []string{"smile", "smile", "unknown"} {
			e := plug.NewMessage("c", fmt.Sprint(i), fmt.Sprint("message ", i), plugv1.Own_OWN_NO)
			e.Author = &plugv1.User{Id: "ann", DisplayName: "Ann", Avatar: &plugv1.Avatar{Hash: hash}}
			if i == 0 {
				f, err := v.session.Spool().Create("smile.png")
				if err == nil {
					_, err = io.WriteString(f, picture)
				}
				if err != nil {
					return err
				}
				if e.Author.Avatar.File, err = f.Commit(); err != nil {
					return err
				}
			}
			if err := q.Event(ctx, e); err != nil {
				return err
			}
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

const picture = "the bytes of a smile"

func (v *visitors) Put(_ context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	seen := "no picture"
	if a := p.Author.GetUser().GetAvatar(); a != nil && a.File != nil {
		f, err := v.session.Spool().Open(a.File)
		if err != nil {
			return nil, plug.NotSent(err)
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return nil, plug.NotSent(err)
		}
		seen = fmt.Sprintf("%s %x", a.Hash, h.Sum(nil))
	}
	out, err := os.OpenFile(v.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, plug.NotSent(err)
	}
	_, err = fmt.Fprintln(out, p.Text, "by", p.Author.GetFormattedName(), "with", seen)
	if err == nil {
		err = out.Close()
	}
	return &plugv1.Receipt{Id: p.OperationID}, err
}

// An author's picture crosses to where it can be shown, also where the plug names only
// the one that it gave before; the message crosses anyhow.
func TestAvatarsCross(t *testing.T) {
	t.Parallel()
	o := childOptions{DataDir: dataDir(t)}
	gallery, wall := filepath.Join(t.TempDir(), "gallery"), filepath.Join(t.TempDir(), "wall")
	for kind, out := range map[string]string{"painter": "", "gallery": gallery, "wall": wall} {
		config, err := json.Marshal(visitors{Out: out})
		if err != nil {
			t.Fatal(err)
		}
		o.Plugs = append(o.Plugs, host.Plug{Name: id.InstanceName(kind), Path: os.Args[0], Env: []string{asPlug + "=" + kind}, Config: config})
	}
	c := bridge(channel("painter", "c"), channel("gallery", "c"))
	c.Members = append(c.Members, host.Member{Channel: channel("wall", "c"), Name: "{name}"})
	o.Conversations = []host.Conversation{c}
	h := startHost(t, o)
	smile := fmt.Sprintf("smile %x", sha256.Sum256([]byte(picture)))
	lines := func(path string) []string {
		b, _ := os.ReadFile(path) // there is none yet
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	until(t, "all messages have arrived", func() bool { return len(lines(gallery)) == 3 && len(lines(wall)) == 3 })
	h.stop()
	var want [2][]string
	for i, picture := range []string{smile, smile, "no picture"} {
		want[0] = append(want[0], fmt.Sprintf("message %d by Ann with %s", i, picture))
		want[1] = append(want[1], fmt.Sprintf("message %d by Ann with no picture", i))
	}
	for i, path := range []string{gallery, wall} {
		if got := lines(path); !slices.Equal(got, want[i]) {
			t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want[i], "\n\t"))
		}
	}
	if left, err := filepath.Glob(filepath.Join(o.DataDir, "plugs", "*", "spool", "*", "*")); err != nil || len(left) != 0 {
		t.Errorf("left in the spools: %q, %v", left, err)
	}
}
