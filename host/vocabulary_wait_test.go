package host_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// waiting lets happen what must leave no trace, or only its end, if it happens while the
// channel there waits.
func waiting(x *talk) (here, there []string) {
	act := func(kind simnettest.ActKind, text, by, now string) {
		x.act(simnettest.Act{Channel: x.here, Kind: kind, ID: x.id(x.here, text), Author: by, Text: now})
	}
	for _, words := range []string{"one", "two", "three", "four"} {
		x.say(simnettest.Say{Channel: x.here, Author: "Ann", Text: words})
	}
	act(simnettest.KindEdit, "one", "Ann", "uno")
	act(simnettest.KindEdit, "uno", "Ann", "eins")
	act(simnettest.KindDelete, "two", "Ann", "")
	act(simnettest.KindEdit, "three", "Ann", "tre")
	act(simnettest.KindDelete, "tre", "Ann", "")
	act(simnettest.KindEdit, "four", "Eve", "a fool")
	x.say(simnettest.Say{Channel: x.here, Author: "Bob", Text: "five", ReplyTo: x.id(x.here, "eins")})
	x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindReact, ID: x.id(x.here, "five"), Author: "Ann", Reaction: "👍"})
	x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindReact, ID: x.id(x.here, "five"), Author: "Bob", Reaction: "👍"})
	x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindUnreact, ID: x.id(x.here, "five"), Author: "Ann", Reaction: "👍"})
	return []string{"Ann: eins (edited)", "Ann: a fool (edited)", `Bob: five > "eins" [👍 Bob]`},
		[]string{"Ann: eins", "Ann: four", `Bob: five > "eins" [👍 ` + x.account() + `]`}
}

// Bridging 4: an edit or a delete of a message that still waits is folded in: while the
// plug there is down, while its channel is held, while the network wants us to wait,
// and over a restart of the host. What was deleted was never sent.
func TestEditsAndDeletesOfWhatWaits(t *testing.T) {
	t.Parallel()
	accounts := []simnettest.Account{{Name: "talk"}, {Name: "down"}, {Name: "held"}, {Name: "slow"}, {Name: "lacking", Lacks: []simnettest.Ability{simnettest.CanEdit}}}
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart %v", restart), func(t *testing.T) {
			t.Parallel()
			net, plug := simulated(t, accounts...)
			o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second, Supervision: host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000}}
			var talks []*talk
			for _, a := range accounts {
				o.Plugs = append(o.Plugs, plug(id.InstanceName(a.Name), a.Name))
				if a.Name != "talk" {
					from := "to " + a.Name
					c := bridge(channel("talk", from), channel(id.InstanceName(a.Name), a.Name))
					// What has arrived at the witness is accepted for the other too.
					c.Members = append(c.Members, host.Member{Channel: channel("talk", "witness of "+a.Name), Direction: host.Out, Name: "{name}"})
					o.Conversations = append(o.Conversations, c)
					talks = append(talks, &talk{t: t, net: net, here: from, there: a.Name})
				}
			}
			h := startHost(t, o)
			for _, a := range accounts {
				h.ready(id.InstanceName(a.Name), 0)
			}
			allListen(t, net, len(accounts))
			for _, name := range []string{"down", "lacking"} {
				do(t, net, simnettest.Command{Logins: &simnettest.Logins{Account: name, Verdict: simnettest.LoginUnreachable, Count: -1}})
				pid := h.ready(id.InstanceName(name), 0).Pid
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				h.until(id.InstanceName(name), "down", func(s host.Status) bool { return s.State == "backoff" })
			}
			do(t, net,
				simnettest.Command{Act: &simnettest.Act{Channel: "held", Kind: simnettest.KindState, State: simnettest.StatePending, Text: "a knock"}},
				simnettest.Command{Puts: &simnettest.Puts{Channel: "slow", Verdict: simnettest.RateLimited, RetryAfter: simnettest.Duration(time.Second), Count: -1}})
			// "slow" waits because of this one, until the network takes it, and "held" knows
			// that it is held.
			for _, x := range talks {
				x.log = h.log
				x.say(simnettest.Say{Channel: x.here, Author: "Ann", Text: "first"})
			}
			talks[2].wait(simnettest.Rejected, "slow", 1)
			here, there := map[*talk][]string{}, map[*talk][]string{}
			for _, x := range talks {
				here[x], there[x] = waiting(x)
			}
			for _, x := range talks {
				x.say(simnettest.Say{Channel: x.here, Author: "Ann", Text: "last"})
			}
			until(t, "all is accepted", func() bool {
				ledger, err := net.Ledger(t.Context())
				return err == nil && !slices.ContainsFunc(talks, func(x *talk) bool {
					return !slices.ContainsFunc(ledger, func(e simnettest.Entry) bool {
						return e.Channel == "witness of "+x.there && e.Kind == simnettest.Accepted && strings.Contains(e.Text, "last")
					})
				})
			})
			if restart {
				talks[0].wait(simnettest.Connected, "", len(accounts))
				h.kill()
				h.ready("talk", 0)
			}
			do(t, net,
				simnettest.Command{Logins: &simnettest.Logins{Account: "down", Verdict: simnettest.LoginAccept, Count: -1}},
				simnettest.Command{Logins: &simnettest.Logins{Account: "lacking", Verdict: simnettest.LoginAccept, Count: -1}},
				simnettest.Command{Act: &simnettest.Act{Channel: "held", Kind: simnettest.KindState, State: simnettest.StateJoined}},
				simnettest.Command{Puts: &simnettest.Puts{Channel: "slow", Verdict: simnettest.Accept}})
			for _, x := range talks {
				after := []string{"Ann: last"}
				x.shows("what waited", append(append([]string{"Ann: first"}, here[x]...), after...),
					append(append([]string{"Ann: first"}, there[x]...), after...))
				for _, e := range x.ledger() {
					if e.Channel == x.there && e.Kind == simnettest.Accepted && strings.Contains(" two three tre (edited) tre ", " "+e.Text+" ") {
						t.Errorf("%s: %q was sent and had been deleted before", x.there, e.Text)
					}
				}
			}
			h.stop()
			nothingWaits(t, o.DataDir)
		})
	}
}

// Bridging 4, O5: while it is uncertain whether a message was sent, its content doesn't
// change; the edit or the delete is carried out after it. The message is there once.
func TestEditsAndDeletesOfWhatIsUncertain(t *testing.T) {
	t.Parallel()
	soon := simnettest.Duration(time.Second)
	h, talks := bridged(t, host.Options{DataDir: dataDir(t)}, map[string]simnettest.Account{
		"echo":       {PutTimeout: soon},
		"idempotent": {PutTimeout: soon, Echo: simnettest.EchoOwn, Idempotent: simnettest.Duration(time.Hour)},
		"outcome":    {PutTimeout: soon, Echo: simnettest.EchoNone, Idempotent: simnettest.Duration(time.Hour)},
	}, map[string]simnettest.Channel{"edit": {}, "delete": {}, "react": {}, "edit lost": {}, "delete lost": {}, "react lost": {}})
	for name, x := range talks {
		if !strings.HasSuffix(name, "lost") {
			do(t, x.net, simnettest.Command{Puts: &simnettest.Puts{Channel: x.there, Verdict: simnettest.NoAnswer, Accepted: true}})
		}
		x.say(simnettest.Say{Channel: x.here, Author: "Ann", Text: "one"})
	}
	want := map[string][2][]string{}
	for name, x := range talks {
		x.wait(simnettest.Accepted, x.there, 1)
		if strings.HasSuffix(name, "lost") {
			x.shows("a message", []string{"Ann: one"}, []string{"Ann: one"})
			do(t, x.net, simnettest.Command{Puts: &simnettest.Puts{Channel: x.there, Verdict: simnettest.NoAnswer, Accepted: true}})
		}
		account, what, _ := strings.Cut(strings.TrimSuffix(name, " lost"), " ")
		a := simnettest.Act{Channel: x.here, ID: x.id(x.here, "one"), Author: "Ann"}
		switch what {
		case "edit":
			a.Kind, a.Text = simnettest.KindEdit, "uno"
			want[name] = [2][]string{{"Ann: uno (edited)"}, {"Ann: uno (edited)"}}
		case "delete":
			a.Kind = simnettest.KindDelete
		case "react":
			a.Kind, a.Reaction = simnettest.KindReact, "👍"
			want[name] = [2][]string{{"Ann: one [👍 Ann]"}, {"Ann: one [👍 " + account + "]"}}
		}
		x.act(a)
	}
	for name, x := range talks {
		x.shows(name, want[name][0], want[name][1])
	}
	for name, x := range talks {
		x.last(want[name][0], want[name][1])
	}
	h.stop()
	nothingWaits(t, h.dataDir)
}

// O5: what somebody does to a message of ours of which nobody knows whether it was sent
// waits for its echo, as our own events do: then it is about our message. What is about
// nothing doesn't wait.
func TestAnswerToWhatIsUncertain(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{})
	do(t, x.net,
		simnettest.Command{Hold: &simnettest.Hold{Channel: "there", Stage: simnettest.StageEchoes}},
		simnettest.Command{Puts: &simnettest.Puts{Channel: "there", Verdict: simnettest.Uncertain, Accepted: true}})
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "one"})
	x.wait(simnettest.Accepted, "there", 1)
	until(t, "the host is uncertain", func() bool { return strings.Contains(h.log.String(), "it is uncertain whether the message was sent") })
	x.say(simnettest.Say{Channel: "there", Author: "Cid", Text: "free"})
	x.say(simnettest.Say{Channel: "there", Author: "Cid", Text: "two", ReplyTo: x.id("there", "one")})
	x.act(simnettest.Act{Channel: "there", Kind: simnettest.KindReact, ID: x.id("there", "one"), Author: "Cid", Reaction: "👍"})
	x.wait(simnettest.Accepted, "here", 1)
	do(t, x.net, simnettest.Command{Release: &simnettest.Release{Channel: "there", Stage: simnettest.StageEchoes}})
	x.shows("answers", []string{"Ann: one [👍 talk]", "Cid: free", `Cid: two > "one"`}, []string{"Ann: one [👍 Cid]", "Cid: free", `Cid: two > "one"`})
	h.stop()
	nothingWaits(t, o.DataDir)
}
