package put_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/put"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// fakeHistory is what a network keeps: the parts of each operation, or why it can't
// tell.
type fakeHistory struct {
	mu    sync.Mutex
	parts []*plugv1.FoundPart
	fails []error // of the next look-ups
	asked int
	in    []string // channels
}

func (h *fakeHistory) FindOperation(_ context.Context, r *plugv1.FindOperationRequest, _ ...grpc.CallOption) (*plugv1.FindOperationResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	h.in = append(h.in, r.Channel)
	if len(h.fails) > 0 {
		err := h.fails[0]
		h.fails = h.fails[1:]
		return nil, err
	}
	return &plugv1.FindOperationResponse{Parts: h.parts}, nil
}

// forget forgets where it was asked.
func (h *fakeHistory) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.in = nil
}

func (h *fakeHistory) has(parts ...*plugv1.FoundPart) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = parts
}

func part(n uint32, name string) *plugv1.FoundPart {
	return &plugv1.FoundPart{Part: n, Receipt: &plugv1.Receipt{Id: name}}
}

// lookedUp runs a test with a plug that never echoes and has a history.
func lookedUp(t *testing.T, test func(*world, *fakeHistory)) {
	h := &fakeHistory{}
	inBubble(t, func(l *put.Live) { l.History = h }, func(w *world) {
		w.up()
		w.stage.StreamOpened(here.Network)
		test(w, h)
	})
}

// settledBy notes how each operation was settled.
func (w *world) settledBy() *[]journalv1.SettledBy {
	by := &[]journalv1.SettledBy{}
	w.stage.Settled = func(_ id.Channel, _ id.OperationID, _ *journalv1.Operation, s *journalv1.Settled, _ string) {
		*by = append(*by, s.By)
	}
	return by
}

// O5, D3: what the network's history finds was sent, and is not sent again, also where
// the network echoes nothing; a restart of the host in between changes nothing.
func TestHistorySettles(t *testing.T) {
	for _, restart := range []bool{false, true} {
		lookedUp(t, func(w *world, h *fakeHistory) {
			by := w.settledBy()
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
				w.plug.OnPut = nil
				if !restart {
					h.has(part(0, "7"))
				}
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			w.accept(say("m", "ann", "one"))
			w.want("say one")
			if restart {
				w.restart()
				by = w.settledBy()
				h.has(part(0, "7"))
				w.up()
				w.stage.StreamOpened(here.Network)
			}
			w.accept(edit("m", "ann", "two"))
			w.want("edit 7 two") // well before the time for another attempt
			if len(*by) == 0 || (*by)[0] != journalv1.SettledBy_SETTLED_BY_HISTORY {
				t.Errorf("restart %v: settled by %v", restart, *by)
			}
			if o, err := w.stage.Origin(t.Context(), here, &plugv1.Event{MessageId: "7", Own: plugv1.Own_OWN_YES}); err != nil || o == nil {
				t.Errorf("restart %v: the message found has the origin %v, %v", restart, o, err)
			}
		})
	}
}

// O5: what a complete look-up doesn't find was not sent: it is sent again, and not only
// once; but not before the network can have taken what was under way.
func TestHistoryFindsNothing(t *testing.T) {
	lookedUp(t, func(w *world, h *fakeHistory) {
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Attempt < 4 {
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			return nil
		}
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		time.Sleep(35*time.Second + put.SettleTimeout - 3*time.Second)
		w.want() // the first RPC's deadline was less than SettleTimeout ago
		time.Sleep(5 * time.Minute)
		w.want("say one", "say one", "say one")
		if w.parked() != 0 {
			t.Error("it is parked")
		}
	})
}

// O5: the parts that are found are not sent again: the next attempt has them.
func TestHistoryFindsParts(t *testing.T) {
	lookedUp(t, func(w *world, h *fakeHistory) {
		var sent []*plugv1.SentPart
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Attempt == 1 {
				h.has(part(1, "a"), part(2, "b"))
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			sent = r.Sent
			return &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: "a"}, {Id: "b"}, {Id: "c"}}}
		}
		w.accept(say("m", "ann", "one"))
		w.want("say one")
		if o, err := w.stage.Origin(t.Context(), here, &plugv1.Event{MessageId: "b", Own: plugv1.Own_OWN_YES}); err != nil || o == nil || o.Primary {
			t.Errorf("the part found has the origin %v, %v", o, err) // O4
		}
		time.Sleep(2 * time.Minute)
		w.want("say one")
		if len(sent) != 2 || sent[0].Receipt.Id != "a" || sent[1].Part != 2 {
			t.Errorf("the second attempt was told that %v is sent", sent)
		}
	})
}

// O5: a network that can't tell now is asked again; one that can't at all is as one
// without history: a second attempt, no third, and then the channel goes on.
func TestHistoryCannotTell(t *testing.T) {
	unavailable := status.Error(codes.Unavailable, "not connected")
	for name, c := range map[string]struct {
		fails  []error
		asked  int
		sent   int
		parked int
	}{
		"later": {[]error{unavailable, unavailable, unavailable}, 4, 1, 0},
		"never": {[]error{unavailable, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable, unavailable}, 12, 2, 1},
		"can't": {[]error{status.Error(codes.Unimplemented, "")}, 1, 2, 1},
	} {
		lookedUp(t, func(w *world, h *fakeHistory) {
			h.fails = c.fails
			h.has(part(0, "7"))
			sent := 0
			w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
				sent++
				return fails(plugv1.Verdict_VERDICT_UNCERTAIN)
			}
			w.accept(say("m", "ann", "one"))
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if sent != c.sent || h.asked != c.asked || w.parked() != c.parked {
				t.Errorf("%s: sent %d times, asked %d times, %d parked; want %+v", name, sent, h.asked, w.parked(), c)
			}
		})
	}
}
