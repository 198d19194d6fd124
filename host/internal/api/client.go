package api

import (
	"context"
	"errors"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

// Client asks the host of one data directory. Safe for concurrent use. The error
// of each call is ErrNoHost if none runs. Each call needs a deadline: a host that
// is stopped takes connections and does not answer.
type Client struct {
	transport *http.Transport
	plugs     hostv1connect.PlugServiceClient
}

// NewClient makes a client. Nothing is asked yet. Close it in the end.
func NewClient(dataDir string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dataDir) },
	}
	// The name stands in the request and means nothing: there is one socket.
	return &Client{transport: transport, plugs: hostv1connect.NewPlugServiceClient(&http.Client{Transport: transport}, "http://plughost")}
}

// Close ends idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

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

// plain takes the protocol's code from before an error's words.
func plain(err error) error {
	if coded := (*connect.Error)(nil); errors.As(err, &coded) && coded.Unwrap() != nil {
		return coded.Unwrap()
	}
	return err
}
