package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// Step is one thing to do. Which fields it has depends on Do.
type Step struct {
	// At is the time from the run's beginning.
	At time.Duration
	Do Do
	// For is how long a fault lasts.
	For time.Duration
	// Member is the channel where something is said, Plug the plug that a fault hits.
	ledger.Member

	// Token and Revision are of the message that is said or that it is about, Answers
	// of the one that it replies to, 0 for none.
	Token    ledger.Token
	Revision int
	Answers  ledger.Token
	Author   string
	Text     string
	Reaction string
	// File is the size of a file that is said with it; 0: none.
	File int

	// Burst is what is said at the moment of a kill, in several channels at once: the kill
	// comes Delay after the first word.
	Burst []Step
	Delay time.Duration

	// By is how far the host's clock jumps: with For not 0 in a jump, and back.
	By time.Duration

	// To is the source that a channel goes on to. Changes are what is done then to what was
	// said in the burst.
	To      string
	Changes []Step

	// Command is what a simulated network is told, Undo what it is told in the end.
	Command, Undo *simnettest.Command
	// Name is the fault's in the count.
	Name string
}

// Do is what a step does.
type Do string

// Speech, by people, and faults.
const (
	Say     Do = "say"
	Edit    Do = "edit"
	Delete  Do = "delete"
	React   Do = "react"
	Unreact Do = "unreact"
	// FromDevice has the plug's own account speak elsewhere.
	FromDevice Do = "say from a device"
	// Again says a message once more, as another event.
	Again Do = "say again"

	KillHost   Do = "kill host"
	StopHost   Do = "stop host"
	KillPlug   Do = "kill plug"
	StopPlug   Do = "stop plug"
	LateAnswer Do = "late answer"
	Script     Do = "script"
	Broker     Do = "restart broker"
	Cut        Do = "cut broker"
	Refuse     Do = "refuse broker"
	Hold       Do = "hold broker"
	SlowDisk   Do = "slow disk"
	FullDisk   Do = "full disk"
	// KillOnFullDisk kills the host while its disk is full, and starts it before there is room.
	KillOnFullDisk Do = "kill host on a full disk"
	JumpClock      Do = "clock"
	// KillAndJump kills the host and starts it with another clock.
	KillAndJump Do = "kill host, clock"

	// Migrate has a channel go on under another source, in the middle of a burst.
	Migrate Do = "migrate"
	// MigrateHeld has it while the old source's answers are held: a Put is under way.
	MigrateHeld Do = "migrate, answers held"
	// MigrateKillPlug and MigrateKillHost have it while the plug or the host is down.
	MigrateKillPlug Do = "migrate, kill plug"
	MigrateKillHost Do = "migrate, kill host"
)

// Lane is steps that are done one after another.
type Lane struct {
	Name  string
	Steps []Step
}

// String is the step for a person.
func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%8.3fs %s", s.At.Seconds(), s.Do)
	if s.Name != "" && s.Name != string(s.Do) {
		fmt.Fprintf(&b, " (%s)", s.Name)
	}
	switch {
	case s.Source != "":
		fmt.Fprintf(&b, " %s", s.Member)
	case s.Plug != "":
		fmt.Fprintf(&b, " %s", s.Plug)
	}
	if s.To != "" {
		fmt.Fprintf(&b, " to %s", s.To)
	}
	if s.Token != 0 {
		fmt.Fprintf(&b, " %s", ledger.Mark(s.Token, s.Revision))
	}
	if s.Answers != 0 {
		fmt.Fprintf(&b, ", answers %s", s.Answers)
	}
	for _, part := range []string{s.Author, s.Text, s.Reaction} {
		if part != "" {
			fmt.Fprintf(&b, " %q", part)
		}
	}
	if s.File > 0 {
		fmt.Fprintf(&b, " with a file of %d bytes", s.File)
	}
	if len(s.Burst) > 0 {
		fmt.Fprintf(&b, ", %v into a burst from %s to %s", s.Delay, s.Burst[0].Token, s.Burst[len(s.Burst)-1].Token)
	}
	if len(s.Changes) > 0 {
		fmt.Fprintf(&b, ", %d changes of it afterwards", len(s.Changes))
	}
	if s.For > 0 {
		fmt.Fprintf(&b, " for %v", s.For)
	}
	return b.String()
}
