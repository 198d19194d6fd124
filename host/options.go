package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/hook/conversation"
)

// Options of a host. Only DataDir and Plugs are required.
type Options struct {
	// DataDir is where the journal and the plugs' own directories are. It is made
	// if it doesn't exist, and locked: two hosts never share one.
	DataDir string
	// Plugs are the plug instances to keep alive.
	Plugs []Plug
	// Conversations are bridged by the built-in hook.
	Conversations []Conversation
	// Hooks are given every event of every channel.
	Hooks []hook.Hook
	// Logger takes the host's log and the plugs'; nothing is logged without one.
	Logger hclog.Logger

	// JournalSync is how often the journal is synced to disk: 1 s if 0, at every
	// write if negative. Of the time since the last sync anything may be missing
	// after a power loss, receipts included; a crash of the host loses nothing.
	JournalSync time.Duration
	// KeepEvents is how long finished events and operations are kept: 7 days if 0.
	KeepEvents time.Duration
	// JournalMaxBytes is the most that the journal's log takes, in bytes: 10 GiB if 0.
	// At it finished records give way, oldest first, before their age; when nothing
	// finished is left, the plugs wait and nothing new is taken in.
	JournalMaxBytes int64
	// JournalBallast is how many bytes are kept back on the disk, for what must still
	// be written when it is full: 256 MiB if 0, none if negative.
	JournalBallast int64
	// KeepCopies is for how long it is known which copies a message has: 90 days if 0;
	// and MaxCopies how many entries there are of it: 1,000,000 if 0. The oldest give
	// way.
	KeepCopies time.Duration
	MaxCopies  int64
	// Files bound what is kept of the files that come with messages.
	Files Files
	// SettleTimeout is how long own events are held, and a new attempt waits,
	// for an operation of which nobody knows whether it was sent: 10 s if 0.
	SettleTimeout time.Duration
	// TimeZone is the IANA name of the time zone for times that people read: UTC
	// if empty.
	TimeZone string
	// Supervision are the numbers of keeping plugs alive.
	Supervision Supervision

	// Changed, if set, is told each change of a plug's status. It must not block.
	Changed func(Status)
}

// Plug is one plug instance.
type Plug struct {
	// Name of the instance: a label, unique in the host.
	Name id.InstanceName
	// Path of the plug's binary.
	Path string
	// Args are given to the binary. Never put secrets here: anyone on the machine
	// can read them.
	Args []string
	// Env is added to the plug's environment, which has nothing of the host's
	// own but PATH, the locale and the like.
	Env []string
	// Label is how people call the network; what the plug says if empty.
	Label string
	// Config is the plug's config as JSON; "{}" if empty.
	Config json.RawMessage
	// Sources are the channels in use, beside those of the conversations.
	Sources []id.ChannelSource
	// Fault, if not empty, says why the plug can't be started, and what to do.
	// It is shown as failed with this reason, and what is said to it is kept.
	Fault string
}

// Conversation is a set of channels that hear each other.
type Conversation struct {
	Name    string
	Members []Member
	// Deletes says whose deletes delete the copies.
	Deletes Deletes
}

// Deletes says whose deletes delete the copies.
type Deletes = conversation.Deletes

// Whose deletes delete the copies.
const (
	DeletesOrigin = conversation.DeletesOrigin // in the channel where it was written
	DeletesAny    = conversation.DeletesAny    // of any copy
	DeletesNone   = conversation.DeletesNone   // nobody's
)

// Member is one channel of a conversation.
type Member struct {
	Channel   hook.Channel
	Direction Direction
	// Name is how the authors of the other members look here, such as
	// "{name} [{network}]", which is the default. There are {name}, {username},
	// {network}, {plug} and {channel}, and behind a bar the filters noping, max:N,
	// color, short and strip_emoji: "{name|noping|max:20}".
	Name string
	// MassMentions: a mass mention ("@everyone") that an author of the other members
	// makes may notify everybody here. Otherwise it arrives as text. What only looks
	// like one in a text never notifies, nor does an edit.
	MassMentions bool
	// CatchUp says when a message that has waited for this member is given up; nil:
	// never.
	CatchUp *hook.CatchUp
}

// Direction says which way messages go between a member and its conversation.
type Direction = conversation.Direction

// Directions of a member.
const (
	Both = conversation.Both // both ways
	In   = conversation.In   // from the member to the others
	Out  = conversation.Out  // from the others to the member
)

// Supervision are the numbers of keeping plugs alive (S2); zero means the
// default.
type Supervision struct {
	// ReadyReset: a plug that was ready this long restarts at once: 10 s.
	ReadyReset time.Duration
	// BackoffMin and BackoffMax bound the wait before a restart: 1 s and 60 s.
	BackoffMin, BackoffMax time.Duration
	// HealthyReset: after this long in health the back-off begins anew: 5 min.
	HealthyReset time.Duration
	// MaxExits in ExitsWindow make a plug failed: 5 in 10 min.
	MaxExits    int
	ExitsWindow time.Duration
	// ProbeEvery is how often a failed plug is tried again: 15 min.
	ProbeEvery time.Duration
}

// check returns everything that is wrong with the options, at once.
func (o *Options) check() error {
	var problems []error
	if o.DataDir == "" {
		problems = append(problems, errors.New("DataDir is empty"))
	}
	if len(o.Plugs) == 0 {
		problems = append(problems, errors.New("there are no plugs"))
	}
	names := map[id.InstanceName]bool{}
	for _, p := range o.Plugs {
		switch {
		case p.Name == "":
			problems = append(problems, fmt.Errorf("a plug with path %q has no name", p.Path))
		case names[p.Name]:
			problems = append(problems, fmt.Errorf("there are two plugs called %q", p.Name))
		case p.Path == "" && p.Fault == "":
			problems = append(problems, fmt.Errorf("plug %q has no path", p.Name))
		}
		names[p.Name] = true
	}
	hooks := map[id.HookName]bool{conversation.Name: true}
	for _, h := range o.Hooks {
		if name := h.Name(); name == "" || hooks[name] || name == clientPrefix || strings.HasPrefix(string(name), clientPrefix+":") {
			problems = append(problems, fmt.Errorf("hook name %q is empty or taken", name))
		}
		hooks[h.Name()] = true
	}
	for _, c := range o.Conversations {
		for _, m := range c.Members {
			if !names[m.Channel.Plug] {
				problems = append(problems, fmt.Errorf("conversation %q: there is no plug %q", c.Name, m.Channel.Plug))
			}
			if m.Channel.Source == "" {
				problems = append(problems, fmt.Errorf("conversation %q: a channel of plug %q has no source", c.Name, m.Channel.Plug))
			}
		}
	}
	return errors.Join(problems...)
}

// conversations makes the bridging's own of the options.
func (o *Options) conversations() ([]conversation.Conversation, error) {
	made := make([]conversation.Conversation, len(o.Conversations))
	for i, c := range o.Conversations {
		made[i].Name, made[i].Deletes = c.Name, c.Deletes
		for _, m := range c.Members {
			member := conversation.Member{Channel: m.Channel, Direction: m.Direction, MassMentions: m.MassMentions, CatchUp: m.CatchUp}
			if m.Name != "" {
				name, err := conversation.ParseFormat(m.Name)
				if err != nil {
					return nil, fmt.Errorf("conversation %q: %w", c.Name, err)
				}
				member.Name = name
			}
			made[i].Members = append(made[i].Members, member)
		}
	}
	return made, nil
}

// sources lists the channels in use of a plug, each once, in order.
func (o *Options) sources(p Plug) []string {
	var sources []string
	seen := map[id.ChannelSource]bool{}
	add := func(s id.ChannelSource) {
		if !seen[s] {
			seen[s] = true
			sources = append(sources, string(s))
		}
	}
	for _, s := range p.Sources {
		add(s)
	}
	for _, c := range o.Conversations {
		for _, m := range c.Members {
			if m.Channel.Plug == p.Name {
				add(m.Channel.Source)
			}
		}
	}
	return sources
}
