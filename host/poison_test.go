package host_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// D4: a real plug crashes of one message, each time. It is tried again alone, and parked
// as poison; what was under way beside it is sent once, and so is what comes behind it.
func TestPoison(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "crash"})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: 3 * time.Second, Supervision: host.Supervision{BackoffMin: 100 * time.Millisecond},
		Plugs: []host.Plug{plug("talk", "talk"), plug("crash", "crash")},
		Conversations: []host.Conversation{
			bridge(channel("talk", "to bad"), channel("crash", "bad")), bridge(channel("talk", "to good"), channel("crash", "good")),
		}}
	h := startHost(t, o)
	h.ready("talk", 0)
	pid := h.ready("crash", 0).Pid
	allListen(t, net, 2)
	do(t, net, simnettest.Command{Puts: &simnettest.Puts{Channel: "good", Verdict: simnettest.NoAnswer, Count: 1}})
	speak(t, net, "to good", "innocent")
	if err := net.Wait(t.Context(), simnettest.Rejected, "good", 1); err != nil {
		t.Fatal(err)
	}
	crash := simnettest.Command{Plug: &simnettest.Plug{Account: "crash", Fault: simnettest.FaultCrash, At: simnettest.BeforeSend, Channel: "bad"}}
	do(t, net, crash)
	speak(t, net, "to bad", "poison")
	speak(t, net, "to bad", "behind it")
	h.ready("crash", pid)
	do(t, net, crash) // while it still waits for an echo
	accepted(t, net, "bad", 1, h.log)
	accepted(t, net, "good", 1, h.log)
	speak(t, net, "to good", "last")
	accepted(t, net, "good", 2, h.log)
	h.stop()
	ledger := once(t, net, "to good", "good")
	if n := lines(ledger, simnettest.Accepted, "bad"); n != 1 {
		t.Errorf("the channel of the poison has %d messages, want the one behind it", n)
	}

	store, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: filepath.Join(o.DataDir, "journal"), Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	j, err := journal.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	parked, err := j.ParkedOperations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(parked) != 1 || parked[0].Channel.Source != id.ChannelSource("bad") || !strings.HasPrefix(parked[0].Record.Reason, "poison: the plug crashed in 2 of 2 attempts") {
		t.Errorf("parked: %v", parked)
	}
}
