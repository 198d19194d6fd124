package journal

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// D6: after a power loss a sequence may be given again. What is made of the new record
// has another id than what was made of the lost one, or the network would take it for
// that and not send it; what was there before keeps its ids, also over other starts.
func TestEpochOfAnotherBoot(t *testing.T) {
	m := storage.NewMemory()
	j, err := open(t.Context(), m, "first boot")
	must(t, err)
	before := said(t, j, laneA, "before")
	lost := before + 2 // of an event that a power loss took
	ids := [2]string{string(j.OperationID(before, 0, "hook", laneB, 0)), string(j.OperationID(lost, 0, "hook", laneB, 0))}
	request := j.RequestID("api", laneB, "request")

	again, err := open(t.Context(), m, "first boot")
	must(t, err)
	if got := string(again.OperationID(lost, 0, "hook", laneB, 0)); got != ids[1] {
		t.Errorf("after a start without a boot the id is %s, not %s", got, ids[1])
	}
	for range 2 { // the second start finds what the first made
		j, err = open(t.Context(), m, "second boot")
		must(t, err)
	}
	after := said(t, j, laneA, "after")
	if after != lost {
		t.Fatalf("the new event has sequence %d, not %d: this test is not about what it says", after, lost)
	}
	if got := string(j.OperationID(after, 0, "hook", laneB, 0)); got == ids[1] {
		t.Error("two events make one operation")
	}
	if got := string(j.OperationID(before, 0, "hook", laneB, 0)); got != ids[0] {
		t.Errorf("the id of what was there before is %s, and was %s", got, ids[0])
	}
	if got := j.RequestID("api", laneB, "request"); got != request {
		t.Errorf("the id of a request is %s, and was %s", got, request)
	}
}

// A journal of another format is refused, with what to do.
func TestFormat(t *testing.T) {
	m := storage.NewMemory()
	data, err := proto.Marshal(&journalv1.Meta{Format: Format + 1})
	must(t, err)
	_, err = m.Append(t.Context(), storage.Entry{Subject: subject.Meta, Data: data})
	must(t, err)
	if _, err := Open(t.Context(), m); err == nil || !strings.Contains(err.Error(), "run the version that wrote it") {
		t.Errorf("opened with %v", err)
	}
}
