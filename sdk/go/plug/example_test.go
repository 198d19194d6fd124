package plug_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

type file struct {
	In      string `json:"in" jsonschema:"description=File whose new lines are the network's messages. It only grows."`
	Out     string `json:"out" jsonschema:"description=File that our messages are appended to."`
	in, out *os.File
}

func (f *file) Start(_ context.Context, s *plug.Session) (*plug.Started, error) {
	if err := s.Config(f); err != nil {
		return nil, err
	}
	in, err1 := os.OpenFile(f.In, os.O_CREATE|os.O_RDONLY, 0o600)
	out, err2 := os.OpenFile(f.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	f.in, f.out = in, out
	return &plug.Started{NetworkID: "file:" + f.In}, errors.Join(err1, err2)
}

func (f *file) Stop(context.Context) error { return errors.Join(f.in.Close(), f.out.Close()) }

func (f *file) Put(_ context.Context, p *plug.Part) (*plugv1.Receipt, error) {
	_, err := fmt.Fprintln(f.out, p.Text) // an error may leave half a line: uncertain
	return &plugv1.Receipt{Id: p.OperationID}, err
}

func (f *file) Receive(ctx context.Context, q *plug.Queue, cursors plug.Cursors) error {
	at, _ := f.in.Seek(0, io.SeekEnd) // without a cursor: from now on
	_, _ = fmt.Sscan(string(cursors[""]), &at)
	err := q.Cursor(ctx, plug.Cursor{Value: fmt.Append(nil, at)})
	for poll := time.Tick(time.Second / 10); err == nil && ctx.Err() == nil; {
		line, noLine := bufio.NewReader(io.NewSectionReader(f.in, at, 64<<10)).ReadString('\n')
		if noLine != nil {
			<-poll
			continue
		}
		e := plug.NewMessage("lines", fmt.Sprint(at), line[:len(line)-1], plugv1.Own_OWN_NO)
		at += int64(len(line))
		err = q.Event(ctx, e, plug.Cursor{Value: fmt.Append(nil, at)})
	}
	return err
}

func Example() { // main, in a program of its own
	plug.Serve(plug.Definition{Name: "file", Version: "0.1.0", Network: "File", New: func() plug.Plug { return &file{} },
		Config: file{}, Abilities: &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE, Resumable: true, Limits: &plugv1.Limits{TextLines: 1}}})
}
