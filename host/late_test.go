package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// parks has the network take what is sent to a channel next, and neither answer nor echo;
// the second attempt is not taken, so that the message is there once.
func parks(t *testing.T, net *simnettest.Process, to string) {
	t.Helper()
	do(t, net,
		simnettest.Command{Hold: &simnettest.Hold{Channel: to, Stage: simnettest.StageEchoes}},
		simnettest.Command{Puts: &simnettest.Puts{Channel: to, Verdict: simnettest.Uncertain, Accepted: true}},
		simnettest.Command{Puts: &simnettest.Puts{Channel: to, Verdict: simnettest.Uncertain}})
}

// D4, O1, O4, O5: the echo of a message comes when that has long been parked. It is sent
// then, as everybody is told; it can't be put back; an edit of its source arrives at it,
// and nothing is there twice.
func TestLateEcho(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "bot", PutTimeout: simnettest.Duration(100 * time.Millisecond)})
	to := channel("bot", "to")
	h := runHere(t, host.Options{
		Plugs:         []host.Plug{plug("talk", "talk"), plug("bot", "bot")},
		Conversations: []host.Conversation{bridge(channel("talk", "from"), to)},
	}, net)
	events, err := h.Subscribe(t.Context(), host.Subscribe{Channels: []hook.Channel{to}})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	parks(t, net, "to")
	source, err := net.Say(t.Context(), "from", "ann", "one")
	if err != nil {
		t.Fatal(err)
	}
	var parked []host.ParkedOperation
	until(t, "it is parked", func() bool {
		parked, err = h.Parked(t.Context())
		return err == nil && len(parked) > 0
	})
	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "to", Stage: simnettest.StageEchoes}})
	until(t, "it is parked no more", func() bool {
		left, err := h.Parked(t.Context())
		return err == nil && len(left) == 0
	})
	operation := parked[0].ID
	var told []string
	for len(told) < 3 {
		next, err := events.Next(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range next {
			switch {
			case e.Settled != nil && e.Settled.ID == operation:
				told = append(told, e.Settled.State.String())
			case e.Delivery != nil && e.Delivery.Origin != nil && e.Delivery.Origin.Operation == operation:
				told = append(told, "echo")
			}
		}
	}
	if got := strings.Join(told, ", "); got != "parked, sent, echo" {
		t.Errorf("a subscriber was told: %s", got)
	}
	if op, err := h.Wait(t.Context(), operation); err != nil || op.State != hook.Sent || len(op.Receipts) != 1 {
		t.Errorf("it became %+v, %v", op, err)
	}
	if _, err := h.RetryParked(t.Context(), operation); codeOf(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "turned out to have been sent") {
		t.Errorf("putting it back: %v", err)
	}
	if err := h.DropParked(t.Context(), operation); codeOf(err) != codes.FailedPrecondition {
		t.Errorf("dropping it: %v", err)
	}
	do(t, net, simnettest.Command{Act: &simnettest.Act{Channel: "from", Kind: simnettest.KindEdit, ID: source, Author: "ann", Text: "uno"}})
	if err := net.Wait(t.Context(), simnettest.Edited, "to", 1); err != nil {
		t.Fatal(err)
	}
	speak(t, net, "from", "last")
	accepted(t, net, "to", 2, h.log.String)
	h.stop()
	once(t, net, "from", "to")
	nothingWaits(t, h.dataDir)
}

// D3, D4: the host is killed while a message is parked, and the echo comes to the next
// one; and once more as that comes.
func TestLateEchoOverKills(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "bot", PutTimeout: simnettest.Duration(100 * time.Millisecond)})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
		Plugs:         []host.Plug{plug("talk", "talk"), plug("bot", "bot")},
		Conversations: []host.Conversation{bridge(channel("talk", "from"), channel("bot", "to"))}}
	h := startHost(t, o)
	h.ready("talk", 0)
	pid := h.ready("bot", 0).Pid
	allListen(t, net, 2)
	parks(t, net, "to")
	source, err := net.Say(t.Context(), "from", "ann", "one")
	if err != nil {
		t.Fatal(err)
	}
	logged := func(words string) bool {
		all, err := os.ReadFile(filepath.Join(o.DataDir, "..", "host.log"))
		return err == nil && strings.Contains(string(all), words)
	}
	until(t, "it is parked", func() bool { return logged("put: parked") })
	h.kill()
	h.ready("bot", pid)
	do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "to", Stage: simnettest.StageEchoes}})
	h.end()
	// The last one runs here: whether the one before had settled it, and died before it
	// could say so, is told by what is parked.
	last := runHere(t, host.Options{DataDir: o.DataDir, Plugs: o.Plugs, Conversations: o.Conversations}, net)
	until(t, "it is parked no more", func() bool {
		left, err := last.Parked(t.Context())
		return err == nil && len(left) == 0
	})
	do(t, net, simnettest.Command{Act: &simnettest.Act{Channel: "from", Kind: simnettest.KindEdit, ID: source, Author: "ann", Text: "uno"}})
	if err := net.Wait(t.Context(), simnettest.Edited, "to", 1); err != nil {
		t.Fatal(err)
	}
	speak(t, net, "from", "last")
	accepted(t, net, "to", 2, last.log.String)
	last.stop()
	once(t, net, "from", "to")
	nothingWaits(t, o.DataDir)
}
