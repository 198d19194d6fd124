package host_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// O1, O2, O4, O6, D2: echoes come before, at, after their answers, or never; lost,
// twice, in a wrong order; with our operation id or without it; in place of an
// answer; on plugs of either put scope. Each that comes is yielded once, when its
// send has returned, and says whose it is; none is taken for a message.
func TestEchoes(t *testing.T) {
	t.Parallel()
	const each, soon = 10, simnettest.Duration(10 * time.Millisecond)
	accounts := map[string]simnettest.Account{
		"id":        {},
		"own":       {Echo: simnettest.EchoOwn},
		"scope-id":  {},
		"scope-own": {Echo: simnettest.EchoOwn},
		"by-echo":   {IDsByEcho: true},
	}
	kinds := map[string]struct {
		channel simnettest.Channel
		fault   simnettest.EchoFault
		echoes  int
	}{
		"before":    {simnettest.Channel{Echo: simnettest.Before, EchoDelay: soon, AnswerDelay: soon}, "", each},
		"at":        {simnettest.Channel{Echo: simnettest.At}, "", each},
		"after":     {simnettest.Channel{Echo: simnettest.After, EchoDelay: soon}, "", each},
		"never":     {simnettest.Channel{Echo: simnettest.Never}, "", 0},
		"lost":      {simnettest.Channel{}, simnettest.EchoLost, 0},
		"twice":     {simnettest.Channel{}, simnettest.EchoTwice, each},
		"new-event": {simnettest.Channel{}, simnettest.EchoNewEvent, each},
		"swapped":   {simnettest.Channel{}, simnettest.EchoSwapped, each},
	}
	all := []simnettest.Account{{Name: "talk"}}
	for name, account := range accounts {
		account.Name = name
		all = append(all, account)
	}
	net, plug := simulated(t, all...)
	o := host.Options{Plugs: []host.Plug{plug("talk", "talk")}}
	type target struct {
		to, from hook.Channel
		echoes   int
	}
	var targets []target
	for name, account := range accounts {
		p := plug(id.InstanceName(name), name)
		if strings.HasPrefix(name, "scope-") {
			p.Path = built(t).PlugWithScope
		}
		o.Plugs = append(o.Plugs, p)
		for kind, k := range kinds {
			if account.IDsByEcho && (k.echoes == 0 || k.fault == simnettest.EchoSwapped) {
				continue // such a Put waits for an echo that only comes behind the next one's
			}
			c := k.channel
			c.Name = name + " " + kind
			do(t, net, simnettest.Command{Channel: &c})
			if k.fault != "" {
				do(t, net, simnettest.Command{Echoes: &simnettest.Echoes{Channel: c.Name, Fault: k.fault, Count: -1}})
			}
			target := target{channel(p.Name, c.Name), channel("talk", "to "+c.Name), k.echoes}
			targets = append(targets, target)
			o.Conversations = append(o.Conversations, bridge(target.from, target.to))
		}
	}
	h := runHere(t, o, net)

	for i := range each {
		for _, target := range targets {
			speak(t, net, string(target.from.Source), fmt.Sprintf("%d for %s", i, target.to))
		}
	}
	for _, target := range targets {
		accepted(t, net, string(target.to.Source), each, h.log.String)
		h.echoed(target.to, target.echoes)
		// What is said last is yielded last: then there is no echo behind it.
		speak(t, net, string(target.to.Source), "last in "+target.to.String())
		h.l.until(t, "last in "+target.to.String())
		accepted(t, net, string(target.from.Source), 1, h.log.String)
	}
	h.stop()
	for _, target := range targets {
		ledger := once(t, net, string(target.from.Source), string(target.to.Source))
		said, operations := map[string]string{}, map[string]string{} // by text
		for _, e := range ledger {
			switch {
			case e.Kind == simnettest.Emitted && e.Channel == string(target.from.Source):
				said[e.Text] = e.ID
			case e.Kind == simnettest.Accepted && e.Channel == string(target.to.Source):
				operations[e.Text] = e.OperationID
			}
		}
		echoes := 0
		for _, d := range h.in(target.to) {
			if !d.Ours {
				continue
			}
			echoes++
			// An echo without an operation id has an origin only by its receipt: that
			// was there before it was yielded.
			origin, words := d.Origin, text(d.Event)
			if origin == nil || string(origin.Operation) != operations[words] || origin.Hook != "conversations" || !origin.Primary ||
				origin.Source == nil || string(origin.Source.ID) != said[words] || origin.Source.Channel.Source != target.from.Source {
				t.Errorf("%s: the echo of %q, operation %q of message %q, has the origin %+v", target.to, words, operations[words], said[words], origin)
			}
		}
		if echoes != target.echoes {
			t.Errorf("%s: %d echoes were yielded, want %d", target.to, echoes, target.echoes)
		}
	}
}

// O5, "settling by echo": while a Put's outcome is uncertain, nothing settles it but
// an own event with its id: not a stranger's with our id, not one of which nobody
// knows whose it is, not another message of ours. So the second attempt is made,
// and the message is not lost.
func TestForgedEchoSettlesNothing(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"},
		simnettest.Account{Name: "bot", Careless: true, PutTimeout: simnettest.Duration(time.Second)})
	h := runHere(t, host.Options{
		Plugs:         []host.Plug{plug("talk", "talk"), plug("bot", "bot")},
		Conversations: []host.Conversation{bridge(channel("talk", "from"), channel("bot", "to"))},
	}, net)
	do(t, net, simnettest.Command{Puts: &simnettest.Puts{Channel: "to", Verdict: simnettest.Uncertain}})
	speak(t, net, "from", "mine")
	if err := net.Wait(t.Context(), simnettest.Rejected, "to", 1); err != nil {
		t.Fatal(err)
	}
	ledger, err := net.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	operation := ledger[len(ledger)-1].OperationID
	if operation == "" {
		t.Fatalf("the attempt had no operation id: %+v", ledger[len(ledger)-1])
	}
	for _, s := range []simnettest.Say{
		{Text: "eve, a stranger", OperationID: operation, Own: simnettest.OwnNo},
		{Text: "perhaps mine", OperationID: operation, Own: simnettest.OwnUnknown},
		{Text: "nobody says whose", OperationID: operation, Own: simnettest.OwnMissing},
		{Text: "from my phone", Account: "bot"},
		{Text: "of an id that nobody issued", Account: "bot", OperationID: "0123456789abcdefghij"},
	} {
		s.Channel = "to"
		do(t, net, simnettest.Command{Say: &s})
	}
	accepted(t, net, "to", 1, h.log.String)
	h.echoed(channel("bot", "to"), 5)
	for _, d := range h.in(channel("bot", "to")) {
		words := text(d.Event)
		switch {
		case words == "mine" && (d.Origin == nil || string(d.Origin.Operation) != operation):
			t.Errorf("the echo of the second attempt has the origin %+v", d.Origin)
		case words != "mine" && d.Origin != nil:
			t.Errorf("%q has the origin %+v", words, d.Origin)
		case d.Ours != (words != "eve, a stranger"):
			t.Errorf("%q: ours %v", words, d.Ours)
		}
	}
	// Only what a stranger says goes on.
	speak(t, net, "to", "last")
	accepted(t, net, "from", 2, h.log.String)
	h.stop()
	if ledger, err = net.Ledger(t.Context()); err != nil {
		t.Fatal(err)
	}
	var bridged []string
	for _, e := range ledger {
		if e.Kind == simnettest.Accepted {
			bridged = append(bridged, e.Text)
		}
	}
	if got := strings.Join(bridged, ", "); got != "eve, a stranger, mine, last" {
		t.Errorf("sent was: %s", got)
	}
}

// O5: an echo settles what nobody knew: the network took the message, its answer
// was lost, and nothing is sent again. Where echoes come without our id, nothing
// settles it but the network's memory for operations.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	accounts := map[string]simnettest.Account{
		"echo":       {},
		"idempotent": {Echo: simnettest.EchoOwn, Idempotent: simnettest.Duration(time.Hour)},
	}
	verdicts := []simnettest.Verdict{simnettest.Uncertain, simnettest.Disconnect, simnettest.NoAnswer}
	all := []simnettest.Account{{Name: "talk"}}
	for name, a := range accounts {
		a.Name, a.PutTimeout = name, simnettest.Duration(time.Second)
		all = append(all, a)
	}
	net, plug := simulated(t, all...)
	o := host.Options{DataDir: dataDir(t), Plugs: []host.Plug{plug("talk", "talk")}}
	var targets []string
	for name := range accounts {
		o.Plugs = append(o.Plugs, plug(id.InstanceName(name), name))
		for _, v := range verdicts {
			target := fmt.Sprintf("%s %s", name, v)
			targets = append(targets, target)
			o.Conversations = append(o.Conversations, bridge(channel("talk", "to "+target), channel(id.InstanceName(name), target)))
			do(t, net, simnettest.Command{Puts: &simnettest.Puts{Channel: target, Verdict: v, Accepted: true}})
		}
	}
	h := runHere(t, o, net)
	for _, target := range targets {
		for _, words := range []string{"one", "two", "two"} {
			speak(t, net, "to "+target, words)
		}
	}
	for _, target := range targets {
		accepted(t, net, target, 3, h.log.String)
		name, _, _ := strings.Cut(target, " ")
		h.echoed(channel(id.InstanceName(name), target), 3)
	}
	h.stop()
	for _, target := range targets {
		ledger := once(t, net, "to "+target, target)
		want := 1 // time that it is asked for again
		if strings.HasPrefix(target, "echo") {
			want = 0
		}
		if got := lines(ledger, simnettest.Repeated, target); got != want {
			t.Errorf("%s: a message was asked for again %d times, want %d", target, got, want)
		}
		name, _, _ := strings.Cut(target, " ")
		for _, d := range h.in(channel(id.InstanceName(name), target)) {
			if want == 0 && d.Origin == nil {
				t.Errorf("%s: the echo of %q has no origin", target, text(d.Event))
			}
		}
	}
	nothingWaits(t, o.DataDir)
}
