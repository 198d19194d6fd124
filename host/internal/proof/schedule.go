package proof

import (
	"fmt"
	"strings"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Schedule is one run of the model.
type Schedule struct {
	Networks [2]Network
	// Pace is how slow the journal and the plugs' streams are at the most; each
	// operation takes a part of it, by a random number that Seed begins.
	Pace  time.Duration
	Seed  uint64
	Steps []Step
}

// Network is what a network and its plug are like.
type Network struct {
	Echo plugv1.Echo
	// Unsure: with ECHO_OWN, the network can't tell own messages from others'.
	Unsure bool
	// Window is how long an operation id is taken twice as one; 0: never.
	Window time.Duration
	// Resumable: the plug emits after a restart what it missed.
	Resumable bool
	// Whole: its cursors are for the whole plug, not for a channel.
	Whole bool
	// Told: the answer to Start tells where a channel is that was asked for under an older
	// source, also if an event will; else the plug says that it can only be read. That of
	// one that can't replay the event always tells.
	Told bool
	// Scope and Concurrent are what the plug declares of its Puts.
	Scope      plugv1.PutScope
	Concurrent uint32
	// ByEcho: the plug learns a message's id by its echo only.
	ByEcho bool
	// History: it can be asked what an operation made, and what was said in a gap.
	History bool
	// Elsewhere: messages land in a thread of the channel asked for.
	Elsewhere bool
	// Rate is how much it takes: in each channel, or with RateOfAll in all together.
	Rate      Rate
	RateOfAll bool
}

// Deed is what happens in a step.
type Deed int

const (
	// Say: a stranger writes in a channel; it is to be bridged.
	Say Deed = iota
	// SayOwn: another device of the plug's account writes.
	SayOwn
	// Forge: a stranger sends the id of an operation that is under way.
	Forge
	// Twice: the network shows a message again, as another event.
	Twice
	// Repeat: the plug emits an event again.
	Repeat
	// KillPlug ends a plug's process, for a time.
	KillPlug
	// CutStream ends a plug's stream.
	CutStream
	// Deafen: the plug hears nothing of a channel until it starts anew.
	Deafen
	// KillHost kills the host, for a time; at the Count-th record of Kind that is
	// written from now if Count is not 0.
	KillHost
	// StopHost stops the host in good order, for a time.
	StopHost
	// Refuse: the journal refuses the next Count records, of Kind if it is set;
	// with Lost it stores them all the same.
	Refuse
	// Flood: a stranger writes more than a lane keeps in memory.
	Flood
	// Retain clears the journal of what is finished and older than For.
	Retain
	// Migrate: a channel goes on under another source; with a Count the host dies at that
	// record of Kind: of a move, or of the new source's cursor.
	Migrate
)

func (d Deed) String() string {
	return [...]string{"say", "say own", "forge", "twice", "repeat", "kill plug", "cut stream", "deafen", "kill host", "stop host", "refuse", "flood", "retain", "migrate"}[d]
}

// Step is one thing that happens.
type Step struct {
	After   time.Duration // the step before
	Do      Deed
	Network int
	Channel int
	Same    bool // Say: the text said before in the channel
	Parts   int  // Say: physical parts of a copy
	Fates   []Fate
	For     time.Duration
	Count   int
	Kind    string
	Lost    bool
	Back    bool // Migrate: to the channel's first source, if it has left that
}

// Fate is what becomes of one attempt to send a copy. The zero value is the good
// one: taken, shown and answered at once.
type Fate struct {
	// Delay is from the call to the network's decision.
	Delay time.Duration
	// Verdict: the network, or the plug, decides against it; with After parts sent.
	Verdict    plugv1.Verdict
	Plug       bool // the verdict is for the whole plug
	RetryAfter time.Duration
	After      int
	// Echo is from the network's decision to the echo; negative: it shows none.
	Echo time.Duration
	// Answer is from the network's decision to the plug's answer.
	Answer time.Duration
	// Doubt: the plug answers that it is uncertain.
	Doubt bool
	// Crash: the plug dies before the network's decision (1) or after it (2).
	Crash int
	// Sever: the RPC fails this long after the call, and the plug works on; 0: it
	// doesn't.
	Sever time.Duration
	// Outcome: how many times the plug reports late what became of it.
	Outcome int
}

// String lists the schedule so that a person can follow it.
func (s Schedule) String() string {
	var b strings.Builder
	for i, n := range s.Networks {
		fmt.Fprintf(&b, "network %s: %+v\n", networkNames[i], n)
	}
	fmt.Fprintf(&b, "pace %v, seed %d\n", s.Pace, s.Seed)
	for _, step := range s.Steps {
		fmt.Fprintf(&b, "+%v %v", step.After, step.Do)
		switch step.Do {
		case KillHost:
			fmt.Fprintf(&b, " at record %d of %q, for %v", step.Count, step.Kind, step.For)
		case StopHost, Retain:
			fmt.Fprintf(&b, " %v", step.For)
		case KillPlug:
			fmt.Fprintf(&b, " %s for %v", networkNames[step.Network], step.For)
		case CutStream:
			fmt.Fprintf(&b, " of %s", networkNames[step.Network])
		case Refuse:
			fmt.Fprintf(&b, " %d of %q, stored: %v", step.Count, step.Kind, step.Lost)
		default:
			fmt.Fprintf(&b, " in %s", room(step.Network, step.Channel))
		}
		if step.Do == Migrate && step.Back {
			b.WriteString(", back if it was elsewhere")
		}
		if step.Do == Migrate && step.Count > 0 {
			fmt.Fprintf(&b, ", and the host dies at record %d of %q, for %v", step.Count, step.Kind, step.For)
		}
		if step.Do == Say {
			fmt.Fprintf(&b, ", same text: %v, parts: %d", step.Same, step.Parts)
			for _, f := range step.Fates {
				fmt.Fprintf(&b, "\n    %+v", f)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
