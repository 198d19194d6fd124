package proof

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// reportAgain is the time between two reports of one outcome: in it the host acts on
// the first.
const reportAgain = 400 * time.Millisecond

// put is the plug's Put. Like the SDK's it shields its work from the RPC: the
// work goes on to its own deadline when the RPC has ended.
func (p *process) put(ctx context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
	p.mu.Lock()
	if p.died {
		p.mu.Unlock()
		return nil, errDead
	}
	if p.stopping || len(p.queued) >= maxQueued {
		p.mu.Unlock()
		p.run.witness.sent(r)
		return failed(plugv1.Verdict_VERDICT_NOT_SENT, "the queue is full"), nil
	}
	p.puts++
	fate, parts := p.run.fate(r)
	answered := make(chan *plugv1.PutResponse)
	gone := make(chan struct{})
	p.tasks.Go(func() {
		response := p.work(r, fate, parts)
		p.update(func() { p.puts-- })
		select {
		case <-p.dead:
			return
		default:
		}
		select {
		case answered <- response:
		case <-gone:
			p.run.witness.reports(r, response)
			for n := range fate.Outcome {
				if n > 0 { // again, as after a stream that ended before the acknowledgement
					select {
					case <-time.After(reportAgain):
					case <-p.dead:
						return
					}
				}
				p.add(&item{outcome: &plugv1.PutOutcome{OperationId: r.OperationId, Attempt: r.Attempt, Response: response}})
			}
		case <-p.dead:
		}
	})
	p.mu.Unlock()
	defer close(gone)
	var severed <-chan time.Time
	if fate.Sever > 0 {
		t := time.NewTimer(fate.Sever)
		defer t.Stop()
		severed = t.C
	}
	select {
	case response := <-answered:
		return response, nil
	case <-severed:
		return nil, errSever
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.dead:
		return nil, errDead
	}
}

func failed(v plugv1.Verdict, message string) *plugv1.PutResponse {
	return &plugv1.PutResponse{Failure: &plugv1.PutFailure{Verdict: v, Message: message}}
}

// work is what the plug's author does of a Put.
func (p *process) work(r *plugv1.PutRequest, fate Fate, parts int) *plugv1.PutResponse {
	response, messages := p.send(r, fate, parts)
	p.run.witness.sent(r)
	if response == nil || response.Failure != nil {
		return response
	}
	if fate.Crash == 2 {
		p.die()
		return nil
	}
	if !p.pause(fate.Answer) {
		return nil
	}
	if p.net.ByEcho && !p.await(messages) {
		return failed(plugv1.Verdict_VERDICT_UNCERTAIN, "the network showed no echo")
	}
	if fate.Doubt {
		return failed(plugv1.Verdict_VERDICT_UNCERTAIN, "the plug is in doubt")
	}
	return response
}

// send is the part of the work that may send. The response is nil if the process
// has died.
func (p *process) send(r *plugv1.PutRequest, fate Fate, parts int) (*plugv1.PutResponse, []*message) {
	deadline := r.Deadline.AsTime()
	if !p.pause(min(fate.Delay, time.Until(deadline))) {
		return nil, nil
	}
	if !time.Now().Before(deadline) {
		return failed(plugv1.Verdict_VERDICT_NOT_SENT, "too late to begin"), nil
	}
	if fate.Crash == 1 {
		p.die()
		return nil, nil
	}
	response := &plugv1.PutResponse{}
	var messages []*message
	for part := 1; part <= parts; part++ {
		if known := sent(r, part); known != nil {
			response.Receipts = append(response.Receipts, known)
			continue
		}
		if fate.Verdict != 0 && part > fate.After {
			response.Failure = &plugv1.PutFailure{Verdict: fate.Verdict, Message: "the fate of it", Continuation: fmt.Append(nil, part)}
			if fate.Plug {
				response.Failure.Scope = plugv1.FailureScope_FAILURE_SCOPE_PLUG
			}
			if fate.RetryAfter > 0 {
				response.Failure.RetryAfter = durationpb.New(fate.RetryAfter)
			}
			return response, nil
		}
		m := p.net.take(r, uint32(part), partName(r.OperationId, part, parts), fate)
		if m == nil {
			response.Failure = &plugv1.PutFailure{Verdict: plugv1.Verdict_VERDICT_NOT_SENT, Message: "the channel goes on elsewhere", Continuation: fmt.Append(nil, part)}
			return response, nil
		}
		messages = append(messages, m)
		response.Receipts = append(response.Receipts, m.receiptFor(r.Channel))
	}
	return response, messages
}

func partName(operation string, part, parts int) string {
	if parts == 1 {
		return operation
	}
	return fmt.Sprintf("%s-%d", operation, part)
}

func sent(r *plugv1.PutRequest, part int) *plugv1.Receipt {
	for _, s := range r.Sent {
		if int(s.Part) == part {
			return s.Receipt
		}
	}
	return nil
}

// listen is how long a plug waits for an echo that tells the id.
const listen = time.Minute

// await waits until the reader has seen the echoes of messages.
func (p *process) await(messages []*message) bool {
	late := time.NewTimer(listen)
	defer late.Stop()
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		missing := false
		for _, m := range messages {
			missing = missing || !p.net.heard(m)
		}
		if !missing {
			return true
		}
		select {
		case <-changed:
		case <-late.C:
			return false
		case <-p.dead:
			return false
		}
	}
}
