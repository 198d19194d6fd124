package host_test

import (
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// O5, D3: where no echo tells what the network took, its history does: the plug or the
// host is killed while it is uncertain whether a message was sent, once after the network
// took it and once before, and each message arrives once.
func TestHistorySettlesOverKills(t *testing.T) {
	t.Parallel()
	accounts := map[id.InstanceName]simnettest.Account{
		"none": {Echo: simnettest.EchoNone, History: true},
		"own":  {Echo: simnettest.EchoOwn, History: true, References: true},
	}
	for _, killed := range []string{"plug", "host"} {
		t.Run(killed, func(t *testing.T) {
			t.Parallel()
			all := []simnettest.Account{{Name: "talk"}}
			for name, a := range accounts {
				a.Name = string(name)
				all = append(all, a)
			}
			net, plug := simulated(t, all...)
			o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
				Supervision: host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000},
				Plugs:       []host.Plug{plug("talk", "talk")}}
			for name := range accounts {
				to := string(name)
				o.Plugs = append(o.Plugs, plug(name, to))
				o.Conversations = append(o.Conversations, bridge(channel("talk", "to "+to), channel(name, to)))
			}
			h := startHost(t, o)
			for _, a := range all {
				h.ready(id.InstanceName(a.Name), 0)
			}
			allListen(t, net, len(all))
			kill := func() {
				if killed == "host" {
					h.kill()
					return
				}
				for name := range accounts {
					kill(t, h, name)
				}
			}
			for name := range accounts {
				to := string(name)
				do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: to, Stage: simnettest.StageAnswers}})
				for _, words := range []string{"taken", "not taken", "last"} {
					speak(t, net, "to "+to, words)
				}
			}
			for name := range accounts {
				accepted(t, net, string(name), 1, h.log)
				do(t, net, simnettest.Command{Puts: &simnettest.Puts{Channel: string(name), Verdict: simnettest.NoAnswer}})
			}
			kill()
			for name := range accounts {
				do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: string(name), Stage: simnettest.StageAnswers}})
			}
			for name := range accounts {
				if err := net.Wait(t.Context(), simnettest.Rejected, string(name), 1); err != nil {
					t.Fatal(err)
				}
			}
			kill()
			for name := range accounts {
				to := string(name)
				accepted(t, net, to, 3, h.log)
				once(t, net, "to "+to, to)
			}
			h.stop()
			for name := range accounts {
				once(t, net, "to "+string(name), string(name))
			}
			nothingWaits(t, o.DataDir)
		})
	}
}
