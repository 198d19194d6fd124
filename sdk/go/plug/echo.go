package plug

import (
	"context"
	"fmt"
	"slices"
	"sync"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Echoes lets a Put wait for the echo of what it sent, on networks that reveal a
// message's id only there. The Put calls Expect before it sends and Wait after;
// the reader calls Arrived for each message of the plug's own. The key is what
// both sides know: an operation id that the network echoes, or else channel and
// text of the physical part.
//
//	x := p.echoes.Expect(part.OperationID)
//	defer x.Cancel()
//	if err := p.send(part); err != nil {
//		return nil, plug.NotSent(err)
//	}
//	return x.Wait(ctx)
//
// The reader queues the echo as an event all the same, after Arrived. The zero
// value is ready for use, by any number of goroutines. It holds one entry per
// Expected that has neither arrived nor been waited for or cancelled.
type Echoes struct {
	mu      sync.Mutex
	waiting map[string][]*Expected // per key in the order of Expect
}

// Expected is one echo that is waited for.
type Expected struct {
	echoes  *Echoes
	key     string
	arrived chan *plugv1.Receipt // holds one
}

// Expect says that an echo with this key will come. Call it before sending: the
// echo may arrive before the send has returned. If a key is expected twice, the
// first echo goes to the first.
func (e *Echoes) Expect(key string) *Expected {
	x := &Expected{echoes: e, key: key, arrived: make(chan *plugv1.Receipt, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = make(map[string][]*Expected)
	}
	e.waiting[key] = append(e.waiting[key], x)
	return x
}

// Arrived hands over the receipt that an echo holds, and says whether anybody was
// waiting for it. It never blocks.
func (e *Echoes) Arrived(key string, r *plugv1.Receipt) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.waiting[key]
	if len(list) == 0 {
		return false
	}
	list[0].arrived <- r // it is in the list, so nothing was handed to it yet
	e.remove(list[0])
	return true
}

// Wait returns the receipt once the echo has arrived, perhaps before the call.
// When ctx ends first the answer is Uncertain. The ctx of a Put is a special case:
// after its deadline nothing may be sent but an echo may still tell the outcome,
// so Wait listens on for listenAfterDeadline. Call Wait at most once.
func (x *Expected) Wait(ctx context.Context) (*plugv1.Receipt, error) {
	defer x.Cancel()
	listen := ctx.Done()
	if until, ok := listeningContext(ctx); ok {
		select {
		case r := <-x.arrived:
			return r, nil
		case <-ctx.Done():
		}
		if context.Cause(ctx) == errPutDeadline {
			listen = until.Done()
		}
	}
	select {
	case r := <-x.arrived:
		return r, nil
	case <-listen:
	}
	select {
	case r := <-x.arrived: // both were ready
		return r, nil
	default:
		return nil, Uncertain(fmt.Errorf("the network showed no echo: %w", context.Cause(ctx)))
	}
}

// Cancel stops waiting: what was expected will not come. It may be called at any
// time and more than once.
func (x *Expected) Cancel() {
	x.echoes.mu.Lock()
	defer x.echoes.mu.Unlock()
	x.echoes.remove(x)
}

// remove takes x out of the list, with the lock held.
func (e *Echoes) remove(x *Expected) {
	list := slices.DeleteFunc(e.waiting[x.key], func(y *Expected) bool { return y == x })
	if len(list) == 0 {
		delete(e.waiting, x.key)
		return
	}
	e.waiting[x.key] = list
}
