package proof

import (
	"cmp"
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// direct is a Link without a wire: it calls the process's methods.
type direct struct {
	life    *life
	process *process
	cut     chan struct{}
	puts    sync.WaitGroup

	mu       sync.Mutex
	quiesced bool
}

// Direct connects the host to the plugs by calls within the process.
func Direct(l *life, p *process) Link { return &direct{life: l, process: p, cut: make(chan struct{})} }

// Put implements put.Link, by the rules of the real link.
func (d *direct) Put(ctx context.Context, r *plugv1.PutRequest, timeout time.Duration) *plugv1.PutResponse {
	d.mu.Lock()
	if d.quiesced {
		d.mu.Unlock()
		return failed(plugv1.Verdict_VERDICT_NOT_SENT, "the plug is being stopped")
	}
	d.puts.Add(1)
	d.mu.Unlock()
	defer d.puts.Done()
	deadline := time.Now().Add(timeout)
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(5*time.Second))
	defer cancel()
	go func() {
		select {
		case <-d.cut:
		case <-d.life.store.dead:
		case <-ctx.Done():
		}
		cancel()
	}()
	r = proto.CloneOf(r)
	r.Deadline = timestamppb.New(deadline)
	response, err := d.process.put(ctx, r)
	if err != nil {
		return failed(plugv1.Verdict_VERDICT_UNCERTAIN, err.Error())
	}
	response = proto.CloneOf(response)
	for _, receipt := range response.GetReceipts() {
		receipt.Channel = cmp.Or(receipt.Channel, r.Channel)
	}
	return response
}

// Quiesce implements Link.
func (d *direct) Quiesce(ctx context.Context) {
	d.mu.Lock()
	d.quiesced = true
	d.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { close(d.cut) })
	d.puts.Wait()
	stop()
}

// Stop implements Link.
func (d *direct) Stop(ctx context.Context) { d.process.finish(ctx) }

// Close implements Link.
func (d *direct) Close() {}

// Open implements Link.
func (d *direct) Open(ctx context.Context, cursors []*plugv1.Cursor) (Stream, error) {
	s, err := d.process.open(cursors)
	if err != nil {
		return nil, err
	}
	return &directStream{ctx, s}, nil
}

type directStream struct {
	ctx    context.Context
	stream *stream
}

// Recv implements intake.Stream.
func (s *directStream) Recv() (*plugv1.StreamMessagesResponse, error) { return s.stream.next(s.ctx) }

// Ack implements intake.Stream: it reaches the plug a little later, if at all.
func (s *directStream) Ack(through uint64, _ bool) {
	if d := s.stream.process.run.delay(); d > 0 {
		time.AfterFunc(d, func() { s.stream.ack(through) })
		return
	}
	s.stream.ack(through)
}

// Close implements Stream.
func (s *directStream) Close() { s.stream.close() }
