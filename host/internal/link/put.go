package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/internal/link/contract"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// putMargin is the time between the deadline that a plug is told and the RPC's
// own (O5): in it the plug may still answer, and nothing of it may still send.
const putMargin = 5 * time.Second

var (
	errQuiesced = errors.New("the plug is being stopped")
	errCut      = errors.New("the plug was stopped before it answered")
	errNoPlug   = errors.New("there is no connection to the plug")
)

// Put asks for one action. It gives the plug timeout, counted from now, and
// ends at most 5 s after that, or with ctx; ctx should live longer than both.
// req is not changed: its copy is cleaned (text and names, as the contract has
// them) and gets the deadline.
//
// It never fails: the answer has either receipts or a failure, with a verdict
// that is one of the contract's.
//   - NOT_SENT, if the call never began: Quiesce or Stop came before, or ctx had
//     ended.
//   - REFUSED, if it never can: the request is over a size or can't be encoded.
//   - UNCERTAIN, if it began and gRPC gave an error, whatever its code, or the
//     answer breaks the contract.
//   - Else what the plug answered, checked, with the channel asked for filled in
//     where a receipt names none.
func (l *Link) Put(ctx context.Context, req *plugv1.PutRequest, timeout time.Duration) *plugv1.PutResponse {
	deadline := time.Now().Add(timeout)
	out, err := prepare(req, deadline)
	if err != nil {
		return contract.Failure(plugv1.Verdict_VERDICT_REFUSED, err.Error())
	}
	if !l.beginPut() {
		return notSent(errQuiesced)
	}
	defer l.puts.Done()
	if ctx.Err() != nil {
		return notSent(context.Cause(ctx))
	}

	rpc, cancel := context.WithDeadline(ctx, deadline.Add(putMargin))
	defer cancel()
	released := context.AfterFunc(l.putsCtx, cancel)
	defer released()

	if err := l.connected(rpc); err != nil {
		return notSent(err)
	}
	var taken peer.Peer
	resp, err := l.client.Put(rpc, out, append(sizes(), grpc.Peer(&taken))...)
	if err != nil {
		if taken.Addr == nil { // gRPC never had a stream for it: nothing left this process
			return notSent(fmt.Errorf("%w: %s", errNoPlug, rpcText(err)))
		}
		if l.putsCtx.Err() != nil {
			err = context.Cause(l.putsCtx)
		}
		return contract.Failure(plugv1.Verdict_VERDICT_UNCERTAIN, rpcText(err))
	}
	makes := out.Action.GetMessage() != nil || out.Action.GetEdit() != nil
	return contract.CheckPut(resp, req.Channel, makes, l.refuse)
}

// prepare makes the request that goes out. Encoding it once more than needed
// costs about a microsecond and finds whatever gRPC would refuse to encode,
// which would look like a call that began.
func prepare(req *plugv1.PutRequest, deadline time.Time) (*plugv1.PutRequest, error) {
	out := proto.CloneOf(req)
	contract.CleanAction(out.Action)
	out.Deadline = timestamppb.New(deadline)
	if n := proto.Size(out.Action); n > plugv1.MaxEventBytes {
		return nil, fmt.Errorf("the action has %d bytes, allowed are %d", n, plugv1.MaxEventBytes)
	}
	if err := contract.RequiredID("channel", out.Channel); err != nil {
		return nil, err
	}
	encoded, err := proto.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	if n := len(encoded); n > plugv1.MaxMessageBytes {
		return nil, fmt.Errorf("the request has %d bytes, allowed are %d", n, plugv1.MaxMessageBytes)
	}
	return out, nil
}

func notSent(why error) *plugv1.PutResponse {
	return contract.Failure(plugv1.Verdict_VERDICT_NOT_SENT, why.Error())
}

// beginPut counts a Put as running, unless the link is quiesced.
func (l *Link) beginPut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiesced {
		return false
	}
	l.puts.Add(1)
	return true
}

// connected returns when there is a connection to the plug, or says that there is
// none. Between the end of a plug's process and the moment at which its supervisor
// knows, Puts would otherwise fail one after another in a way that looks like a call
// that began, and make every channel's next operation uncertain.
func (l *Link) connected(ctx context.Context) error {
	for {
		state := l.conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return errNoPlug
		case connectivity.Idle:
			l.conn.Connect()
		}
		if !l.conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("%w: %w", errNoPlug, context.Cause(ctx))
		}
	}
}

// Quiesce ends Puts: new ones answer NOT_SENT from now on. It waits for those
// that run; when ctx ends before them, it cuts them off, which makes them
// UNCERTAIN, and waits for that too, which is a matter of moments. It may be
// called more than once. There is no way back: a new life of the plug has a new
// Link.
func (l *Link) Quiesce(ctx context.Context) {
	l.mu.Lock()
	l.quiesced = true
	l.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.puts.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		l.cutPuts(errCut)
		<-ended
	}
}
