package proof

import (
	"time"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// netState is what the witness knows of a network.
type netState struct {
	deaf     time.Time // when a process last became deaf to a channel
	process  *process  // the last one
	attached time.Time // when the host had it
	paused   time.Time // it takes no Puts until then
	gaps     int       // that are open
	alone    time.Time // a Put last ended while another was to run alone
	running  map[*attempt]bool
	bucket   bucket // of all its channels
	said     []saying
	released []release
}

// saying is the moment at which a process had first said all it knew of a scope;
// the empty scope is the whole plug.
type saying struct {
	process *process
	scope   id.ChannelSource
	at      time.Time
}

// release is the moment at which a pass let events go.
type release struct {
	*pass
	at  time.Time
	own bool // own ones too
}

// name is the id of an event or a message, which is unique under one source only.
type name struct{ source, id string }

func (n name) String() string { return n.id + " of " + n.source }

func eventName(e *plugv1.Event) name   { return name{e.Channel, e.EventId} }
func messageName(e *plugv1.Event) name { return name{e.Channel, e.MessageId} }

// channel is what the witness knows of a channel, whatever it is called now.
type channel struct {
	id id.Channel // by its first source
	whereabouts
	entries map[name]*entry       // shown
	events  []*event              // durable, in order
	known   map[name]*event       // the same
	past    map[name]*event       // durable as history
	ids     map[name]bool         // of messages journaled
	pastIDs map[name]bool         // the same as history
	done    int                   // of events: the hook is done with them
	cursor  int                   // the last one that is durable
	first   int                   // the first one; -1: none
	yielded time.Time             // when the last event was
	place   int                   // in the network's log, of the last event yielded
	last    *event                // yielded in this life
	out     []*operation          // accepted, in order
	settled int                   // of out
	passes  []*pass               // of the operation that is next
	from    map[id.Channel]*event // cause of the last operation, by its channel
	bucket  bucket
	freed   time.Time // when the last operation was settled
}

// event is an event in the journal.
type event struct {
	*entry
	channel  id.Channel
	sequence id.Sequence
	index    int
	tick     uint64
	at       time.Time
	process  *process
	life     *life
	withheld bool
	history  bool
	yields   int
	life0    *life // that it was yielded in last
	promised []id.OperationID
}

// said is the channel under the source under which the event was said.
func (e *event) said() id.Channel {
	return id.Channel{Network: e.channel.Network, Source: id.ChannelSource(e.event.Channel)}
}

// operation is an accepted operation.
type operation struct {
	id        id.OperationID
	channel   id.Channel
	cause     *event
	accepted  time.Time
	text      string
	record    *journalv1.Attempt // durable
	suspect   *attempt           // the last one in which the plug crashed
	attempts  []*attempt
	messages  []*message
	settled   *journalv1.Settled // durable
	mapped    time.Time          // since when its receipts are in the message map
	stood     time.Time          // when the host knew that settled is durable
	charted   time.Time          // when it knew the same of the map
	notSent   uint32             // the last attempt that the host knew to be stored as not sent
	untold    bool               // the network could not say at some time what became of it
	released  bool               // its passes have ended in this life of the host
	parked    bool
	foundSent time.Time // it was parked, and turned out to have been sent
	already   bool
	told      time.Time // when this life of the host surely had a good PutOutcome
}

// attempt is one RPC.
type attempt struct {
	*operation
	number   uint32
	process  *process
	life     *life
	tick     uint64    // of its gate pass
	passed   time.Time // the same
	begun    time.Time
	deadline time.Time
	sending  bool
	alone    bool // nothing may run beside it
	response *plugv1.PutResponse
	report   *plugv1.PutResponse // what the plug reported late; nil: nothing
	state    state
	ended    time.Time
}

// state is what is known of an attempt.
type state int

const (
	running   state = iota
	answered        // with receipts that are not durable yet
	uncertain       // since ended
	over            // certain
)

// pass is a pass of the gate.
type pass struct {
	channel   id.Channel
	scope     gate.Scope
	noted     id.Sequence
	tick      uint64
	begun     time.Time
	resumed   bool
	of        *operation // nil until its attempt is stored
	uncertain time.Time  // since when; zero: it runs
}
