package hostv1connect_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"connectrpc.com/connect"

	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// A bot of its own process, in Go: the generated client is all it needs. It answers
// "!ping" once each, whatever crashes.
func Example() {
	socket := exampleHost() // a real one's is api/plughost.sock in its data directory
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	events := hostv1connect.NewEventServiceClient(client, "http://plughost")
	messages := hostv1connect.NewMessageServiceClient(client, "http://plughost")

	err := bot(context.Background(), events, messages)
	fmt.Println(err) // the host stopped: subscribe again
	// Output:
	// somebody sends "pong" to libera/#dev for request 17
	// somebody acknowledges a1
	// unavailable: the host stops
}

func bot(ctx context.Context, events hostv1connect.EventServiceClient, messages hostv1connect.MessageServiceClient) error {
	// The name makes it durable: what is not acknowledged comes again.
	stream, err := events.Subscribe(ctx, &hostv1.SubscribeRequest{Name: "pinger"})
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		entry := stream.Msg()
		if d := entry.GetDelivery(); d != nil && !d.Ours && text(d.Event.GetMessage()) == "!ping" {
			_, err := messages.Send(ctx, &hostv1.SendRequest{
				Channel: d.Channel, Text: "pong", Client: "pinger",
				RequestId: d.Event.EventId, // the same question is the same answer
			})
			if err != nil {
				return err
			}
		}
		if entry.Ack != "" {
			if _, err := events.Acknowledge(ctx, &hostv1.AcknowledgeRequest{Name: "pinger", Ack: entry.Ack}); err != nil {
				return err
			}
		}
	}
	return stream.Err()
}

func text(m *plugv1.Message) (s string) {
	for _, segment := range m.GetText().GetSegments() {
		s += segment.Text
	}
	return s
}

// host is a host to which somebody said "!ping" before it stops.
type host struct {
	hostv1connect.UnimplementedEventServiceHandler
	hostv1connect.UnimplementedMessageServiceHandler
}

func (host) Subscribe(_ context.Context, _ *hostv1.SubscribeRequest, stream *connect.ServerStream[hostv1.SubscribeResponse]) error {
	said := &plugv1.Event{EventId: "17", Kind: &plugv1.Event_Message{Message: &plugv1.Message{
		Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "!ping"}}},
	}}}
	err := stream.Send(&hostv1.SubscribeResponse{Ack: "a1", Kind: &hostv1.SubscribeResponse_Delivery{
		Delivery: &hostv1.Delivery{Channel: "libera/#dev", Event: said},
	}})
	return errors.Join(err, connect.NewError(connect.CodeUnavailable, errors.New("the host stops")))
}

func (host) Acknowledge(_ context.Context, r *hostv1.AcknowledgeRequest) (*hostv1.AcknowledgeResponse, error) {
	fmt.Println("somebody acknowledges", r.Ack)
	return &hostv1.AcknowledgeResponse{}, nil
}

func (host) Send(_ context.Context, r *hostv1.SendRequest) (*hostv1.SendResponse, error) {
	fmt.Printf("somebody sends %q to %s for request %s\n", r.Text, r.Channel, r.RequestId)
	return &hostv1.SendResponse{}, nil
}

func exampleHost() (socket string) {
	dir, err := os.MkdirTemp("", "plughost-example")
	if err != nil {
		panic(err)
	}
	socket = filepath.Join(dir, "plughost.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle(hostv1connect.NewEventServiceHandler(host{}))
	mux.Handle(hostv1connect.NewMessageServiceHandler(host{}))
	go func() { _ = http.Serve(l, mux) }() // ends with the example
	return socket
}
