package backfill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Bounds of what fills one channel's part of a gap.
const (
	pageSize    = 100
	maxPages    = 100
	maxMessages = 5_000
	maxBytes    = 32 << 20
	maxAge      = 7 * 24 * time.Hour // before the gap's end
)

// noHistory is why a gap is not filled.
const noHistory = "the network has no history that the plug could read"

// History is what the plug's network keeps.
type History interface {
	ListMessages(ctx context.Context, r *plugv1.ListMessagesRequest, _ ...grpc.CallOption) (*plugv1.ListMessagesResponse, error)
}

// Intake has the gaps, and stores what fills them.
type Intake interface {
	// Gaps returns all gaps, oldest first, and a channel that is closed at a change.
	Gaps() ([]*journalv1.GapRecord, <-chan struct{})
	// Backfill stores messages that are not known yet, in order, and tells how many.
	Backfill(ctx context.Context, events []*plugv1.Event) (int, error)
	// CloseGap notes what became of a gap.
	CloseGap(ctx context.Context, gap *plugv1.Gap, filled int, lack string) error
}

// Options of Run. History is nil if the plug serves none.
type Options struct {
	Intake  Intake
	History History
	// Channels are those in use: a gap of the whole plug is one in each of them.
	Channels []id.ChannelSource
	Logger   hclog.Logger
}

// Run fills gaps, those that are open and those that come, until ctx ends.
func Run(ctx context.Context, o Options) {
	f := &filler{o, o.Logger.Named("backfill")}
	for ctx.Err() == nil {
		gaps, changed := o.Intake.Gaps()
		i := slices.IndexFunc(gaps, func(g *journalv1.GapRecord) bool { return g.ClosedTime == nil })
		if i >= 0 {
			f.fill(ctx, gaps[i].Gap)
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

type filler struct {
	Options
	log hclog.Logger
}

// fill fills one gap and closes it, unless ctx ends before.
func (f *filler) fill(ctx context.Context, gap *plugv1.Gap) {
	channels := f.Channels
	if gap.Scope != "" {
		channels = []id.ChannelSource{id.ChannelSource(gap.Scope)}
	}
	total := 0
	var lacks []string
	for _, c := range channels {
		n, lack, err := f.channel(ctx, c, gap)
		if err != nil {
			return
		}
		total += n
		if lack != "" && !slices.Contains(lacks, lack) {
			lacks = append(lacks, lack)
		}
	}
	lack := strings.Join(lacks, "; ")
	if f.Intake.CloseGap(ctx, gap, total, lack) == nil { // else ctx has ended: it is gone through again
		f.log.Info("a gap was closed", "scope", gap.Scope, "until", gap.Until.AsTime(), "filled", total, "lack", lack)
	}
}

// channel fills a gap in one channel. lack says what could not be filled; the error is
// the context's.
func (f *filler) channel(ctx context.Context, c id.ChannelSource, gap *plugv1.Gap) (filled int, lack string, err error) {
	messages, lack, err := f.list(ctx, c, gap)
	if err != nil {
		return 0, "", err
	}
	for part := range slices.Chunk(messages, plugv1.MaxBatchEvents) {
		n, err := f.Intake.Backfill(ctx, part)
		if err != nil {
			return 0, "", err
		}
		filled += n
	}
	return filled, lack, nil
}

// list reads a channel's messages backwards from the newest, and gives those of the
// gap, oldest first.
func (f *filler) list(ctx context.Context, c id.ChannelSource, gap *plugv1.Gap) (messages []*plugv1.Event, lack string, err error) {
	since := gap.Until.AsTime().Add(-maxAge)
	if gap.Since.AsTime().After(since) {
		since = gap.Since.AsTime()
	}
	var before *plugv1.Receipt
	bytes := 0
	defer func() { slices.Reverse(messages) }()
	for range maxPages {
		page, lack, err := f.page(ctx, c, before)
		if err != nil || lack != "" {
			return messages, lack, err
		}
		for _, e := range slices.Backward(page) {
			switch t := e.Time.AsTime(); {
			case t.Before(since):
				if gap.Since != nil && since.After(gap.Since.AsTime()) {
					return messages, fmt.Sprintf("what is older than %v is not read", maxAge), nil
				}
				return messages, "", nil
			case t.After(gap.Until.AsTime()):
				continue
			}
			if bytes += proto.Size(e); len(messages) == maxMessages || bytes > maxBytes {
				return messages, fmt.Sprintf("only the newest %d messages of a channel are read", len(messages)), nil
			}
			messages = append(messages, e)
		}
		if len(page) == 0 || page[0].MessageId == before.GetId() {
			return messages, "", nil // the network has no more
		}
		before = &plugv1.Receipt{Id: page[0].MessageId, Channel: string(c), Aliases: page[0].Aliases, Reference: page[0].Reference}
	}
	return messages, fmt.Sprintf("only the newest %d pages of a channel are read", maxPages), nil
}

// page asks for messages until it is answered. lack says why there is no answer to be
// had; the error is the context's.
func (f *filler) page(ctx context.Context, c id.ChannelSource, before *plugv1.Receipt) (page []*plugv1.Event, lack string, err error) {
	if f.History == nil {
		return nil, noHistory, nil
	}
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = time.Second, 5*time.Minute
	answer, err := backoff.Retry(ctx, func() (*plugv1.ListMessagesResponse, error) {
		answer, err := f.History.ListMessages(ctx, &plugv1.ListMessagesRequest{Channel: string(c), Before: before, Limit: pageSize})
		switch status.Code(err) {
		case codes.OK, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
			return answer, err
		}
		return nil, backoff.Permanent(err)
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		f.log.Warn("the history did not answer", "channel", string(c), "error", err, "next_try", next)
	}))
	switch {
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case status.Code(err) == codes.Unimplemented:
		return nil, noHistory, nil
	case err != nil:
		return nil, err.Error(), nil
	}
	return answer.Events, "", nil
}
