package backfill_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/backfill"
	"github.com/plughost/plughost/host/internal/intake"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// kept is what a network keeps of its channels: messages, oldest first. OnList may
// answer in its place.
type kept struct {
	OnList func(*plugv1.ListMessagesRequest) error

	mu       sync.Mutex
	messages map[string][]*plugv1.Event
	asked    int
}

func (k *kept) ListMessages(ctx context.Context, r *plugv1.ListMessagesRequest, _ ...grpc.CallOption) (*plugv1.ListMessagesResponse, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if ctx.Err() != nil {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if k.OnList != nil {
		if err := k.OnList(r); err != nil {
			return nil, err
		}
	}
	all := k.messages[r.Channel]
	if r.Before != nil {
		i := slices.IndexFunc(all, func(e *plugv1.Event) bool { return e.MessageId == r.Before.Id })
		all = all[:i]
	}
	return &plugv1.ListMessagesResponse{Events: all[max(0, len(all)-int(r.Limit)):]}, nil
}

// said is message n of a channel, a minute after the one before.
func said(c string, n int, begin time.Time) *plugv1.Event {
	name := fmt.Sprintf("%s%d", c, n)
	return &plugv1.Event{EventId: "e" + name, MessageId: name, Channel: c, Time: timestamppb.New(begin.Add(time.Duration(n) * time.Minute)),
		Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}}
}

// world is an intake over a journal in memory, whose plug has a history.
type world struct {
	t       *testing.T
	store   *storage.Memory
	journal *journal.Journal
	in      *intake.Intake
	kept    *kept
	begin   time.Time
}

func inBubble(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: storage.NewMemory(), kept: &kept{messages: map[string][]*plugv1.Event{}}, begin: time.Now()}
		w.open()
		test(w)
	})
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.journal, err = journal.Open(w.t.Context(), w.store); err != nil {
		w.t.Fatal(err)
	}
	w.in = intake.New(intake.Options{Network: "n", Journal: w.journal, Watcher: nobody{}, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()})
	if _, err := w.in.Open(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// restart is a crash of the host and a new start.
func (w *world) restart() {
	w.store = w.store.Restart()
	w.open()
}

type nobody struct{}

func (nobody) Appended(id.Channel, id.Sequence, *plugv1.Event) {}
func (nobody) CaughtUp(id.NetworkID, id.ChannelSource)         {}
func (nobody) Outcome(id.NetworkID, *plugv1.PutOutcome)        {}

// answers is a stream that says this and ends.
type answers []*plugv1.StreamMessagesResponse

func (a *answers) Recv() (*plugv1.StreamMessagesResponse, error) {
	if len(*a) == 0 {
		return nil, io.EOF
	}
	first := (*a)[0]
	*a = (*a)[1:]
	return first, nil
}
func (*answers) Ack(uint64, bool) {}

// hear has the intake take an answer of the stream.
func (w *world) hear(answer *plugv1.StreamMessagesResponse) {
	w.t.Helper()
	if err := w.in.Run(w.t.Context(), &answers{answer}, nil); err == nil || !strings.Contains(err.Error(), "EOF") {
		w.t.Fatal(err)
	}
}

func (w *world) gap(scope string, since, until int) {
	w.t.Helper()
	g := &plugv1.Gap{Scope: scope, Until: timestamppb.New(w.begin.Add(time.Duration(until) * time.Minute)), Reason: "unknown cursor"}
	if since >= 0 {
		g.Since = timestamppb.New(w.begin.Add(time.Duration(since) * time.Minute))
	}
	w.hear(&plugv1.StreamMessagesResponse{Gaps: []*plugv1.Gap{g}})
}

// run fills gaps for a while.
func (w *world) run(h backfill.History, channels ...id.ChannelSource) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Hour)
	defer cancel()
	backfill.Run(ctx, backfill.Options{Intake: w.in, History: h, Channels: channels, Logger: hclog.NewNullLogger()})
}

// stored lists what the journal has of a channel, what came as history in brackets.
func (w *world) stored(c id.ChannelSource) (list []string) {
	w.t.Helper()
	err := w.journal.ReadEvents(w.t.Context(), id.Channel{Network: "n", Source: c}, 1, func(_ id.Channel, r storage.Record) bool {
		record, err := journal.EventsOf(r)
		if err != nil {
			w.t.Fatal(err)
		}
		for i, e := range record.Events {
			name := e.MessageId
			if e.History {
				name = "[" + name + "]"
			}
			if slices.Contains(record.Withheld, uint32(i)) {
				name += " withheld"
			}
			list = append(list, name)
		}
		return true
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) closed() (closed []*journalv1.GapRecord) {
	w.t.Helper()
	gaps, err := w.journal.Gaps(w.t.Context(), "n")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range gaps {
		if g.ClosedTime != nil {
			closed = append(closed, g)
		}
	}
	return closed
}

func (w *world) wantStored(c id.ChannelSource, want string) {
	w.t.Helper()
	if got := strings.Join(w.stored(c), " "); got != want {
		w.t.Errorf("the journal has %q, want %q", got, want)
	}
}

// marked marks events as the link does.
func (k *kept) marked(c string, all ...*plugv1.Event) {
	for _, e := range all {
		e.History = true
	}
	k.messages[c] = all
}

// D1, D2: a gap is filled with what was said between its ends, oldest first, without what
// is known; what comes live after all is no repeat of it, and comes once.
func TestFill(t *testing.T) {
	inBubble(t, func(w *world) {
		w.hear(&plugv1.StreamMessagesResponse{Events: []*plugv1.Event{said("c", 1, w.begin), said("c", 2, w.begin)}, Cursors: []*plugv1.Cursor{{Scope: "c", Value: []byte("2")}}})
		w.gap("c", 2, 5)
		var all []*plugv1.Event
		for n := range 8 {
			all = append(all, said("c", n, w.begin))
		}
		all[3].EventId = "another event of the same message"
		w.kept.marked("c", all...)
		w.run(w.kept)
		w.wantStored("c", "c1 c2 [c3] [c4] [c5]")
		if g := w.closed(); len(g) != 1 || g[0].Filled != 3 || g[0].Lack != "" {
			t.Errorf("closed: %v", g)
		}
		w.restart()
		for range 2 {
			w.hear(&plugv1.StreamMessagesResponse{Events: []*plugv1.Event{said("c", 5, w.begin), said("c", 6, w.begin)}})
		}
		w.wantStored("c", "c1 c2 [c3] [c4] [c5] c5 c6")
	})
}

// D1: filling goes on after a crash in its midst, and stores nothing twice; the gap of a
// whole plug is one in each of its channels.
func TestFillIsResumed(t *testing.T) {
	inBubble(t, func(w *world) {
		w.gap("", 0, 200)
		for _, c := range []string{"a", "b"} {
			var all []*plugv1.Event
			for n := range 150 {
				all = append(all, said(c, n, w.begin))
			}
			w.kept.marked(c, all...)
		}
		w.kept.OnList = func(r *plugv1.ListMessagesRequest) error {
			if r.Channel == "b" {
				return status.Error(codes.Unavailable, "the connection is lost")
			}
			return nil
		}
		w.run(w.kept, "a", "b")
		if len(w.stored("a")) != 150 || len(w.closed()) != 0 {
			t.Fatalf("before: %d stored, closed %v", len(w.stored("a")), w.closed())
		}
		if w.kept.asked > 40 {
			t.Errorf("asked %d times in an hour", w.kept.asked)
		}
		w.restart()
		w.kept.OnList = nil
		w.run(w.kept, "a", "b")
		for _, c := range []id.ChannelSource{"a", "b"} {
			got := w.stored(c)
			if len(got) != 150 || got[0] != fmt.Sprintf("[%s0]", c) || got[149] != fmt.Sprintf("[%s149]", c) {
				t.Errorf("%s: %d stored, %v", c, len(got), got)
			}
		}
		if g := w.closed(); len(g) != 1 || g[0].Lack != "" {
			t.Errorf("closed: %v", g)
		}
		asked := w.kept.asked
		w.restart()
		w.run(w.kept, "a", "b")
		if w.kept.asked != asked {
			t.Error("what is filled is filled again")
		}
	})
}

// D5: what fills a gap is bounded, by number and age, and it is said what is left out.
func TestFillIsBounded(t *testing.T) {
	inBubble(t, func(w *world) {
		w.gap("c", 0, 12_000)
		var all []*plugv1.Event
		for n := range 12_000 {
			all = append(all, said("c", n, w.begin))
		}
		w.kept.marked("c", all...)
		w.run(w.kept)
		if got := w.stored("c"); len(got) != 5000 || got[0] != "[c7000]" {
			t.Errorf("%d stored, %v", len(got), got[:1])
		}
		w.gap("d", 0, 20_000)
		w.kept.marked("d", said("d", 9_919, w.begin), said("d", 9_921, w.begin))
		w.gap("e", -1, 20_000) // nobody knows since when
		w.kept.marked("e", said("e", 1, w.begin), said("e", 19_000, w.begin))
		w.run(w.kept)
		w.wantStored("d", "[d9921]")
		w.wantStored("e", "[e19000]")
		for i, want := range []string{"only the newest 5000 messages of a channel are read", "what is older than 168h0m0s is not read", ""} {
			if g := w.closed(); len(g) != 3 || g[i].Lack != want {
				t.Errorf("closed: %v, want %q", g, want)
			}
		}
	})
}

// A network that gives nothing is not asked for ever, and it is said why.
func TestNothingToFillWith(t *testing.T) {
	for name, c := range map[string]struct {
		history backfill.History
		lack    string
	}{
		"no service": {nil, "the network has no history that the plug could read"},
		"no call":    {&kept{OnList: func(*plugv1.ListMessagesRequest) error { return status.Error(codes.Unimplemented, "") }}, "the network has no history that the plug could read"},
		"denied":     {&kept{OnList: func(*plugv1.ListMessagesRequest) error { return status.Error(codes.PermissionDenied, "not you") }}, "not you"},
	} {
		inBubble(t, func(w *world) {
			w.gap("c", 0, 5)
			w.run(c.history)
			if g := w.closed(); len(g) != 1 || g[0].Filled != 0 || !strings.Contains(g[0].Lack, c.lack) {
				t.Errorf("%s: closed %v", name, g)
			}
		})
	}
}

// D1: the gaps of a scope that begin where one did before are one that goes on; since when
// one lasts is known from the cursor if the plug doesn't say; at most 100 are remembered.
func TestGaps(t *testing.T) {
	inBubble(t, func(w *world) {
		w.gap("c", 1, 5)
		w.gap("c", 1, 5)
		w.run(nil)
		w.gap("c", 1, 5)
		if len(w.closed()) != 1 {
			t.Error("a gap that is said again is open again")
		}
		w.gap("c", 1, 9)
		w.gap("d", 1, 9)
		gaps, _ := w.in.Gaps()
		if len(gaps) != 2 || gaps[0].ClosedTime != nil || !gaps[0].Gap.Until.AsTime().Equal(w.begin.Add(9*time.Minute)) {
			t.Errorf("gaps: %v", gaps)
		}
		w.hear(&plugv1.StreamMessagesResponse{Cursors: []*plugv1.Cursor{{Scope: "e", Value: []byte("1")}}})
		at := time.Now()
		time.Sleep(time.Minute)
		w.restart()
		w.gap("e", -1, 90)
		gaps, _ = w.in.Gaps()
		if last := gaps[len(gaps)-1].Gap; !last.Since.AsTime().Equal(at) {
			t.Errorf("since %v, want %v", last.Since.AsTime(), at)
		}
		for n := range 150 {
			w.gap("f", n, 200)
		}
		w.restart()
		if gaps, _ = w.in.Gaps(); len(gaps) != 100 || !gaps[99].Gap.Since.AsTime().Equal(w.begin.Add(149*time.Minute)) {
			t.Errorf("%d gaps, the last %v", len(gaps), gaps[len(gaps)-1])
		}
	})
}

// D1: a gap that the plug says again, since its answer was not acknowledged, is one gap,
// also where nobody knows since when it is; and it is closed for good.
func TestGapSaidAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		for range 3 {
			w.gap("c", -1, 5)
		}
		gaps, _ := w.in.Gaps()
		if len(gaps) != 1 {
			t.Fatalf("gaps: %v", gaps)
		}
		w.run(w.kept, "c")
		w.gap("c", -1, 5)
		if closed := w.closed(); len(closed) != 1 {
			t.Errorf("closed: %v", closed)
		}
	})
}
