package proof

import (
	"encoding/json"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// pickUp reads the network from the cursors on, and queues what it hears.
func (p *process) pickUp(cursors []*plugv1.Cursor) {
	logs := p.net.logs()
	caughtUp := map[id.ChannelSource]bool{}
	resumed := p.resumed(cursors)
	for _, l := range logs {
		at, ok := resumed[l.source]
		if !ok {
			at = p.start[l.source]
			if !p.net.Resumable && !p.sayGaps(l.source, at) {
				return
			}
		}
		p.update(func() { p.places[l.source] = at })
		// "Now" survives a restart before the first message.
		if !ok && p.net.Resumable && !p.net.Whole && !p.emit(&item{cursor: p.cursor(l.source)}) {
			return
		}
	}
	if p.net.Resumable && p.net.Whole && len(resumed) == 0 && !p.emit(&item{cursor: p.cursor("")}) {
		return
	}
	for {
		moved := false
		news := p.net.news() // before the look at the logs, so that none is missed
		p.mu.Lock()
		changed := p.changed
		deaf := map[id.ChannelSource]bool{}
		for s := range p.deaf {
			deaf[s] = true
		}
		stopping := p.stopping
		p.mu.Unlock()
		if stopping {
			return
		}
		for _, l := range logs {
			if deaf[l.source] {
				continue
			}
			e := p.net.at(l, p.places[l.source])
			if e == nil {
				if !caughtUp[l.source] {
					caughtUp[l.source] = true
					if !p.sayCaughtUp(l, len(caughtUp) == len(logs)) {
						return
					}
				}
				continue
			}
			moved = true
			if e.copy != nil {
				p.net.hear(e.copy)
			}
			i := &item{entry: e}
			p.update(func() { p.places[l.source]++ })
			if p.net.Resumable {
				i.cursor = p.cursor(l.source)
			}
			if !p.emit(i) {
				return
			}
		}
		if moved {
			continue
		}
		select {
		case <-news:
		case <-changed:
		case <-p.dead:
			return
		}
	}
}

// sayCaughtUp says that a channel is at the present, and if it was the last one
// that the whole plug is; it tells whether the process lives.
func (p *process) sayCaughtUp(l *channelLog, all bool) bool {
	switch {
	case !p.net.Resumable:
		return true
	case !p.net.Whole:
		now := p.net.sourceAt(l.source, p.places[l.source])
		return p.emit(&item{caughtUp: &now})
	case all:
		return p.emit(&item{caughtUp: new(id.ChannelSource)})
	}
	return true
}

// resumed gives the places from which the process goes on. Of two cursors of a channel,
// under an old source and a newer one, it is the one of which it was asked for.
func (p *process) resumed(cursors []*plugv1.Cursor) map[id.ChannelSource]int {
	resumed := map[id.ChannelSource]int{}
	for _, c := range cursors {
		for s, at := range placesOf(c) {
			if _, other := resumed[s]; !other || c.Scope == string(p.asked[s]) {
				resumed[s] = at
			}
		}
	}
	return resumed
}

// sayGaps says that a channel can't be replayed, under each of the sources that it has had,
// but for those that it went through before anyone could tell the host: of such a source
// nobody knows whose it is. It tells whether the process lives.
func (p *process) sayGaps(s id.ChannelSource, until int) bool {
	names := p.net.names(s, until)
	slices.Sort(names)
	for _, source := range slices.Compact(names) {
		if !p.run.witness.told(id.Channel{Network: p.net.id, Source: source}) {
			continue
		}
		gap := &plugv1.Gap{Scope: string(source), Until: timestamppb.New(p.began), Reason: "it can't replay"}
		if !p.emit(&item{gap: gap}) {
			return false
		}
	}
	return true
}

// cursor is where the process would resume: a place per channel.
func (p *process) cursor(s id.ChannelSource) *plugv1.Cursor {
	places := map[id.ChannelSource]int{s: p.places[s]}
	if p.net.Whole {
		s, places = "", p.places
	} else {
		s = p.net.sourceAt(s, p.places[s])
	}
	value, err := json.Marshal(places)
	if err != nil {
		panic(err) // strings and numbers
	}
	return &plugv1.Cursor{Scope: string(s), Value: value}
}

func placesOf(c *plugv1.Cursor) map[id.ChannelSource]int {
	var places map[id.ChannelSource]int
	if err := json.Unmarshal(c.Value, &places); err != nil {
		panic(err) // the process wrote it
	}
	return places
}
