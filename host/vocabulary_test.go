package host_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// talk is two bridged channels of a simulated network, here and there.
type talk struct {
	t           *testing.T
	net         *simnettest.Process
	here, there string
	log         func() string
}

// board is what a channel shows now.
func (x *talk) board(channel string) []*simnettest.Message {
	x.t.Helper()
	ledger, err := x.net.Ledger(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	return slices.DeleteFunc(simnettest.Standing(ledger, channel), func(m *simnettest.Message) bool { return m.Author == syncAuthor })
}

// id is the id of the message that says something in a channel.
func (x *talk) id(channel, text string) string {
	x.t.Helper()
	board := x.board(channel)
	i := slices.IndexFunc(board, func(m *simnettest.Message) bool { return m.Text == text })
	if i < 0 {
		x.t.Fatalf("channel %s has no %q:\n%s", channel, text, strings.Join(simnettest.Lines(board), "\n"))
	}
	return board[i].ID
}

func (x *talk) say(s simnettest.Say) {
	x.t.Helper()
	do(x.t, x.net, simnettest.Command{Say: &s})
}

func (x *talk) act(a simnettest.Act) {
	x.t.Helper()
	do(x.t, x.net, simnettest.Command{Act: &a})
}

// shows waits until both channels show what they should.
func (x *talk) shows(what string, here, there []string) {
	x.t.Helper()
	for _, c := range []struct {
		name string
		want []string
	}{{x.here, here}, {x.there, there}} {
		var got []string
		tick := time.NewTicker(20 * time.Millisecond)
		for limit := time.Now().Add(patience); ; <-tick.C {
			if got = simnettest.Lines(x.board(c.name)); slices.Equal(got, c.want) {
				break
			}
			if time.Now().After(limit) {
				x.t.Fatalf("%s: channel %s shows\n\t%s\nwant\n\t%s\n%s", what, c.name, strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"), x.log())
			}
		}
		tick.Stop()
	}
}

// step is something that happens on one side, and what both show then.
type step struct {
	what        string
	do          func(x *talk)
	here, there []string
}

// everything is a conversation in which everything happens that two networks can pass
// to each other. account is the plug's of the channel here, other that of the one
// there.
func everything(account, other string) []step {
	return []step{
		{"a message", func(x *talk) {
			x.say(simnettest.Say{Channel: x.here, Author: "Ann", Text: "one"})
		}, []string{"Ann: one"}, []string{"Ann: one"}},
		{"a reply to an original", func(x *talk) {
			x.say(simnettest.Say{Channel: x.here, Author: "Bob", Text: "two", ReplyTo: x.id(x.here, "one")})
		}, []string{"Ann: one", `Bob: two > "one"`}, []string{"Ann: one", `Bob: two > "one"`}},
		{"a reply to a copy", func(x *talk) {
			x.say(simnettest.Say{Channel: x.there, Author: "Cid", Text: "three", ReplyTo: x.id(x.there, "one")})
		}, []string{"Ann: one", `Bob: two > "one"`, `Cid: three > "one"`}, []string{"Ann: one", `Bob: two > "one"`, `Cid: three > "one"`}},
		{"an edit", func(x *talk) {
			x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindEdit, ID: x.id(x.here, "one"), Author: "Ann", Text: "uno"})
		}, []string{"Ann: uno (edited)", `Bob: two > "uno"`, `Cid: three > "uno"`}, []string{"Ann: uno (edited)", `Bob: two > "uno"`, `Cid: three > "uno"`}},
		{"two feel the same", func(x *talk) {
			for _, who := range []string{"Ann", "Bob"} {
				x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindReact, ID: x.id(x.here, "three"), Author: who, Reaction: "👍"})
			}
			x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindReact, ID: x.id(x.here, "three"), Author: "Ann", Reaction: "🎉"})
		}, []string{"Ann: uno (edited)", `Bob: two > "uno"`, `Cid: three > "uno" [👍 Ann] [👍 Bob] [🎉 Ann]`},
			[]string{"Ann: uno (edited)", `Bob: two > "uno"`, `Cid: three > "uno" [👍 ` + other + `] [🎉 ` + other + `]`}},
		{"one of them no more", func(x *talk) {
			x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindUnreact, ID: x.id(x.here, "three"), Author: "Ann", Reaction: "👍"})
			x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindUnreact, ID: x.id(x.here, "three"), Author: "Ann", Reaction: "🎉"})
		}, []string{"Ann: uno (edited)", `Bob: two > "uno"`, `Cid: three > "uno" [👍 Bob]`},
			[]string{"Ann: uno (edited)", `Bob: two > "uno"`, `Cid: three > "uno" [👍 ` + other + `]`}},
		{"none of them, and one for a copy", func(x *talk) {
			x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindUnreact, ID: x.id(x.here, "three"), Author: "Bob", Reaction: "👍"})
			x.act(simnettest.Act{Channel: x.there, Kind: simnettest.KindReact, ID: x.id(x.there, "two"), Author: "Cid", Reaction: "❤️"})
		}, []string{"Ann: uno (edited)", `Bob: two > "uno" [❤️ ` + account + `]`, `Cid: three > "uno"`},
			[]string{"Ann: uno (edited)", `Bob: two > "uno" [❤️ Cid]`, `Cid: three > "uno"`}},
		{"a delete, after an edit", func(x *talk) {
			x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindDelete, ID: x.id(x.here, "uno"), Author: "Ann"})
		}, []string{`Bob: two > ? [❤️ ` + account + `]`, `Cid: three > ?`}, []string{`Bob: two > ? [❤️ Cid]`, `Cid: three > ?`}},
		{"an edit there, and again", func(x *talk) {
			for i := range 3 {
				x.act(simnettest.Act{Channel: x.there, Kind: simnettest.KindEdit, ID: x.id(x.there, []string{"three", "3", "III"}[i]), Author: "Cid", Text: []string{"3", "III", "drei"}[i]})
			}
		}, []string{`Bob: two > ? [❤️ ` + account + `]`, `Cid: drei (edited) > ?`}, []string{`Bob: two > ? [❤️ Cid]`, `Cid: drei (edited) > ?`}},
		{"a thread", func(x *talk) {
			x.say(simnettest.Say{Channel: x.here, Author: "Bob", Text: "four", Thread: x.id(x.here, "drei")})
		}, []string{`Bob: two > ? [❤️ ` + account + `]`, `Cid: drei (edited) > ?`, `Bob: four # "drei"`},
			[]string{`Bob: two > ? [❤️ Cid]`, `Cid: drei (edited) > ?`, `Bob: four # "drei"`}},
		{"a thread that began elsewhere", func(x *talk) {
			x.say(simnettest.Say{Channel: x.there, Author: "Cid", Text: "five", Thread: x.id(x.there, "two"), ReplyTo: x.id(x.there, "four")})
		}, []string{`Bob: two > ? [❤️ ` + account + `]`, `Cid: drei (edited) > ?`, `Bob: four # "drei"`, `Cid: five > "four" # "two"`},
			[]string{`Bob: two > ? [❤️ Cid]`, `Cid: drei (edited) > ?`, `Bob: four # "drei"`, `Cid: five > "four" # "two"`}},
	}
}

// bridged runs a host here with a pair of channels for each name, from an account
// "talk" to the named account.
func bridged(t *testing.T, o host.Options, accounts map[string]simnettest.Account, channels map[string]simnettest.Channel) (*here, map[string]*talk) {
	t.Helper()
	all := []simnettest.Account{{Name: "talk"}}
	for name, a := range accounts {
		a.Name = name
		all = append(all, a)
	}
	net, plug := simulated(t, all...)
	o.Plugs = append(o.Plugs, plug("talk", "talk"))
	talks := map[string]*talk{}
	for name := range accounts {
		p := plug(id.InstanceName(name), name)
		if name == "scope" {
			p.Path = built(t).PlugWithScope
		}
		o.Plugs = append(o.Plugs, p)
		for kind, c := range channels {
			c.Name = name + " " + kind
			do(t, net, simnettest.Command{Channel: &c})
			from := "to " + c.Name
			o.Conversations = append(o.Conversations, bridge(channel("talk", from), channel(id.InstanceName(name), c.Name)))
			talks[c.Name] = &talk{t: t, net: net, here: from, there: c.Name}
		}
	}
	h := runHere(t, o, net)
	for _, x := range talks {
		x.log = h.log.String
	}
	return h, talks
}

// Bridging 1-4, 11: everything that happens in one member arrives in the other, once,
// whenever echoes come and whatever they say of themselves; nothing of ours comes back.
func TestEverythingIsBridged(t *testing.T) {
	t.Parallel()
	const soon = simnettest.Duration(10 * time.Millisecond)
	o := host.Options{DataDir: dataDir(t)}
	h, talks := bridged(t, o,
		map[string]simnettest.Account{
			"id":      {},
			"own":     {Echo: simnettest.EchoOwn},
			"by-echo": {IDsByEcho: true},
			"none":    {Echo: simnettest.EchoNone},
			"named":   {Aliases: true, References: true},
			"alias":   {Aliases: true, Echo: simnettest.EchoOwn},
			"by-id":   {Reactions: simnettest.ReactionsByID},
			"whole":   {Reactions: simnettest.ReactionsWhole},
			"unknown": {Own: simnettest.OwnUnknown},
			"missing": {Own: simnettest.OwnMissing, Echo: simnettest.EchoOwn},
			"scope":   {Echo: simnettest.EchoOwn, TwoCallSend: true, TwoCallFetch: true},
		},
		map[string]simnettest.Channel{
			"before": {Echo: simnettest.Before, EchoDelay: soon, AnswerDelay: soon},
			"at":     {Echo: simnettest.At},
			"after":  {Echo: simnettest.After, EchoDelay: soon},
			"never":  {Echo: simnettest.Never},
			"twice":  {},
			"again":  {},
		})
	for name, x := range talks {
		if x.account() == "by-echo" && strings.HasSuffix(name, "never") {
			delete(talks, name) // its Puts would wait
		}
		for kind, fault := range map[string]simnettest.EchoFault{"twice": simnettest.EchoTwice, "again": simnettest.EchoNewEvent} {
			if strings.HasSuffix(name, kind) {
				do(t, x.net, simnettest.Command{Echoes: &simnettest.Echoes{Channel: x.there, Fault: fault, Count: -1}})
			}
		}
	}
	play(talks, nil)
	h.stop()
	over(t, talks)
	nothingWaits(t, o.DataDir)
}

// play lets everything happen in all talks at once, step by step, and something else in
// between.
func play(talks map[string]*talk, between func()) {
	for i := range everything("", "") {
		for _, x := range talks {
			everything("talk", x.account())[i].do(x)
		}
		if between != nil {
			between()
		}
		for _, x := range talks {
			s := everything("talk", x.account())[i]
			x.shows(s.what, s.here, s.there)
		}
		if between != nil {
			settle(talks, i)
		}
	}
}

// syncAuthor says what no board shows.
const syncAuthor = "Sync"

// settle waits until the host knows what became of everything so far: what it does next
// in each channel shows it. Nobody can answer a message of ours before it is known to be
// ours, but for as long as own events are held.
func settle(talks map[string]*talk, round int) {
	text := fmt.Sprintf("sync %d", round)
	for _, x := range talks {
		for _, c := range []string{x.here, x.there} {
			x.say(simnettest.Say{Channel: c, Author: syncAuthor, Text: text + " of " + c})
		}
	}
	for _, x := range talks {
		for from, to := range map[string]string{x.here: x.there, x.there: x.here} {
			until(x.t, text+" is in "+to, func() bool {
				return slices.ContainsFunc(x.ledger(), func(e simnettest.Entry) bool {
					return e.Kind == simnettest.Accepted && e.Channel == to && e.Text == text+" of "+from
				})
			})
		}
	}
}

// over wants all talks to show what they have to in the end, when nothing comes any
// more: nothing of ours has come back.
func over(t *testing.T, talks map[string]*talk) {
	t.Helper()
	for _, x := range talks {
		steps := everything("talk", x.account())
		last := steps[len(steps)-1]
		if got := simnettest.Lines(x.board(x.here)); !slices.Equal(got, last.here) {
			t.Errorf("%s shows in the end\n%s", x.here, strings.Join(got, "\n"))
		}
		if got := simnettest.Lines(x.board(x.there)); !slices.Equal(got, last.there) {
			t.Errorf("%s shows in the end\n%s", x.there, strings.Join(got, "\n"))
		}
	}
}

// account is the account of the plug there.
func (x *talk) account() string {
	account, _, _ := strings.Cut(x.there, " ")
	return account
}
