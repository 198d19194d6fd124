package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Client asks the host of one data directory. Safe for concurrent use. The error
// of each call is ErrNoHost if none runs. Each call needs a deadline: a host that
// is stopped takes connections and does not answer.
type Client struct {
	transport *http.Transport
	http2     *http.Transport // for uploads: an answer may come before they end
	plugs     hostv1connect.PlugServiceClient
	messages  hostv1connect.MessageServiceClient
	events    hostv1connect.EventServiceClient
	channels  hostv1connect.ChannelServiceClient
	files     hostv1connect.FileServiceClient
}

// NewClient makes a client. Nothing is asked yet. Close it in the end.
func NewClient(dataDir string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dataDir) },
	}
	// The name stands in the request and means nothing: there is one socket.
	const host = "http://plughost"
	c := &http.Client{Transport: transport}
	http2 := &http.Transport{DialContext: transport.DialContext, Protocols: new(http.Protocols)}
	http2.Protocols.SetUnencryptedHTTP2(true)
	return &Client{
		transport: transport,
		http2:     http2,
		plugs:     hostv1connect.NewPlugServiceClient(c, host),
		messages:  hostv1connect.NewMessageServiceClient(c, host),
		events:    hostv1connect.NewEventServiceClient(c, host),
		channels:  hostv1connect.NewChannelServiceClient(c, host),
		files:     hostv1connect.NewFileServiceClient(&http.Client{Transport: http2}, host),
	}
}

// Close ends idle connections.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.http2.CloseIdleConnections()
}

// Plugs lists every plug instance in the config's order.
func (c *Client) Plugs(ctx context.Context) ([]host.Status, error) {
	response, err := c.plugs.ListPlugs(ctx, &hostv1.ListPlugsRequest{})
	if err != nil {
		return nil, plain(err)
	}
	all := make([]host.Status, len(response.Plugs))
	for i, s := range response.Plugs {
		all[i] = fromProto(s)
	}
	return all, nil
}

// Restart restarts a plug instance.
func (c *Client) Restart(ctx context.Context, plug id.InstanceName) error {
	_, err := c.plugs.RestartPlug(ctx, &hostv1.RestartPlugRequest{Plug: string(plug)})
	return plain(err)
}

// Stop stops a plug instance until it is started again; Start starts it.
func (c *Client) Stop(ctx context.Context, plug id.InstanceName) error {
	_, err := c.plugs.StopPlug(ctx, &hostv1.StopPlugRequest{Plug: string(plug)})
	return plain(err)
}

// Start starts a plug instance that was stopped.
func (c *Client) Start(ctx context.Context, plug id.InstanceName) error {
	_, err := c.plugs.StartPlug(ctx, &hostv1.StartPlugRequest{Plug: string(plug)})
	return plain(err)
}

// Send has an action accepted, and returns what became of it so far.
func (c *Client) Send(ctx context.Context, r *hostv1.SendRequest) (*hostv1.Operation, error) {
	response, err := c.messages.Send(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	return response.Operation, nil
}

// Wait returns an operation when it is known what became of it.
func (c *Client) Wait(ctx context.Context, operation string) (*hostv1.Operation, error) {
	response, err := c.messages.GetOperation(ctx, &hostv1.GetOperationRequest{OperationId: operation, Wait: true})
	if err != nil {
		return nil, plain(err)
	}
	return response.Operation, nil
}

// Queues tells what waits and what is parked.
func (c *Client) Queues(ctx context.Context) ([]*hostv1.Queue, error) {
	response, err := c.messages.ListQueues(ctx, &hostv1.ListQueuesRequest{})
	if err != nil {
		return nil, plain(err)
	}
	return response.Queues, nil
}

// Parked lists what is parked, oldest first.
func (c *Client) Parked(ctx context.Context, r *hostv1.ListParkedRequest) ([]*hostv1.ParkedOperation, error) {
	response, err := c.messages.ListParked(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	return response.Parked, nil
}

// ParkedOperation gives one parked operation.
func (c *Client) ParkedOperation(ctx context.Context, operation string) (*hostv1.ParkedOperation, error) {
	response, err := c.messages.GetParked(ctx, &hostv1.GetParkedRequest{OperationId: operation})
	if err != nil {
		return nil, plain(err)
	}
	return response.Parked, nil
}

// RetryParked puts parked operations back.
func (c *Client) RetryParked(ctx context.Context, s *hostv1.ParkedSelection) ([]*hostv1.PutBackOperation, error) {
	response, err := c.messages.RetryParked(ctx, &hostv1.RetryParkedRequest{Selection: s})
	if err != nil {
		return nil, plain(err)
	}
	return response.PutBack, nil
}

// DropParked gives parked operations up for good, and returns which.
func (c *Client) DropParked(ctx context.Context, s *hostv1.ParkedSelection) ([]string, error) {
	response, err := c.messages.DropParked(ctx, &hostv1.DropParkedRequest{Selection: s})
	if err != nil {
		return nil, plain(err)
	}
	return response.OperationIds, nil
}

// Channels lists channels of a plug's network.
func (c *Client) Channels(ctx context.Context, r *hostv1.ListChannelsRequest) ([]*plugv1.Channel, error) {
	response, err := c.channels.ListChannels(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	return response.Channels, nil
}

// Logs calls see with lines of a plug's log. With follow it returns why it ended,
// never nil.
func (c *Client) Logs(ctx context.Context, r *hostv1.ReadLogsRequest, see func(*hostv1.ReadLogsResponse)) error {
	stream, err := c.plugs.ReadLogs(ctx, r)
	if err != nil {
		return plain(err)
	}
	defer stream.Close()
	for stream.Receive() {
		see(stream.Msg())
	}
	if err := stream.Err(); err != nil || !r.Follow {
		return plain(err)
	}
	return errors.New("the host ended the log")
}

// Tail calls see with each entry of a subscription, until ctx ends or the host does.
// It returns why it ended, never nil.
func (c *Client) Tail(ctx context.Context, r *hostv1.SubscribeRequest, see func(*hostv1.SubscribeResponse)) error {
	stream, err := c.events.Subscribe(ctx, r)
	if err != nil {
		return plain(err)
	}
	defer stream.Close()
	for stream.Receive() {
		see(stream.Msg())
	}
	if err := stream.Err(); err != nil {
		return plain(err)
	}
	return errors.New("the host ended the subscription")
}

// Watch calls see with every plug instance, in the config's order, then with every
// change, until ctx ends or the host does. It returns why it ended, never nil.
func (c *Client) Watch(ctx context.Context, see func(host.Status)) error {
	stream, err := c.plugs.WatchPlugs(ctx, &hostv1.WatchPlugsRequest{})
	if err != nil {
		return plain(err)
	}
	defer stream.Close()
	for stream.Receive() {
		see(fromProto(stream.Msg().Plug))
	}
	if err := stream.Err(); err != nil {
		return plain(err)
	}
	return errors.New("the host ended the watch")
}

// ErrRequest is of a request that the host can't understand.
var ErrRequest = errors.New("")

// plain takes the protocol's code from before an error's words.
func plain(err error) error {
	coded := (*connect.Error)(nil)
	if !errors.As(err, &coded) || coded.Unwrap() == nil {
		return err
	}
	if coded.Code() == connect.CodeInvalidArgument {
		return fmt.Errorf("%w%w", ErrRequest, coded.Unwrap())
	}
	return coded.Unwrap()
}
