// Command brokenplug is a plug without an SDK that sends answers which gRPC, or the
// host, can't take: which follows from its config.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protowire"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// brokenAnswers are what stands in an answer that ends a stream, by the config's kind.
var brokenAnswers = map[string][]byte{
	"too large":    protowire.AppendBytes(protowire.AppendTag(nil, 1000, protowire.BytesType), make([]byte, plugv1.MaxMessageBytes)),
	"undecodable":  protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), []byte("caught up with \xff")),
	"out of order": nil, // with a number that is not the next
}

// brokenPlug is the plug. On each stream it says one message, waits until
// that is acknowledged, and sends a broken answer; from its second process on it goes on
// with the stream. What happens to it is a line of a file in its state directory.
type brokenPlug struct {
	plugv1.UnimplementedPlugServer
	kind, out string
}

func main() {
	l, err := net.Listen("unix", filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s"))
	if err != nil {
		panic(err)
	}
	s := grpc.NewServer()
	plugv1.RegisterPlugServer(s, &brokenPlug{})
	alive := health.NewServer()
	alive.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s, alive)
	fmt.Printf("1|1|unix|%s|grpc\n", l.Addr())
	panic(s.Serve(l))
}

func (p *brokenPlug) Describe(context.Context, *plugv1.DescribeRequest) (*plugv1.DescribeResponse, error) {
	return &plugv1.DescribeResponse{Name: "brokenplug", Version: "0.0.0", Network: "broken", Emits: []plugv1.EventKind{plugv1.EventKind_EVENT_KIND_MESSAGE},
		Accepts: []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_MESSAGE}, Abilities: &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE}}, nil
}

func (p *brokenPlug) Start(_ context.Context, r *plugv1.StartRequest) (*plugv1.StartResponse, error) {
	var config struct{ Kind string }
	if err := json.Unmarshal([]byte(r.ConfigJson), &config); err != nil {
		return nil, err
	}
	p.kind = config.Kind
	p.out = filepath.Join(r.StateDir, "happened")
	if _, err := p.happened("start"); err != nil {
		return nil, err
	}
	return &plugv1.StartResponse{NetworkId: "broken:" + p.kind}, nil
}

func (p *brokenPlug) Stop(context.Context, *plugv1.StopRequest) (*plugv1.StopResponse, error) {
	return &plugv1.StopResponse{}, nil
}

// happened notes something, and tells all that has happened.
func (p *brokenPlug) happened(what string) ([]string, error) {
	f, err := os.OpenFile(p.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(f, what)
	err = errors.Join(err, f.Close())
	all, readErr := os.ReadFile(p.out)
	return strings.Fields(string(all)), errors.Join(err, readErr)
}

func (p *brokenPlug) StreamMessages(s grpc.BidiStreamingServer[plugv1.StreamMessagesRequest, plugv1.StreamMessagesResponse]) error {
	opened, err := s.Recv()
	if err != nil {
		return err
	}
	at := "nothing"
	if c := opened.GetOpen().GetCursors(); len(c) == 1 {
		at = string(c[0].Value)
	}
	all, err := p.happened("stream-from-" + at)
	if err != nil {
		return err
	}
	name := fmt.Sprint(len(all))
	err = s.Send(&plugv1.StreamMessagesResponse{Sequence: 1, Cursors: []*plugv1.Cursor{{Value: []byte(name)}},
		Events: []*plugv1.Event{message(name, "message "+name), message("first", "the first")}})
	if err != nil {
		return err
	}
	if _, err := s.Recv(); err != nil { // the acknowledgement
		return err
	}
	if strings.Count(strings.Join(all, " "), "start") == 1 {
		broken := &plugv1.StreamMessagesResponse{Sequence: 2}
		broken.ProtoReflect().SetUnknown(brokenAnswers[p.kind])
		if brokenAnswers[p.kind] == nil {
			broken.Sequence = 7
		}
		if err := s.Send(broken); err != nil {
			return err
		}
	}
	<-s.Context().Done()
	return s.Context().Err()
}

func message(name, text string) *plugv1.Event {
	return &plugv1.Event{EventId: name, MessageId: name, Channel: "c", Own: plugv1.Own_OWN_NO, Author: &plugv1.User{Id: "ann", DisplayName: "Ann"},
		Kind: &plugv1.Event_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}}}
}
