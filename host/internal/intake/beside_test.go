package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// slow is a journal that stores events when it is let to, and notes what is asked of it.
type slow struct {
	*journal.Journal
	let chan struct{}
	log *order
}

func (j slow) AppendEvents(ctx context.Context, runs []journal.Run) ([]id.Sequence, error) {
	for _, r := range runs {
		for _, e := range r.Record.Events {
			j.log.note("begin " + e.EventId)
		}
	}
	select {
	case <-j.let:
	case <-ctx.Done():
		return make([]id.Sequence, len(runs)), ctx.Err()
	}
	return j.Journal.AppendEvents(ctx, runs)
}

func (j slow) SaveOriginal(ctx context.Context, c id.Channel, r *journalv1.OriginalRecord) error {
	j.log.note("map " + r.Id)
	return j.Journal.SaveOriginal(ctx, c, r)
}

// noted is a stream that notes what is read of it.
type noted struct {
	stream
	log *order
}

func (s *noted) Recv() (*plugv1.StreamMessagesResponse, error) {
	a, err := s.stream.Recv()
	if err == nil {
		s.log.note("read " + a.Events[0].EventId)
	}
	return a, err
}

// said makes answers of a message each.
func said(ids ...string) (answers []*plugv1.StreamMessagesResponse) {
	for i, name := range ids {
		answers = append(answers, &plugv1.StreamMessagesResponse{Sequence: uint64(i + 1), Events: []*plugv1.Event{{
			EventId: name, MessageId: name, Channel: "c", Own: plugv1.Own_OWN_NO, Kind: &plugv1.Event_Message{Message: &plugv1.Message{}}}}})
	}
	return answers
}

func besideOptions(j Journal, w Watcher) Options {
	return Options{Network: "n", Journal: j, Watcher: w, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()}
}

// D5, O6: while an answer is being stored one more is read, and no third; and what the
// journal keeps of an event apart is stored once the events before it are.
func TestOneAnswerIsPreparedBeside(t *testing.T) {
	for _, c := range []struct {
		what string
		set  func(*plugv1.Event)
		want []string
	}{
		{"plain", func(*plugv1.Event) {}, []string{"read 1", "begin 1", "read 2", "(let)", "begin 2", "read 3", "(let)", "begin 3", "(let)"}},
		{"with a name more", func(e *plugv1.Event) { e.Aliases = []string{"a" + e.EventId} },
			[]string{"read 1", "map 1", "begin 1", "(let)", "read 2", "map 2", "begin 2", "(let)", "read 3", "map 3", "begin 3", "(let)"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &order{}
			j := slow{open(t), make(chan struct{}), log}
			w := &watcher{}
			in := New(besideOptions(j, w))
			if _, err := in.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			s := &noted{stream{said("1", "2", "3")}, log}
			for _, a := range s.answers {
				c.set(a.Events[0])
			}
			ended := make(chan error, 1)
			go func() { ended <- in.Run(t.Context(), s, nil) }()
			for range 3 {
				synctest.Wait()
				log.note("(let)")
				j.let <- struct{}{}
			}
			if err := <-ended; !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			// What is read and what is begun beside it have no order between them.
			got, want := slices.Clone(log.lines), slices.Clone(c.want)
			for _, lines := range [][]string{got, want} {
				for from := 0; from < len(lines); {
					to := from + slices.Index(lines[from:], "(let)")
					slices.Sort(lines[from:to])
					from = to + 1
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", c.what, log.lines, c.want)
			}
			if len(w.events) != 3 {
				t.Errorf("%s: %d events were stored", c.what, len(w.events))
			}
		})
	}
}

// D1, D2: what was prepared, and not stored since the stream ended, is taken when it is
// said again.
func TestPreparedIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := slow{open(t), make(chan struct{}), &order{}}
		w := &watcher{}
		in := New(besideOptions(j, w))
		for stored := range 3 { // none, the first one, all that is left
			if _, err := in.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- in.Run(ctx, &stream{said("1", "2", "3")}, nil) }()
			for range stored {
				synctest.Wait()
				j.let <- struct{}{}
			}
			synctest.Wait()
			cancel()
			if err := <-ended; err == nil {
				t.Error("ended without an error")
			}
		}
		var all string
		for _, e := range w.events {
			all += fmt.Sprint(e.EventId)
		}
		if all != "123" {
			t.Errorf("stored %s", all)
		}
	})
}

// D2: what is stored is known to a page of history also when that comes between two streams,
// the first of which ended as something was being stored.
func TestHistoryBetweenStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := slow{open(t), make(chan struct{}), &order{}}
		in := New(besideOptions(j, &watcher{}))
		if _, err := in.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- in.Run(ctx, &stream{said("1", "2")}, nil) }()
		synctest.Wait()
		j.let <- struct{}{} // 1 is stored, 2 is not
		synctest.Wait()
		cancel()
		if err := <-ended; err == nil {
			t.Fatal("ended without an error")
		}
		var page []*plugv1.Event
		for _, a := range said("1", "2") {
			a.Events[0].History = true
			page = append(page, a.Events[0])
		}
		go func() { j.let <- struct{}{} }()
		if stored, err := in.Backfill(t.Context(), page); err != nil || stored != 1 {
			t.Errorf("%d messages were stored, %v", stored, err)
		}
	})
}

// O6: a page of history is stored when the answer before it is, not beside it.
func TestHistoryWaitsForAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &order{}
		j := slow{open(t), make(chan struct{}), log}
		in := New(besideOptions(j, &watcher{}))
		if _, err := in.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		go func() { ended <- in.Run(t.Context(), &stream{said("1")}, nil) }()
		synctest.Wait()
		page := said("2")[0].Events
		page[0].History = true
		go func() {
			_, err := in.Backfill(t.Context(), page)
			ended <- err
		}()
		for range 2 {
			synctest.Wait()
			log.note("(let)")
			j.let <- struct{}{}
		}
		for range 2 {
			if err := <-ended; err != nil && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}
		if want := []string{"begin 1", "(let)", "begin 2", "(let)"}; !slices.Equal(log.lines, want) {
			t.Errorf("%q, want %q", log.lines, want)
		}
	})
}
