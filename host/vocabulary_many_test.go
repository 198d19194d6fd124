package host_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// Bridging 1, 2, 4: three members, each another kind of network, the same message ids
// in all of them: what happens in one arrives in both others, in the way of each.
func TestThreeMembers(t *testing.T) {
	t.Parallel()
	accounts := []simnettest.Account{{Name: "full"}, {Name: "named", Aliases: true, References: true, Reactions: simnettest.ReactionsByID},
		{Name: "poor", Lacks: []simnettest.Ability{simnettest.CanEdit, simnettest.CanReply, simnettest.CanReact}, TextAuthors: true, Echo: simnettest.EchoOwn}}
	net, plug := simulated(t, accounts...)
	do(t, net, simnettest.Command{Network: &simnettest.NetworkSettings{CollidingIDs: true}})
	o := host.Options{DataDir: dataDir(t), Conversations: []host.Conversation{{Name: "all"}}}
	for _, a := range accounts {
		o.Plugs = append(o.Plugs, plug(id.InstanceName(a.Name), a.Name))
		o.Conversations[0].Members = append(o.Conversations[0].Members, host.Member{Channel: channel(id.InstanceName(a.Name), a.Name), Name: "{name}"})
	}
	h := runHere(t, o, net)
	boards := func(what string, full, named, poor []string) {
		t.Helper()
		x := &talk{t: t, net: net, here: "full", there: "named", log: h.log.String}
		x.shows(what, full, named)
		x.here, x.there = "poor", "poor"
		x.shows(what, poor, poor)
	}
	x := &talk{t: t, net: net, log: h.log.String}
	x.say(simnettest.Say{Channel: "full", Author: "Ann", Text: "one"})
	boards("a message", []string{"Ann: one"}, []string{"Ann: one"}, []string{"poor: Ann: one"})
	x.say(simnettest.Say{Channel: "poor", Author: "Pia", Text: "two"})
	boards("another", []string{"Ann: one", "Pia: two"}, []string{"Ann: one", "Pia: two"}, []string{"poor: Ann: one", "Pia: two"})
	x.say(simnettest.Say{Channel: "named", Author: "Ned", Text: "three", ReplyTo: x.id("named", "two")})
	boards("a reply", []string{"Ann: one", "Pia: two", `Ned: three > "two"`}, []string{"Ann: one", "Pia: two", `Ned: three > "two"`},
		[]string{"poor: Ann: one", "Pia: two", "poor: Ned: > Pia: two⏎three"})
	x.act(simnettest.Act{Channel: "named", Kind: simnettest.KindReact, ID: x.id("named", "one"), Author: "Ned", Reaction: "👍"})
	x.act(simnettest.Act{Channel: "poor", Kind: simnettest.KindReact, ID: x.id("poor", "Ann: one"), Author: "Pia", Reaction: "👍"})
	boards("reactions of both", []string{"Ann: one [👍 full]", "Pia: two", `Ned: three > "two"`},
		[]string{"Ann: one [👍 Ned] [👍 named]", "Pia: two", `Ned: three > "two"`},
		[]string{"poor: Ann: one [👍 Pia]", "Pia: two", "poor: Ned: > Pia: two⏎three"})
	x.act(simnettest.Act{Channel: "named", Kind: simnettest.KindUnreact, ID: x.id("named", "one"), Author: "Ned", Reaction: "👍"})
	x.act(simnettest.Act{Channel: "poor", Kind: simnettest.KindUnreact, ID: x.id("poor", "Ann: one"), Author: "Pia", Reaction: "👍"})
	x.act(simnettest.Act{Channel: "full", Kind: simnettest.KindEdit, ID: x.id("full", "one"), Author: "Ann", Text: "uno"})
	boards("an edit", []string{"Ann: uno (edited)", "Pia: two", `Ned: three > "two"`},
		[]string{"Ann: uno (edited)", "Pia: two", `Ned: three > "two"`},
		[]string{"poor: Ann: one", "Pia: two", "poor: Ned: > Pia: two⏎three", "poor: Ann: (edited) uno"})
	x.act(simnettest.Act{Channel: "full", Kind: simnettest.KindDelete, ID: x.id("full", "uno"), Author: "Ann"})
	x.act(simnettest.Act{Channel: "poor", Kind: simnettest.KindDelete, ID: x.id("poor", "two"), Author: "Pia"})
	boards("deletes", []string{`Ned: three > ?`}, []string{`Ned: three > ?`}, []string{"poor: Ned: > Pia: two⏎three"})
	h.stop()
	boards("in the end", []string{`Ned: three > ?`}, []string{`Ned: three > ?`}, []string{"poor: Ned: > Pia: two⏎three"})
	nothingWaits(t, o.DataDir)
}

// Bridging 1, 4, D1, D3: messages are said, edited, deleted and reacted to, as fast as
// the network goes, while plugs and host are killed: in the end both sides show the
// same, in the same order, whoever spoke.
func TestKillsInTheMidstOfEverything(t *testing.T) {
	t.Parallel()
	hour, soon := simnettest.Duration(time.Hour), simnettest.Duration(3*time.Millisecond)
	for name, bot := range map[string]simnettest.Account{
		"named":      {Aliases: true, References: true},
		"by id":      {Reactions: simnettest.ReactionsByID, IDsByEcho: true},
		"whole":      {Reactions: simnettest.ReactionsWhole, Echo: simnettest.EchoOwn, Idempotent: hour},
		"idempotent": {Echo: simnettest.EchoNone, Idempotent: hour, References: true},
	} {
		for when, c := range map[string]simnettest.Channel{
			"at": {Echo: simnettest.At}, "later": {Echo: simnettest.After, EchoDelay: soon, AnswerDelay: soon},
			"before": {Echo: simnettest.Before, EchoDelay: soon, AnswerDelay: soon},
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				killsInTheMidst(t, bot, c)
			})
		}
	}
}

func killsInTheMidst(t *testing.T, bot simnettest.Account, there simnettest.Channel) {
	const rounds, each = 6, 25
	bot.Name, there.Name = "bot", "there"
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, bot)
	do(t, net, simnettest.Command{Channel: &there})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second,
		Supervision:   host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000},
		Plugs:         []host.Plug{plug("talk", "talk"), plug("bot", "bot")},
		Conversations: []host.Conversation{bridge(channel("talk", "here"), channel("bot", "there"))}}
	h := startHost(t, o)
	h.ready("talk", 0)
	h.ready("bot", 0)
	allListen(t, net, 2)
	x := &talk{t: t, net: net, here: "here", there: "there", log: h.log}
	n := 0
	for round := range rounds {
		// From the first one on the host has a cursor of each channel; and what was
		// uncertain at the last kill is settled: a send that two kills hit is parked, as
		// the contract says, and this is about those that one hits.
		settle(map[string]*talk{"": x}, round)
		for range each {
			n++
			result, err := net.Do(t.Context(), simnettest.Command{Say: &simnettest.Say{Channel: "here", Author: "Ann", Text: fmt.Sprint("message ", n)}})
			if err != nil {
				t.Fatal(err)
			}
			name := result.IDs[0]
			act := func(kind simnettest.ActKind, who, text string) {
				x.act(simnettest.Act{Channel: "here", Kind: kind, ID: name, Author: who, Text: text, Reaction: "👍"})
			}
			switch n % 5 {
			case 0:
				act(simnettest.KindEdit, "Ann", fmt.Sprint("edited ", n))
				act(simnettest.KindReact, "Bob", "")
			case 1:
				act(simnettest.KindReact, "Bob", "")
				act(simnettest.KindReact, "Cid", "")
				act(simnettest.KindUnreact, "Bob", "")
			case 2:
				act(simnettest.KindEdit, "Ann", fmt.Sprint("edited ", n))
				act(simnettest.KindDelete, "Ann", "")
			case 3:
				act(simnettest.KindReact, "Bob", "")
				act(simnettest.KindUnreact, "Bob", "")
				act(simnettest.KindEdit, "Eve", fmt.Sprint("forged ", n))
				act(simnettest.KindEdit, "Ann", fmt.Sprint("edited ", n))
			}
		}
		switch round % 3 {
		case 0:
			kill(t, h, "bot")
		case 1:
			kill(t, h, "talk")
		case 2:
			h.kill()
		}
	}
	settle(map[string]*talk{"": x}, rounds)
	h.stop()
	// An edit that was folded in shows as none, and everybody there reacts as the bot.
	plain := func(lines []string) (made []string) {
		for _, l := range lines {
			l = strings.ReplaceAll(l, " (edited)", "")
			made = append(made, strings.NewReplacer("[👍 Bob]", "[👍 bot]", "[👍 Cid]", "[👍 bot]").Replace(l))
		}
		return made
	}
	one, other := plain(simnettest.Lines(x.board("here"))), plain(simnettest.Lines(x.board("there")))
	if len(one) != rounds*each*4/5 {
		t.Errorf("there are %d messages here", len(one))
	}
	for i := range max(len(one), len(other)) {
		if i >= len(one) || i >= len(other) || one[i] != other[i] {
			t.Errorf("from line %d on here are\n\t%s\nthere are\n\t%s", i, strings.Join(one[i:], "\n\t"), strings.Join(other[min(i, len(other)):], "\n\t"))
			break
		}
	}
	nothingWaits(t, o.DataDir)
}
