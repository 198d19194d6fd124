// Command painter is a plug for a test: its network is a channel in which three people
// speak, one with a picture, one with a picture that no browser may show, one without.
package main

import (
	"context"
	"os"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

type painter struct {
	Picture string `json:"picture" jsonschema:"description=File with a picture."`
	session *plug.Session
}

func (p *painter) Start(_ context.Context, s *plug.Session) (*plug.Started, error) {
	p.session = s
	return &plug.Started{NetworkID: "painter", NetworkName: "Painters"}, s.Config(p)
}

func (p *painter) Stop(context.Context) error { return nil }

func (p *painter) Receive(ctx context.Context, q *plug.Queue, _ plug.Cursors) error {
	picture, err := os.ReadFile(p.Picture)
	if err != nil {
		return err
	}
	for _, said := range []struct{ name, text, picture string }{
		{"Clara Peeters", "I have a picture", string(picture)},
		{"Mallory", "mine would do harm", `<svg xmlns="http://www.w3.org/2000/svg"><script>parent.hacked = true</script></svg>`},
		{"Otto Dix", "I have none", ""},
	} {
		e := plug.NewMessage("studio", said.name, said.text, plugv1.Own_OWN_NO)
		e.Author = &plugv1.User{Id: said.name, DisplayName: said.name}
		if said.picture != "" {
			f, err := p.session.Spool().Create("picture")
			if err != nil {
				return err
			}
			if _, err := f.Write([]byte(said.picture)); err != nil {
				return err
			}
			file, err := f.Commit()
			if err != nil {
				return err
			}
			e.Author.Avatar = &plugv1.Avatar{Hash: said.name, File: file}
		}
		if err := q.Event(ctx, e); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func main() {
	plug.Serve(plug.Definition{Name: "painter", Version: "1.0.0", Network: "Painters", Config: painter{},
		Abilities: &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE}, New: func() plug.Plug { return &painter{} }})
}
