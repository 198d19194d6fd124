package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// D5: on a full disk nothing new is taken in and the plugs wait, while what waits is
// delivered; and where somebody takes the ballast's room too, that waits as well. All
// goes on by itself when there is room: every message arrives once, in order, and the
// status says at each moment how it is.
//
// A plug whose ids come by echo may wait too, since its echoes do: it neither loses
// anything nor stands still for good.
func TestDiskFullInTraffic(t *testing.T) {
	t.Parallel()
	for name, right := range map[string]simnettest.Account{
		"no echo": {Echo: simnettest.EchoNone, Idempotent: simnettest.Duration(time.Hour)},
		"echo":    {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diskFullInTraffic(t, right)
		})
	}
}

func diskFullInTraffic(t *testing.T, right simnettest.Account) {
	const ballast = 16 << 20
	d := disktest.New(t, 128<<20)
	right.Name = "right"
	net, plug := simulated(t, simnettest.Account{Name: "left"}, right)
	h := runHere(t, host.Options{
		DataDir:        filepath.Join(d.Dir, "data"),
		JournalBallast: ballast,
		Plugs:          []host.Plug{plug("left", "left"), plug("right", "right")},
		Conversations:  []host.Conversation{bridge(channel("left", "a"), channel("right", "b"))},
	}, net)
	said := 0
	say := func(count int) {
		t.Helper()
		if err := net.Generate(t.Context(), simnettest.Generate{Channels: []string{"a"}, Count: count, First: said + 1, Size: 200}); err != nil {
			t.Fatal(err)
		}
		said += count
	}
	reason := func() string {
		s, err := h.JournalState()
		if err != nil {
			t.Fatal(err)
		}
		return s.Reason
	}
	for round, left := range []int64{2 << 20, 0} {
		say(50)
		accepted(t, net, "b", said, h.log.String)
		if err := h.Stop("right"); err != nil {
			t.Fatal(err)
		}
		until(t, "the plug has stopped", func() bool { return h.Status()[1].State == "stopped" })
		say(200)
		waiting := said
		until(t, "200 messages wait", func() bool {
			queues, err := h.Queues(t.Context())
			return err == nil && len(queues) == 1 && queues[0].Waiting == 200
		})

		d.Fill(2 << 20)
		until(t, "the disk is full", func() bool { return strings.Contains(reason(), "the disk is full") })
		say(100) // their plug waits with them
		client, err := h.Client("")
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Send(t.Context(), hook.Request{Channel: channel("right", "b"), Action: &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "x"}}}}}}})
		refused := (*hook.Error)(nil)
		if !errors.As(err, &refused) || refused.Code != codes.ResourceExhausted || !strings.Contains(refused.Text, "the disk is full") {
			t.Errorf("a client that sends gets %v", err)
		}
		if left == 0 {
			d.Fill(0)
		}
		if err := h.Start("right"); err != nil {
			t.Fatal(err)
		}
		switch {
		case left == 0:
			until(t, "the journal can't be written", func() bool { return strings.Contains(reason(), "opened anew") })
		case right.Echo == simnettest.EchoNone:
			accepted(t, net, "b", waiting, h.log.String)
			if r := reason(); !strings.Contains(r, "the disk is full") {
				t.Errorf("what waited was delivered when the disk was no longer full: %q", r)
			}
		}
		if heard := len(h.in(channel("left", "a"))); heard != waiting {
			t.Errorf("round %d: on a full disk %d messages were heard, of %d that came before", round, heard, waiting)
		}
		d.Clear()
		accepted(t, net, "b", said, h.log.String)
		until(t, "all is well again", func() bool { return reason() == "" })
		if info, err := os.Stat(filepath.Join(d.Dir, "data", "journal", "ballast")); err != nil || info.Size() != ballast {
			t.Errorf("the ballast is not there again: %v", err)
		}
	}
	h.stop()
	once(t, net, "a", "b")
}
