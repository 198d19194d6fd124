package simplug_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

func order(p simnettest.Plug) simnettest.Command {
	p.Account = "alice"
	return simnettest.Command{Plug: &p}
}

func TestOrdersForNow(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		for _, f := range []simnettest.Fault{simnettest.FaultExit, simnettest.FaultCrash, simnettest.FaultHang} {
			do(t, n, order(simnettest.Plug{Fault: f}))
			if got := <-h.died; got != f {
				t.Errorf("got %q, want %q", got, f)
			}
		}
	})
}

// The points lie before anything was sent, behind the network's acceptance, and
// behind the ids: with ids by echo those are two different moments.
func TestOrdersAtThePointsOfAPut(t *testing.T) {
	for at, c := range map[simnettest.Point]struct {
		accepted, echoed bool
	}{
		simnettest.BeforeSend:   {false, false},
		simnettest.AfterAccept:  {true, false},
		simnettest.BeforeAnswer: {true, true},
	} {
		t.Run(string(at), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *simnettest.Local) {
				h := newHost(t, n)
				h.start("left", "right")
				h.open(nil)
				h.heard()
				do(t, n, order(simnettest.Plug{Fault: simnettest.FaultHang, At: at, Channel: "left"}))
				if got := h.put("right", "spared", "op0"); got != "sent right-1" {
					t.Fatal(got)
				}
				h.heard()

				answer := make(chan string, 1)
				go func() { answer <- h.put("left", "hi", "op") }()
				synctest.Wait()
				count := 1
				if c.accepted {
					count = 2
				}
				if got := accepted(t, n); len(got) != count {
					t.Fatalf("accepted %q", got)
				}
				do(t, n, simnettest.Command{Release: &simnettest.Release{Channel: "left", Stage: simnettest.StageEchoes}})
				echoed := strings.Contains(strings.Join(h.heard(), "\n"), "event left left-1")
				if echoed != c.accepted {
					t.Fatalf("echoed: %v", echoed)
				}
				// It is deaf to its deadline, and nothing is sent when it ends.
				if got := <-answer; !strings.Contains(got, "DeadlineExceeded") {
					t.Fatal(got)
				}
				h.stop()
				if got := accepted(t, n); len(got) != count {
					t.Fatalf("accepted %q in the end", got)
				}
			}, account(simnettest.Account{IDsByEcho: true}))
		})
	}
}

func TestPanicInAPutIsUncertain(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		do(t, n, order(simnettest.Plug{Fault: simnettest.FaultPanic, At: simnettest.AfterAccept}))
		if got := h.put("left", "hi", "op"); got != "UNCERTAIN" {
			t.Fatal(got)
		}
		if got := h.put("left", "again", "op2"); got != "sent left-2" {
			t.Fatal(got)
		}
	})
}

func TestExitInAPut(t *testing.T) {
	inBubble(t, func(t *testing.T, n *simnettest.Local) {
		h := newHost(t, n)
		h.start("left")
		do(t, n, order(simnettest.Plug{Fault: simnettest.FaultExit, At: simnettest.BeforeAnswer}))
		h.put("left", "hi", "op")
		if got := <-h.died; got != simnettest.FaultExit {
			t.Fatal(got)
		}
		time.Sleep(time.Second)
	})
}
