package contract

import (
	"fmt"
	"slices"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// SameChannelError says that two channels of the config are one channel of the
// network: a mistake in the config, not of the plug.
type SameChannelError struct {
	// Requested are the two, as the operator wrote them.
	Requested [2]string
	// Source is what both are.
	Source string
}

// Error says what to do.
func (e *SameChannelError) Error() string {
	return fmt.Sprintf("channels %q and %q are one channel of the network, %q; keep one of them",
		e.Requested[0], e.Requested[1], e.Source)
}

// CheckDescribe fills in the defaults of an answer of Describe.
func CheckDescribe(resp *plugv1.DescribeResponse) {
	if resp.PutScope != plugv1.PutScope_PUT_SCOPE_CHANNEL {
		resp.PutScope = plugv1.PutScope_PUT_SCOPE_PLUG
	}
	resp.MaxConcurrentPuts = max(resp.MaxConcurrentPuts, 1)
}

// CheckStart checks an answer of Start that has no failure, and completes its
// channels: afterwards there is one status for each of req.Sources, in that
// order, with source and state filled in. Its error is a *SameChannelError, or
// a breach of the contract.
func CheckStart(req *plugv1.StartRequest, resp *plugv1.StartResponse) error {
	if err := RequiredID("network_id", resp.NetworkId); err != nil {
		return err
	}
	resp.NetworkName = CleanLine(resp.NetworkName)

	var err error
	resp.Channels, err = channelsOf(req.Sources, resp.Channels)
	return err
}

// channelsOf gives one status for each of the sources asked for, in that order. Its
// error is CheckStart's.
func channelsOf(sources []string, given []*plugv1.ChannelStatus) ([]*plugv1.ChannelStatus, error) {
	answered := make(map[string]*plugv1.ChannelStatus, len(given))
	for _, c := range given {
		switch {
		case !slices.Contains(sources, c.Requested):
			return nil, fmt.Errorf("it answered for channel %q, which was not asked for", CleanLine(c.Requested))
		case answered[c.Requested] != nil:
			return nil, fmt.Errorf("it answered twice for channel %q", c.Requested)
		}
		if err := optionalID("the source of channel "+c.Requested, c.Source); err != nil {
			return nil, err
		}
		answered[c.Requested] = c
	}

	all := make([]*plugv1.ChannelStatus, 0, len(sources))
	requestedAs := make(map[string]string, len(sources))
	for _, requested := range sources {
		c := answered[requested]
		if c == nil {
			c = &plugv1.ChannelStatus{Requested: requested}
		}
		completeChannel(c)
		if other, met := requestedAs[c.Source]; met {
			return nil, &SameChannelError{Requested: [2]string{other, requested}, Source: c.Source}
		}
		requestedAs[c.Source] = requested
		all = append(all, c)
	}
	return all, nil
}

func completeChannel(c *plugv1.ChannelStatus) {
	if c.Source == "" {
		c.Source = c.Requested
	}
	if _, known := plugv1.ChannelState_name[int32(c.State)]; !known || c.State == plugv1.ChannelState_CHANNEL_STATE_UNSPECIFIED {
		c.State = plugv1.ChannelState_CHANNEL_STATE_JOINED
	}
	c.Reason = CleanLine(c.Reason)
}
