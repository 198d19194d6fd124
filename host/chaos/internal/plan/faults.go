package plan

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// calmFirst is before the first fault: the channels' first cursors must be stored.
const calmFirst = 2 * time.Second

// faults draws the lanes of faults.
func (p *Plan) faults(o Options) {
	lane := func(name string, every time.Duration, kinds []func(*rand.Rand) Step) {
		if o.Only != "" && o.Only != name {
			return
		}
		d := draw(o.Seed, "faults "+name)
		l := Lane{Name: name}
		var deck []int
		for at := calmFirst + time.Duration(d.Int64N(int64(every))); at < o.Length; {
			if len(deck) == 0 { // each kind comes in each round
				deck = d.Perm(len(kinds))
			}
			s := kinds[deck[0]](d)
			deck = deck[1:]
			s.At = at
			if s.Name == "" {
				s.Name = string(s.Do)
			}
			l.Steps = append(l.Steps, s)
			at += s.For + every/2 + time.Duration(d.Int64N(int64(every)))
		}
		p.Faults = append(p.Faults, l)
	}
	lane("host", 18*time.Second, []func(*rand.Rand) Step{
		p.killHost(2 * time.Second), p.killHost(0), lasting(StopHost, time.Second, 5*time.Second),
	})
	lane("plugs", 2500*time.Millisecond, p.onPlugs())
	for i := range p.Networks {
		if n := &p.Networks[i]; n.Account != nil && !n.Calm {
			lane(n.Plug, 2*time.Second, p.scripts(n))
		}
	}
	lane("late answers", 6*time.Second, []func(*rand.Rand) Step{p.lateAnswer})
	lane("broker", 6*time.Second, []func(*rand.Rand) Step{
		lasting(Broker, time.Second, 3*time.Second), lasting(Cut, 0, 0), lasting(Refuse, time.Second, 3*time.Second), lasting(Hold, time.Second, 4*time.Second),
	})
	disk := []func(*rand.Rand) Step{lasting(SlowDisk, 3*time.Second, 6*time.Second)}
	if o.FullDisk {
		disk = append(disk, lasting(FullDisk, 3*time.Second, 8*time.Second), lasting(KillOnFullDisk, 5*time.Second, 8*time.Second))
	}
	lane("disk", 18*time.Second, disk)
	if o.Clock {
		lane("clock", 7*time.Second, p.onClock())
	}
}

// lasting is a fault that lasts for a time between two.
func lasting(do Do, least, most time.Duration) func(*rand.Rand) Step {
	return func(d *rand.Rand) Step { return Step{Do: do, For: between(d, least, most)} }
}

func between(d *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(d.Int64N(int64(most-least)))
}

// killHost kills the host in the middle of a burst: what is on its way then is what a
// wrong order of its steps would lose.
func (p *Plan) killHost(most time.Duration) func(*rand.Rand) Step {
	return func(d *rand.Rand) Step {
		s := Step{Do: KillHost, For: between(d, 0, most)}
		p.burst(d, &s, slices.Concat(p.Conversations...), 10, 20)
		return s
	}
}

// burst draws the burst of a kill: count messages in each of some of the channels, but
// webchat's: its page is down with its plug.
func (p *Plan) burst(d *rand.Rand, s *Step, members []ledger.Member, channels, count int) {
	members = slices.DeleteFunc(members, func(m ledger.Member) bool { return p.Network(m.Plug).Use == "webchat" })
	d.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	for _, m := range members[:min(channels, len(members))] {
		for range count {
			t := p.token()
			s.Burst = append(s.Burst, Step{Do: Say, Member: m, Token: t, Author: "Kim", Text: ledger.Mark(t, 0) + " in a burst"})
		}
	}
	s.Delay = between(d, 0, 60*time.Millisecond)
}

// onPlugs kills and stops each plug in turn. A stop is shorter than the misses after
// which the host kills the plug itself (S3).
func (p *Plan) onPlugs() (kinds []func(*rand.Rand) Step) {
	for i := range p.Networks {
		on := ledger.Member{Plug: p.Networks[i].Plug}
		kinds = append(kinds,
			func(d *rand.Rand) Step {
				var near []ledger.Member
				for _, s := range p.Sources(on.Plug) {
					near = append(near, p.Others(ledger.Member{Plug: on.Plug, Source: s})[0], ledger.Member{Plug: on.Plug, Source: s})
				}
				s := Step{Do: KillPlug, Member: on}
				p.burst(d, &s, near, 4, 5)
				return s
			},
			func(d *rand.Rand) Step {
				return Step{Do: StopPlug, Member: on, For: between(d, 200*time.Millisecond, 4*time.Second)}
			})
	}
	return kinds
}

// lateAnswer has a plug hear the network's answer only after the host has given the
// call up, and before it may try again: what it then reports is a PutOutcome. The
// plug's echoes don't name the operation, so nothing else can settle it.
func (p *Plan) lateAnswer(d *rand.Rand) Step {
	sources := p.Sources("iota")
	return Step{Do: LateAnswer, Member: ledger.Member{Plug: "iota", Source: sources[d.IntN(len(sources))]}, For: putTimeout + 6500*time.Millisecond,
		Text: "who hears this late?"}
}

// scripts are the faults that a simulated network knows.
func (p *Plan) scripts(n *Network) (kinds []func(*rand.Rand) Step) {
	sources := p.Sources(n.Plug)
	add := func(name string, make func(d *rand.Rand, source string) Step) {
		kinds = append(kinds, func(d *rand.Rand) Step {
			s := make(d, sources[d.IntN(len(sources))])
			s.Do, s.Name, s.Plug = Script, name, n.Plug
			return s
		})
	}
	puts := func(name string, f simnettest.Puts) {
		add(name, func(d *rand.Rand, source string) Step {
			f := f
			f.Channel, f.Account = source, n.Plug
			return Step{Command: &simnettest.Command{Puts: &f}}
		})
	}
	puts("not sent", simnettest.Puts{Verdict: simnettest.NotSent})
	puts("rate limited", simnettest.Puts{Verdict: simnettest.RateLimited, RetryAfter: simnettest.Duration(400 * time.Millisecond)})
	puts("rate limited, whole plug", simnettest.Puts{Verdict: simnettest.RateLimited, RetryAfter: simnettest.Duration(300 * time.Millisecond), WholePlug: true})
	puts("refused", simnettest.Puts{Verdict: simnettest.Refused})
	puts("uncertain, sent", simnettest.Puts{Verdict: simnettest.Uncertain, Accepted: true})
	puts("uncertain, not sent", simnettest.Puts{Verdict: simnettest.Uncertain})
	puts("uncertain twice, not sent", simnettest.Puts{Verdict: simnettest.Uncertain, Count: 2})
	puts("no answer, sent", simnettest.Puts{Verdict: simnettest.NoAnswer, Accepted: true})
	puts("no answer, not sent", simnettest.Puts{Verdict: simnettest.NoAnswer})
	puts("disconnect, sent", simnettest.Puts{Verdict: simnettest.Disconnect, Accepted: true})
	puts("disconnect, not sent", simnettest.Puts{Verdict: simnettest.Disconnect})
	for _, at := range []simnettest.Point{simnettest.BeforeSend, simnettest.AfterAccept, simnettest.BeforeAnswer} {
		for _, fault := range []simnettest.Fault{simnettest.FaultExit, simnettest.FaultCrash, simnettest.FaultPanic, simnettest.FaultHang} {
			if fault == simnettest.FaultExit && at == simnettest.BeforeAnswer || fault == simnettest.FaultCrash && at == simnettest.BeforeSend {
				continue // an exit and a crash are much the same
			}
			add(string(fault)+" in Put, "+string(at), func(_ *rand.Rand, source string) Step {
				return Step{Command: &simnettest.Command{Plug: &simnettest.Plug{Account: n.Plug, Fault: fault, At: at, Channel: source}}}
			})
		}
	}
	echoes := []simnettest.EchoFault{simnettest.EchoTwice, simnettest.EchoNewEvent}
	whens := []simnettest.When{simnettest.After, simnettest.At, simnettest.Before}
	if n.LosesEchoes {
		echoes = append(echoes, simnettest.EchoLost, simnettest.EchoSwapped)
		whens = append(whens, simnettest.Never)
	}
	if n.Account.Echo != simnettest.EchoNone {
		for _, fault := range echoes {
			add("echo "+string(fault), func(_ *rand.Rand, source string) Step {
				return Step{Command: &simnettest.Command{Echoes: &simnettest.Echoes{Channel: source, Account: n.Plug, Fault: fault}}}
			})
		}
		for _, when := range whens {
			add("echo "+string(when)+" the answer", func(d *rand.Rand, source string) Step {
				delay := func() simnettest.Duration { return simnettest.Duration(between(d, 0, 300*time.Millisecond)) }
				return Step{Command: &simnettest.Command{Channel: &simnettest.Channel{Name: source, Echo: when, AnswerDelay: delay(), EchoDelay: delay()}}}
			})
		}
		add("echoes held", held(simnettest.StageEchoes, time.Second))
	}
	add("answers held", held(simnettest.StageAnswers, 3*time.Second))
	add("connection dropped", func(*rand.Rand, string) Step {
		return Step{Command: &simnettest.Command{Drop: &simnettest.Drop{Account: n.Plug}}}
	})
	add("connection frozen", func(d *rand.Rand, _ string) Step {
		return Step{For: between(d, 300*time.Millisecond, 2*time.Second), Command: &simnettest.Command{Freeze: &simnettest.Freeze{Account: n.Plug}},
			Undo: &simnettest.Command{Freeze: &simnettest.Freeze{Account: n.Plug, Thaw: true}}}
	})
	add("login unreachable", func(*rand.Rand, string) Step {
		return Step{Command: &simnettest.Command{Logins: &simnettest.Logins{Account: n.Plug, Verdict: simnettest.LoginUnreachable}}}
	})
	return kinds
}

func held(stage simnettest.Stage, most time.Duration) func(*rand.Rand, string) Step {
	return func(d *rand.Rand, source string) Step {
		return Step{For: between(d, 100*time.Millisecond, most), Command: &simnettest.Command{Hold: &simnettest.Hold{Channel: source, Stage: stage}},
			Undo: &simnettest.Command{Release: &simnettest.Release{Channel: source, Stage: stage}}}
	}
}
