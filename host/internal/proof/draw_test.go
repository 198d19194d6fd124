package proof

import (
	"time"

	"pgregory.net/rapid"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// one draws one of a few values; the first is the simplest, and a failing
// schedule is reduced to it.
func one[T any](t *rapid.T, label string, of ...T) T {
	return rapid.SampledFrom(of).Draw(t, label)
}

func drawSchedule(t *rapid.T) Schedule {
	s := Schedule{
		Pace: one(t, "pace", 0, 0, 20*time.Millisecond, 500*time.Millisecond),
		Seed: rapid.Uint64().Draw(t, "seed"),
	}
	for i := range s.Networks {
		s.Networks[i] = drawNetwork(t)
	}
	s.Steps = rapid.SliceOfN(rapid.Custom(drawStep), 1, 10).Draw(t, "steps")
	if rapid.IntRange(0, 99).Draw(t, "flood") == 57 { // it takes its time, so it is rare
		s.Steps[0].Do = Flood
	}
	return s
}

func drawNetwork(t *rapid.T) Network {
	n := Network{
		Echo:       one(t, "echo", plugv1.Echo_ECHO_OPERATION_ID, plugv1.Echo_ECHO_OPERATION_ID, plugv1.Echo_ECHO_OWN, plugv1.Echo_ECHO_NONE),
		Window:     one[time.Duration](t, "window", 0, 24*time.Hour, time.Minute),
		Resumable:  rapid.Bool().Draw(t, "resumable"),
		Whole:      rapid.Bool().Draw(t, "whole"),
		Told:       rapid.Bool().Draw(t, "told"),
		Scope:      one(t, "scope", plugv1.PutScope_PUT_SCOPE_PLUG, plugv1.PutScope_PUT_SCOPE_CHANNEL),
		Concurrent: one[uint32](t, "concurrent", 1, 8),
	}
	if n.Echo != plugv1.Echo_ECHO_OPERATION_ID {
		n.Unsure = rapid.Bool().Draw(t, "unsure")
	}
	if n.Echo != plugv1.Echo_ECHO_NONE {
		n.ByEcho = rapid.Bool().Draw(t, "by echo")
	}
	n.History = one(t, "history", false, false, false, true)
	n.Rate = one(t, "rate", Rate{}, Rate{}, Rate{}, Rate{1, 1}, Rate{2, 0.3})
	if n.Rate.PerSecond > 0 {
		n.RateOfAll = rapid.Bool().Draw(t, "rate of all")
	}
	if n.Scope == plugv1.PutScope_PUT_SCOPE_PLUG {
		n.Elsewhere = one(t, "elsewhere", false, false, true)
	}
	return n
}

// deeds are drawn as often as they stand here.
var deedsDrawn = []Deed{Say, Say, Say, Say, Say, Say, Say, Say, SayOwn, Forge, Twice, Repeat, KillPlug, KillPlug, CutStream, Deafen, KillHost, KillHost, StopHost, Refuse, Refuse, Retain, Migrate, Migrate}

func drawStep(t *rapid.T) Step {
	step := Step{
		Do:      rapid.SampledFrom(deedsDrawn).Draw(t, "do"),
		After:   one(t, "after", 0, 0, time.Millisecond, 200*time.Millisecond, 3*time.Second, 15*time.Second, 40*time.Second),
		Network: rapid.IntRange(0, 1).Draw(t, "network"),
		Channel: rapid.IntRange(0, 2).Draw(t, "channel"),
	}
	switch step.Do {
	case Say:
		step.Same = rapid.Bool().Draw(t, "same text")
		step.Parts = one(t, "parts", 1, 1, 1, 2)
		step.Fates = rapid.SliceOfN(rapid.Custom(drawFate), 0, 3).Draw(t, "fates")
	case KillPlug, StopHost:
		step.For = one(t, "for", 0, time.Second, 20*time.Second)
	case KillHost:
		step.For = one(t, "for", 0, time.Second, 20*time.Second)
		step.Count = one(t, "at", 0, 1, 2, 3, 4, 5, 8, 12)
		step.Kind = one(t, "kind", "", "ev", "cursor", "out", "put", "map", "done", "parked", "moved")
	case Migrate:
		step.After = one(t, "after", 0, time.Millisecond, 200*time.Millisecond, 3*time.Second)
		step.For = one(t, "for", 0, time.Second, 20*time.Second)
		step.Count = one(t, "at", 0, 0, 1)
		step.Kind = one(t, "kind", "moved", "cursor")
		step.Back = rapid.Bool().Draw(t, "back")
	case Retain:
		step.For = one(t, "for", 0, time.Second, 20*time.Second)
	case Refuse:
		step.Count = one(t, "count", 1, 2, 5, 40)
		step.Kind = one(t, "kind", "ev", "ev", "put", "out", "done", "map", "cursor", "parked", "moved", "read", "")
		step.Lost = rapid.Bool().Draw(t, "stored")
	}
	return step
}

func drawFate(t *rapid.T) Fate {
	f := Fate{
		Delay:  one(t, "delay", 0, 0, time.Millisecond, 300*time.Millisecond, 12*time.Second, 29*time.Second),
		Echo:   one(t, "echo", 0, 0, time.Millisecond, 2*time.Second, 20*time.Second, 2*time.Minute, 2*time.Minute, -1),
		Answer: one(t, "answer", 0, 0, time.Millisecond, time.Second, 33*time.Second, time.Minute),
	}
	switch one(t, "trouble", "none", "none", "none", "verdict", "verdict", "doubt", "crash") {
	case "verdict":
		f.Verdict = one(t, "verdict", plugv1.Verdict_VERDICT_NOT_SENT, plugv1.Verdict_VERDICT_RATE_LIMITED, plugv1.Verdict_VERDICT_REFUSED,
			plugv1.Verdict_VERDICT_UNCERTAIN, plugv1.Verdict_VERDICT_UNSUPPORTED, plugv1.Verdict_VERDICT_TARGET_GONE,
			plugv1.Verdict_VERDICT_ALREADY, plugv1.Verdict_VERDICT_LOGGED_OUT)
		f.Plug = rapid.Bool().Draw(t, "whole plug")
		f.RetryAfter = one(t, "retry after", 0, 5*time.Second, time.Minute)
		f.After = one(t, "after parts", 0, 1)
	case "doubt":
		f.Doubt = true
	case "crash":
		f.Crash = one(t, "crash", 1, 2)
	}
	f.Sever = one(t, "sever", 0, 0, 0, time.Microsecond, time.Second, 31*time.Second)
	f.Outcome = one(t, "outcome", 1, 0, 2)
	return f
}
