package put

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// O5: the wait for the last RPC's deadline is over when that time has passed, though the
// clock was set back meanwhile, by which the deadline of the record is far ahead.
func TestClockSetBackWhileUncertain(t *testing.T) {
	s := New(Options{Logger: hclog.NewNullLogger()})
	c := id.Channel{Network: "n", Source: "c"}
	p := s.plug(c.Network)
	p.live, p.process = &Live{Abilities: &plugv1.Abilities{Echo: plugv1.Echo_ECHO_NONE}}, 1
	now := time.Now()
	o := &operation{stage: s, channel: c, record: &journalv1.Operation{}, process: 1, until: now, attempt: &journalv1.Attempt{Deadline: timestamppb.New(now.Add(24 * time.Hour))}}
	if at, _ := o.next(); at.After(now) {
		t.Errorf("another attempt may begin in %v, want now", at.Sub(now))
	}
}
