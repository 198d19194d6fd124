// Command stuckplug is a plug whose Put of the text "hang" never returns, the first time.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

type stuckPlug struct{ dir string }

func main() {
	plug.Serve(plug.Definition{Name: "stuckplug", Version: "0.0.0", Network: "stuck",
		Abilities: &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE, AuthorMode: plugv1.AuthorMode_AUTHOR_MODE_NATIVE,
			Limits: &plugv1.Limits{PutTimeout: durationpb.New(time.Second)},
			// Else what hangs is parked where its second attempt waits behind the first
			// when the process ends.
			IdempotentPut: &plugv1.IdempotentPut{Window: durationpb.New(time.Hour)}},
		New: func() plug.Plug { return &stuckPlug{} }})
}

func (p *stuckPlug) Start(_ context.Context, s *plug.Session) (*plug.Started, error) {
	p.dir = s.StateDir
	return &plug.Started{NetworkID: "test:stuck"}, nil
}

func (*stuckPlug) Stop(context.Context) error { return nil }

// Put notes what was said in a file, each text once; that it hung is one too, for the next
// process.
func (p *stuckPlug) Put(_ context.Context, part *plug.Part) (*plugv1.Receipt, error) {
	if part.Text == "hang" {
		if f, err := os.OpenFile(filepath.Join(p.dir, "hung"), os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			_ = f.Close()
			select {} // deaf to the deadline
		}
	}
	path := filepath.Join(p.dir, "said")
	before, _ := os.ReadFile(path) // there is none yet
	if slices.Contains(strings.Fields(string(before)), part.Text) {
		return &plugv1.Receipt{Id: part.OperationID}, nil
	}
	said, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, plug.NotSent(err)
	}
	defer said.Close()
	_, err = fmt.Fprintln(said, part.Text)
	return &plugv1.Receipt{Id: part.OperationID}, err
}
