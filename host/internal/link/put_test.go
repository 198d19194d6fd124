package link

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	isNotSent   = plugv1.Verdict_VERDICT_NOT_SENT
	isUncertain = plugv1.Verdict_VERDICT_UNCERTAIN
)

func verdict(resp *plugv1.PutResponse) plugv1.Verdict { return resp.GetFailure().GetVerdict() }

// The plug gets a clean copy with its deadline; the caller's request stays as it
// was; the answer comes back completed.
func TestPut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got *plugv1.PutRequest
		var rpcDeadline time.Time
		l := connect(t, &fakePlug{OnPut: func(ctx context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
			got = r
			rpcDeadline, _ = ctx.Deadline()
			return receipts("1", "2"), nil
		}})
		req := putRequest("op")
		req.Action = message("a\r\nb\x00")
		req.Action.Author = &plugv1.Author{FormattedName: "al\nice: "}
		before := proto.CloneOf(req)

		began := time.Now()
		resp := l.Put(t.Context(), req, 30*time.Second)
		if resp.Failure != nil || len(resp.Receipts) != 2 || resp.Receipts[0].Channel != "#c" {
			t.Errorf("answer %v", resp)
		}
		if !proto.Equal(req, before) {
			t.Errorf("the caller's request was changed: %v", req)
		}
		if s := got.Action.GetMessage().Text.Segments[0].Text; s != "a\nb" {
			t.Errorf("text %q", s)
		}
		if s := got.Action.Author.FormattedName; s != "al ice: " {
			t.Errorf("name %q", s)
		}
		if d := got.Deadline.AsTime().Sub(began); d != 30*time.Second {
			t.Errorf("the plug has %v", d)
		}
		// gRPC sends a timeout, rounded, so the plug's side may be a little off.
		if d := rpcDeadline.Sub(began).Round(time.Second); d != 35*time.Second {
			t.Errorf("the RPC has %v", d)
		}
	})
}

// O5: whatever gRPC says of a Put that began, its outcome is uncertain.
func TestPutEveryCodeIsUncertain(t *testing.T) {
	t.Parallel()
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		l := connect(t, &fakePlug{OnPut: func(context.Context, *plugv1.PutRequest) (*plugv1.PutResponse, error) {
			return nil, status.Error(code, "why\nnot")
		}})
		resp := l.Put(t.Context(), putRequest("1"), time.Minute)
		if verdict(resp) != isUncertain || !strings.Contains(resp.Failure.Message, "why not") {
			t.Errorf("%v: %v", code, resp)
		}
	}
}

// I2, O5: a plug that never answers makes its Put uncertain, 5 s after the
// plug's own deadline.
func TestPutHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := connect(t, &fakePlug{OnPut: func(ctx context.Context, _ *plugv1.PutRequest) (*plugv1.PutResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		began := time.Now()
		resp := l.Put(context.Background(), putRequest("1"), 30*time.Second)
		if took := time.Since(began); verdict(resp) != isUncertain || took != 35*time.Second {
			t.Errorf("%v after %v", resp, took)
		}
	})
}

// A plug that is killed after the network took the message: gRPC says
// UNAVAILABLE, which is no proof of anything. The next Put finds no connection and
// never begins.
func TestPutPlugDies(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	l, server := connectServer(t, &fakePlug{OnPut: func(ctx context.Context, _ *plugv1.PutRequest) (*plugv1.PutResponse, error) {
		close(began)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	answer := make(chan *plugv1.PutResponse)
	go func() { answer <- l.Put(t.Context(), putRequest("1"), time.Minute) }()
	<-began
	server.Stop()
	if resp := <-answer; verdict(resp) != isUncertain {
		t.Errorf("got %v", resp)
	}
	if resp := l.Put(t.Context(), putRequest("2"), time.Minute); verdict(resp) != isNotSent {
		t.Errorf("without a plug: %v", resp)
	}
}

// An answer over gRPC's limit came from a plug that may well have sent.
func TestPutAnswerTooLarge(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnPut: func(context.Context, *plugv1.PutRequest) (*plugv1.PutResponse, error) {
		return receipts(strings.Repeat("x", plugv1.MaxMessageBytes)), nil
	}})
	resp := l.Put(t.Context(), putRequest("1"), time.Minute)
	if verdict(resp) != isUncertain || !strings.Contains(resp.Failure.Message, "ResourceExhausted") {
		t.Errorf("got %v", resp)
	}
}

// An answer that breaks the contract is counted, and the plug lives on.
func TestPutBrokenAnswer(t *testing.T) {
	t.Parallel()
	answer := receipts("")
	l := connect(t, &fakePlug{OnPut: func(context.Context, *plugv1.PutRequest) (*plugv1.PutResponse, error) {
		return answer, nil
	}})
	resp := l.Put(t.Context(), putRequest("1"), time.Minute)
	if verdict(resp) != isUncertain || !strings.Contains(resp.Failure.Message, "broke the contract") || l.Refused() != 1 {
		t.Errorf("got %v, refused %d", resp, l.Refused())
	}
	answer = receipts("1")
	if resp := l.Put(t.Context(), putRequest("2"), time.Minute); resp.Failure != nil {
		t.Errorf("the next Put: %v", resp)
	}
}

// NOT_SENT and REFUSED are only what never reached the plug; what never can is
// REFUSED, so that it is parked and doesn't hold up its channel.
func TestPutNotSent(t *testing.T) {
	t.Parallel()
	l := connect(t, &fakePlug{OnPut: func(_ context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
		t.Errorf("operation %s reached the plug", r.OperationId)
		return receipts("1"), nil
	}})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		change func(*plugv1.PutRequest)
	}{
		"ctx has ended": {done, func(*plugv1.PutRequest) {}},
		"action too large": {t.Context(), func(r *plugv1.PutRequest) {
			r.Action = message(strings.Repeat("x", plugv1.MaxEventBytes))
		}},
		"too large only when cleaned": {t.Context(), func(r *plugv1.PutRequest) {
			r.Action = message(strings.Repeat("\xff", plugv1.MaxEventBytes/2))
		}},
		"request too large": {t.Context(), func(r *plugv1.PutRequest) {
			r.Continuation = make([]byte, plugv1.MaxMessageBytes)
		}},
		"channel too long": {t.Context(), func(r *plugv1.PutRequest) { r.Channel = strings.Repeat("x", plugv1.MaxIDBytes+1) }},
		"no channel":       {t.Context(), func(r *plugv1.PutRequest) { r.Channel = "" }},
		"not to be encoded": {t.Context(), func(r *plugv1.PutRequest) {
			r.Action.Author = &plugv1.Author{User: &plugv1.User{Id: "\xff"}}
		}},
	} {
		req := putRequest("1")
		c.change(req)
		want := plugv1.Verdict_VERDICT_REFUSED
		if c.ctx == done {
			want = plugv1.Verdict_VERDICT_NOT_SENT
		}
		if resp := l.Put(c.ctx, req, time.Minute); resp.GetFailure().GetVerdict() != want || resp.Failure.Message == "" {
			t.Errorf("%s: %v", name, resp)
		}
	}
}

// S4: running Puts get their time, new ones don't begin.
func TestQuiesceWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := connect(t, &fakePlug{OnPut: func(context.Context, *plugv1.PutRequest) (*plugv1.PutResponse, error) {
			time.Sleep(3 * time.Second)
			return receipts("1"), nil
		}})
		answer := make(chan *plugv1.PutResponse, 1)
		go func() { answer <- l.Put(context.Background(), putRequest("1"), time.Minute) }()
		synctest.Wait()

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		go func() {
			time.Sleep(time.Second)
			if resp := l.Put(context.Background(), putRequest("2"), time.Minute); verdict(resp) != isNotSent {
				t.Errorf("a Put during Quiesce: %v", resp)
			}
		}()
		l.Quiesce(ctx)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("Quiesce took %v, the Put needed 3 s", took)
		}
		if resp := <-answer; resp.Failure != nil {
			t.Errorf("the running Put: %v", resp)
		}
		l.Quiesce(ctx) // again is no trouble
	})
}

// countingClient counts the Puts that run.
type countingClient struct {
	plugv1.PlugClient
	running atomic.Int32
}

func (c *countingClient) Put(ctx context.Context, r *plugv1.PutRequest, o ...grpc.CallOption) (*plugv1.PutResponse, error) {
	c.running.Add(1)
	defer c.running.Add(-1)
	return c.PlugClient.Put(ctx, r, o...)
}

// S4: what doesn't end in time is cut off, and is uncertain then.
func TestQuiesceCutsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := connect(t, &fakePlug{OnPut: func(ctx context.Context, _ *plugv1.PutRequest) (*plugv1.PutResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		calls := &countingClient{PlugClient: l.client}
		l.client = calls
		answer := make(chan *plugv1.PutResponse, 1)
		go func() { answer <- l.Put(context.Background(), putRequest("1"), time.Minute) }()
		synctest.Wait()

		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		l.Quiesce(ctx)
		if n := calls.running.Load(); n != 0 {
			t.Errorf("%d calls run on after Quiesce", n)
		}
		if took := time.Since(began); took != 4*time.Second {
			t.Errorf("Quiesce took %v, want its 4 s", took)
		}
		resp := <-answer
		if verdict(resp) != isUncertain || !strings.Contains(resp.Failure.Message, "stopped before it answered") {
			t.Errorf("got %v", resp)
		}
	})
}

// However Puts and Quiesce meet: what reached the plug is never NOT_SENT, and
// nothing reaches it once Quiesce has returned.
func TestQuiesceRace(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	reached := make(map[string]bool)
	var quiesced bool
	l := connect(t, &fakePlug{OnPut: func(_ context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
		mu.Lock()
		defer mu.Unlock()
		reached[r.OperationId] = true
		if quiesced {
			t.Errorf("%s reached the plug after Quiesce", r.OperationId)
		}
		return receipts("m" + r.OperationId), nil
	}})
	var all sync.WaitGroup
	verdicts := make([]map[string]plugv1.Verdict, 16)
	enough := make(chan struct{})
	for worker := range verdicts {
		verdicts[worker] = make(map[string]plugv1.Verdict)
		all.Go(func() {
			for i := 0; ; i++ {
				if worker == 0 && i == 20 {
					close(enough)
				}
				op := fmt.Sprintf("%d-%d", worker, i)
				v := verdict(l.Put(t.Context(), putRequest(op), time.Minute))
				verdicts[worker][op] = v
				if v == isNotSent {
					return
				}
			}
		})
	}
	<-enough
	l.Quiesce(t.Context())
	mu.Lock()
	quiesced = true
	mu.Unlock()
	all.Wait()
	for _, of := range verdicts {
		for op, v := range of {
			if (v == isNotSent) == reached[op] {
				t.Errorf("%s: verdict %v, reached the plug: %v", op, v, reached[op])
			}
		}
	}
}
