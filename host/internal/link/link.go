package link

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// describeTimeout is short: Describe touches no network and no config.
	describeTimeout = 5 * time.Second
	// defaultStartTimeout leaves room for slow logins.
	defaultStartTimeout = 60 * time.Second
	// stopMargin is what the Stop call gets over the grace that the plug is told,
	// for the way there and back.
	stopMargin = time.Second
	// refusalsLogged and refusalsEvery bound the log against a plug that sends
	// nothing but breaches: the first few, then one in each interval.
	refusalsLogged = 5
	refusalsEvery  = 30 * time.Second
)

// Conn is the connection to a plug: *grpc.ClientConn, and what Put has to know of it.
type Conn interface {
	grpc.ClientConnInterface
	// GetState, Connect and WaitForStateChange are grpc.ClientConn's.
	GetState() connectivity.State
	Connect()
	WaitForStateChange(context.Context, connectivity.State) bool
}

// Link is a typed client to one live plug. All methods may be called
// concurrently; the order that the contract asks for (Describe, Start, then
// Puts and the stream, then Stop) is the caller's.
type Link struct {
	conn         Conn
	client       plugv1.PlugClient
	name         id.InstanceName
	log          hclog.Logger
	startTimeout time.Duration

	refused  atomic.Uint64
	refusals rate.Sometimes

	// puts counts running Puts. Add is called with mu held and quiesced false
	// only, so that nothing is added once Quiesce waits.
	puts sync.WaitGroup
	// putsCtx ends when Quiesce cuts the running Puts off.
	putsCtx context.Context
	cutPuts context.CancelCauseFunc

	mu       sync.Mutex
	quiesced bool      // no new Puts
	stream   *Stream   // the one that is open, or being opened; nil: none
	network  time.Time // newest last_network_activity, by a clock that nobody sets
	answered time.Time // Start's answer, or the newest on the stream
	reported time.Time // the last last_network_activity, by the plug's clock
}

// Option changes a Link in New.
type Option func(*Link)

// WithStartTimeout sets the deadline of Start; 60 s without it.
func WithStartTimeout(d time.Duration) Option {
	return func(l *Link) { l.startTimeout = d }
}

// New returns the link to the plug at the other end of conn. It makes no call,
// and doesn't close conn. The name goes into errors and log lines.
func New(conn Conn, name id.InstanceName, log hclog.Logger, options ...Option) *Link {
	l := &Link{
		conn:         conn,
		client:       plugv1.NewPlugClient(conn),
		name:         name,
		log:          log.Named("link").With("plug", name),
		startTimeout: defaultStartTimeout,
		refusals:     rate.Sometimes{First: refusalsLogged, Interval: refusalsEvery},
	}
	l.putsCtx, l.cutPuts = context.WithCancelCause(context.Background())
	for _, o := range options {
		o(l)
	}
	return l
}

// sizes are the contract's limits of a gRPC message. They are set per call, so
// that they hold whatever the connection was made with.
func sizes() []grpc.CallOption {
	return []grpc.CallOption{
		grpc.MaxCallRecvMsgSize(plugv1.MaxMessageBytes),
		grpc.MaxCallSendMsgSize(plugv1.MaxMessageBytes),
	}
}

// Describe asks for the facts about the binary, within 5 s. Defaults of the
// contract are filled in: the put scope is PLUG or CHANNEL, max_concurrent_puts
// at least 1. Any error counts as a crash.
func (l *Link) Describe(ctx context.Context) (*plugv1.DescribeResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	resp, err := l.client.Describe(ctx, &plugv1.DescribeRequest{}, sizes()...)
	if err != nil {
		return nil, l.callError("describe", err)
	}
	contract.CheckDescribe(resp)
	return resp, nil
}

// Start asks the plug to connect, within its own deadline (WithStartTimeout).
//
// The answer is checked and completed: network_id is set, and channels has one
// status for each of req.Sources, in that order, with source and state filled
// in. What the plug itself says of a failure, and two channels that are one on
// the network, come back as a *StartError. Any other error (a gRPC error, an
// answer that breaks the contract) counts as a crash.
func (l *Link) Start(ctx context.Context, req *plugv1.StartRequest) (*plugv1.StartResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, l.startTimeout)
	defer cancel()
	resp, err := l.client.Start(ctx, req, sizes()...)
	if err != nil {
		return nil, l.callError("start", err)
	}
	if f := resp.Failure; f != nil {
		return nil, l.startError(f)
	}
	if err := contract.CheckStart(req, resp); err != nil {
		if same := (*contract.SameChannelError)(nil); errors.As(err, &same) {
			return nil, &StartError{
				Verdict: plugv1.StartVerdict_START_VERDICT_BAD_CONFIG,
				Message: same.Error(),
				plug:    l.name,
			}
		}
		return nil, l.breach("start", err)
	}
	l.mu.Lock()
	// To be connected is to have heard from the network. Without this a plug
	// that never reports activity would look silent from the first moment.
	l.network = time.Now()
	l.answered = l.network
	l.mu.Unlock()
	return resp, nil
}

// Stop asks the plug to disconnect and gives it grace for that; the call itself
// ends a second later, or with ctx. New Puts answer NOT_SENT from now on. The
// stream has to be read and acknowledged meanwhile: the plug flushes its queue
// to it. After an error the caller goes on to end the process.
func (l *Link) Stop(ctx context.Context, grace time.Duration) error {
	l.mu.Lock()
	l.quiesced = true
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, grace+stopMargin)
	defer cancel()
	_, err := l.client.Stop(ctx, &plugv1.StopRequest{Grace: durationpb.New(grace)}, sizes()...)
	if err != nil {
		return l.callError("stop", err)
	}
	return nil
}

// note takes a last_network_activity that was received now. The caller holds mu.
//
// Only its age is taken from the clock: what is noted doesn't move when the clock is set. A
// time ahead of the clock would hide a silence to come. And what is newer than what the
// plug has told before came since, whatever the clocks say of its age.
func (l *Link) note(activity *timestamppb.Timestamp, now time.Time) {
	if activity.IsValid() {
		at := activity.AsTime()
		age := max(now.Sub(at), 0)
		if at.After(l.reported) {
			age = min(age, now.Sub(l.answered))
		}
		l.reported = at
		if at := now.Add(-age); at.After(l.network) {
			l.network = at
		}
	}
	l.answered = now
}

// LastHeard tells since when the plug is silent on the stream, and when it last
// heard from its network.
//
// Only the time in which the host itself reads counts as silence (S3): stream is
// the moment at which Recv began to wait for the answer that it still waits for,
// which is never before the last answer. While nobody waits in Recv (no stream
// is open, or whoever reads it is busy storing what came) nothing can be said of
// the plug, and both times are the present.
//
// network is the newest last_network_activity, never in the future, and the
// time of Start before there is one.
func (l *Link) LastHeard() (stream, network time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stream == nil || l.stream.waitingSince.IsZero() {
		now := time.Now()
		return now, now
	}
	return l.stream.waitingSince, l.network
}

// Refused counts what was refused at the link so far: events, cursors, receipts
// and other parts of answers that broke the contract.
func (l *Link) Refused() uint64 { return l.refused.Load() }

// refuse counts one breach of the contract and logs it, at a bounded rate.
func (l *Link) refuse(what string, breach error) {
	n := l.refused.Add(1)
	l.refusals.Do(func() {
		l.log.Warn("refused a part of the plug's answer", "part", what, "breach", breach, "refused_so_far", n)
	})
}
