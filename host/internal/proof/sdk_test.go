package proof

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// The same with the real SDK in the plug: the model is the network and the
// author's code only.
func TestSchedulesOverSDK(t *testing.T) {
	n := howMany(t, 500, 50)
	counts := check(t, n, overSDK)
	fmt.Printf("%d schedules over the SDK:\n%v", n, counts)
}

// overSDK connects the host to a process whose plug is served by the SDK.
func overSDK(l *life, p *process) Link {
	sdk, err := plug.NewServer(plug.Definition{
		Name: "model", Version: "1.0.0", Network: "Model",
		PutScope: p.net.Scope, MaxConcurrentPuts: p.net.Concurrent,
		New: func() plug.Plug { return &author{process: p} },
	}, hclog.NewNullLogger())
	if err != nil {
		panic(err) // the definition is a constant
	}
	stream := func(srv any, g grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		ctx, cancel := context.WithCancel(g.Context())
		defer cancel()
		p.update(func() { p.onCut = cancel })
		return handle(srv, &cutStream{g, ctx})
	}
	w := serve(p, sdk, grpc.ChainUnaryInterceptor(p.sever), grpc.StreamInterceptor(stream))
	p.tasks.Go(func() {
		<-p.dead
		_, _ = sdk.Stop(context.Background(), &plugv1.StopRequest{Grace: durationpb.New(time.Millisecond)}) // ends what a process would take with it
	})
	if _, err := w.Describe(l.ctx); err == nil {
		_, _ = w.Start(l.ctx, &plugv1.StartRequest{Instance: string(p.net.id), StateDir: "/", SpoolDir: "/"}) // fails only if the process has died
	}
	return w
}

// cutStream is a stream that ends before its connection does.
type cutStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *cutStream) Context() context.Context { return s.ctx }

// sever ends RPCs early, as a broken connection does, while the plug works on.
func (p *process) sever(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	r, ok := request.(*plugv1.PutRequest)
	if !ok {
		return handle(ctx, request)
	}
	fate, _ := p.run.fate(r)
	if fate.Sever == 0 {
		return handle(ctx, request)
	}
	ctx, cancel := context.WithTimeout(ctx, fate.Sever)
	type answer struct {
		response any
		err      error
	}
	answered := make(chan answer, 1)
	p.tasks.Go(func() {
		defer cancel()
		response, err := handle(ctx, request)
		p.run.witness.sent(r) // also if the author's code was never called
		answered <- answer{response, err}
	})
	<-ctx.Done()
	select {
	case a := <-answered:
		return a.response, a.err
	default:
		return nil, errSever
	}
}

// author is the code of a plug's author.
type author struct{ process *process }

func (a *author) Start(context.Context, *plug.Session) (*plug.Started, error) {
	return &plug.Started{NetworkID: string(a.process.net.id), Abilities: a.process.net.abilities()}, nil
}

func (a *author) Stop(context.Context) error { return nil }

func (a *author) Receive(ctx context.Context, q *plug.Queue, cursors plug.Cursors) error {
	p := a.process
	if !p.net.Resumable {
		p.run.witness.saidAll(p, "")
	}
	defer context.AfterFunc(ctx, func() { p.update(func() { p.stopping = true }) })()
	var from []*plugv1.Cursor
	for scope, value := range cursors {
		from = append(from, &plugv1.Cursor{Scope: scope, Value: value})
	}
	p.emit = func(i *item) bool { return a.queue(ctx, q, i) == nil }
	p.pickUp(from)
	return errors.New("the end")
}

func (a *author) queue(ctx context.Context, q *plug.Queue, i *item) error {
	var after []plug.Cursor
	if i.cursor != nil {
		after = []plug.Cursor{{Scope: i.cursor.Scope, Value: i.cursor.Value}}
	}
	switch {
	case i.entry != nil:
		return q.Event(ctx, proto.CloneOf(i.entry.event), after...)
	case i.caughtUp != nil:
		a.process.run.witness.saidAll(a.process, *i.caughtUp)
		return q.CaughtUp(ctx, string(*i.caughtUp))
	case i.gap != nil:
		return q.Gap(ctx, i.gap)
	default:
		return q.Cursor(ctx, after[0])
	}
}

func (a *author) PutWhole(_ context.Context, w *plug.Whole) ([]*plugv1.Receipt, error) {
	p := a.process
	r := &plugv1.PutRequest{OperationId: w.OperationID, Channel: w.Channel, Attempt: w.Attempt, Sent: w.Sent, Deadline: timestamppb.New(w.Deadline)}
	fate, parts := p.run.fate(r)
	response := p.work(r, fate, parts)
	if response == nil {
		return nil, errDead
	}
	p.run.witness.reports(r, response)
	f := response.Failure
	if f == nil {
		return response.Receipts, nil
	}
	err := map[plugv1.Verdict]func(error) error{
		plugv1.Verdict_VERDICT_NOT_SENT:    plug.NotSent,
		plugv1.Verdict_VERDICT_UNCERTAIN:   plug.Uncertain,
		plugv1.Verdict_VERDICT_REFUSED:     plug.Refused,
		plugv1.Verdict_VERDICT_TARGET_GONE: plug.TargetGone,
		plugv1.Verdict_VERDICT_UNSUPPORTED: plug.Unsupported,
		plugv1.Verdict_VERDICT_LOGGED_OUT:  plug.LoggedOut,
		plugv1.Verdict_VERDICT_ALREADY:     func(error) error { return plug.Already() },
		plugv1.Verdict_VERDICT_RATE_LIMITED: func(err error) error {
			return plug.RateLimited(err, f.RetryAfter.AsDuration())
		},
	}[f.Verdict](errors.New(f.Message))
	if f.Scope == plugv1.FailureScope_FAILURE_SCOPE_PLUG {
		err = plug.PlugWide(err)
	}
	return response.Receipts, plug.WithContinuation(err, f.Continuation)
}
