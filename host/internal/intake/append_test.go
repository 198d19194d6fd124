package intake

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// What one answer says of a channel is in as many records as the journal needs to take it,
// in order, and each says which of its own events are withheld.
func TestBigAnswer(t *testing.T) {
	j := open(t)
	in := New(besideOptions(j, &watcher{}))
	if _, err := in.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	const events = 2*plugv1.MaxBatchEvents + 3
	answer := &plugv1.StreamMessagesResponse{Sequence: 1}
	for i := range events {
		text, message := "x", fmt.Sprint(i)
		if i < 8 {
			text = strings.Repeat("x", storage.MaxRecordBytes/3)
		}
		if i%3 == 1 {
			message = fmt.Sprint(i - 1) // said before
		}
		answer.Events = append(answer.Events, &plugv1.Event{EventId: fmt.Sprint(i), MessageId: message, Channel: "c",
			Kind: &plugv1.Event_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}}})
	}
	if err := in.Run(t.Context(), &stream{[]*plugv1.StreamMessagesResponse{answer}}, nil); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	read, records := 0, 0
	err := j.ReadEvents(t.Context(), id.Channel{Network: "n", Source: "c"}, 1, func(_ id.Channel, r storage.Record) bool {
		records++
		record, err := journal.EventsOf(r)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(record.Events); n > plugv1.MaxBatchEvents || record.ReceivedTime == nil {
			t.Errorf("a record has %d events and the time %v", n, record.ReceivedTime)
		}
		withheld := map[int]bool{}
		for _, i := range record.Withheld {
			withheld[int(i)] = true
		}
		for i, e := range record.Events {
			if e.EventId != fmt.Sprint(read) || withheld[i] != (read%3 == 1) {
				t.Errorf("event %d is %s, withheld %v", read, e.EventId, withheld[i])
			}
			read++
		}
		return true
	})
	if err != nil || read != events || records < 5 {
		t.Errorf("%d events in %d records, %v", read, records, err)
	}
}
