package put_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plughost/plughost/host/internal/put"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// paced notes when the plug was asked for what, in seconds since the world began.
type paced struct {
	w     *world
	begun time.Time

	mu  sync.Mutex
	log []string
}

func (w *world) paced() *paced {
	p := &paced{w: w, begun: time.Now()}
	answer := w.plug.OnPut
	w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
		p.mu.Lock()
		p.log = append(p.log, fmt.Sprintf("%s@%.1f", shown(r.Action.GetMessage()), time.Since(p.begun).Seconds()))
		p.mu.Unlock()
		if answer != nil {
			return answer(r)
		}
		return nil
	}
	return p
}

// want waits, and compares what was asked since the last time.
func (p *paced) want(after time.Duration, log ...string) {
	p.w.t.Helper()
	rest(after)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.log, log) {
		p.w.t.Errorf("asked\n\t%s\nwant\n\t%s", strings.Join(p.log, "\n\t"), strings.Join(log, "\n\t"))
	}
	p.log = nil
}

func rates(channel, plug *plugv1.Rate) func(*put.Live) {
	return func(l *put.Live) {
		l.Concurrent = 4
		l.Abilities.Limits = &plugv1.Limits{ChannelRate: channel, PlugRate: plug, TextLength: 10, TextUnit: plugv1.LengthUnit_LENGTH_UNIT_RUNES}
	}
}

// Contract, "Limits": a channel is written to as fast as its network says. The bucket is
// empty when the host starts, holds a burst later, and goes into debt for a message of
// several parts; other channels have their own.
func TestChannelRate(t *testing.T) {
	inBubble(t, rates(&plugv1.Rate{PerSecond: 0.5, Burst: 3}, nil), func(w *world) {
		p := w.paced()
		w.up()
		for i := range 3 {
			w.accept(say(fmt.Sprint(i), "ann", fmt.Sprint(i)))
		}
		p.want(7*time.Second, "0@2.0", "1@4.0", "2@6.0")
		rest(time.Hour)
		long := "123456789 123456789 123456789 123456789 123456789 "
		w.accept(say("a", "ann", "a"), say("l", "ann", long), say("b", "ann", "b"))
		w.acceptIn(in("other"), say("c", "ann", "c"))
		rest(time.Second)
		p.mu.Lock()
		slices.Sort(p.log)
		p.mu.Unlock()
		// One of three tokens and then five leave a debt of three.
		p.want(0, long+"@3607.0", "a@3607.0", "c@3607.0")
		p.want(time.Minute, "b@3615.0")
		// Whatever is done about a message costs one.
		rest(time.Hour)
		w.accept(edit("a", "ann", "x"), remove("a"), say("d", "ann", "d"), say("e", "ann", "e"))
		p.want(time.Minute, "@7268.0", "@7268.0", "d@7268.0", "e@7270.0")
	})
}

// A plug's new process has the bucket of the last one; only the host's start empties it.
func TestRateOverRestarts(t *testing.T) {
	inBubble(t, rates(&plugv1.Rate{PerSecond: 1, Burst: 5}, nil), func(w *world) {
		p := w.paced()
		rest(10 * time.Second)
		w.up()
		w.accept(say("1", "ann", "1"), say("2", "ann", "2"))
		p.want(time.Second, "1@10.0", "2@10.0")
		w.down()
		w.up()
		w.accept(say("3", "ann", "3"), say("4", "ann", "4"))
		p.want(time.Second, "3@11.0", "4@11.0")
		w.restart()
		w.up()
		w.accept(say("5", "ann", "5"), say("6", "ann", "6"))
		p.want(3*time.Second, "5@13.0", "6@14.0")
	})
}

// Contract, "Limits": at the plug's bucket the channels take turns, and what waits for it
// keeps no slot. A channel that may not be written to holds nobody up.
func TestPlugRate(t *testing.T) {
	inBubble(t, rates(nil, &plugv1.Rate{PerSecond: 1}), func(w *world) {
		p := w.paced()
		w.live.Channels = []*plugv1.ChannelStatus{{Source: "closed", State: plugv1.ChannelState_CHANNEL_STATE_PENDING}}
		w.acceptIn(in("closed"), say("x", "ann", "x"))
		for i := range 3 {
			w.acceptIn(in("a"), say("a", "ann", fmt.Sprint("a", i)))
		}
		w.up()
		synctest.Wait()
		for i := range 2 {
			w.acceptIn(in("b"), say("b", "ann", fmt.Sprint("b", i)))
		}
		p.want(10*time.Second, "a0@1.0", "b0@2.0", "a1@3.0", "b1@4.0", "a2@5.0")
	})
}

// Both rates hold, and a channel that waits for its own bucket leaves the plug's to others.
func TestBothRates(t *testing.T) {
	inBubble(t, rates(&plugv1.Rate{PerSecond: 0.1}, &plugv1.Rate{PerSecond: 1}), func(w *world) {
		p := w.paced()
		rest(time.Minute)
		w.up()
		w.acceptIn(in("a"), say("1", "ann", "a0"), say("2", "ann", "a1"))
		synctest.Wait()
		w.acceptIn(in("b"), say("3", "ann", "b0"))
		p.want(time.Minute, "a0@60.0", "b0@61.0", "a1@70.0")
	})
}

// Parts that were sent cost nothing once more.
func TestRateOfTheRest(t *testing.T) {
	inBubble(t, rates(&plugv1.Rate{PerSecond: 1, Burst: 3}, nil), func(w *world) {
		half := fails(plugv1.Verdict_VERDICT_RATE_LIMITED)
		half.Receipts = []*plugv1.Receipt{{Id: "1"}, {Id: "2"}}
		w.plug.OnPut = func(r *plugv1.PutRequest) *plugv1.PutResponse {
			if r.Action.GetMessage().Text.Segments[0].Text != "n" && r.Attempt == 1 {
				return half
			}
			return nil
		}
		p := w.paced()
		rest(time.Minute)
		w.up()
		text := "123456789 123456789 123456789"
		w.accept(say("m", "ann", text), say("n", "ann", "n"))
		// Three tokens, then one, of which half a second's back-off has brought half.
		rest(10 * time.Second)
		p.mu.Lock()
		log := slices.Clone(p.log)
		p.log = nil
		p.mu.Unlock()
		if len(log) != 3 || log[0] != text+"@60.0" || !strings.HasPrefix(log[1], text+"@61") || log[2] != "n@62.0" {
			t.Errorf("asked %q", log)
		}
	})
}

// The author's name in front of each part, and files that need parts of their own, count.
func TestRateCountsAllParts(t *testing.T) {
	inBubble(t, func(l *put.Live) {
		rates(&plugv1.Rate{PerSecond: 1}, nil)(l)
		l.Abilities.AuthorMode = plugv1.AuthorMode_AUTHOR_MODE_TEXT
		l.Abilities.Limits.Files = 1
		l.Abilities.Features = append(l.Abilities.Features, plugv1.Feature_FEATURE_FILE)
	}, func(w *world) {
		p := w.paced()
		w.up()
		named := say("1", "ann", "12345678") // with half a part of name before each
		named.Action.Author.FormattedName = "abcde"
		files := say("2", "ann", "f")
		for range 3 {
			files.Action.GetMessage().Attachments = append(files.Action.GetMessage().Attachments, &plugv1.Attachment{Kind: &plugv1.Attachment_File{File: &plugv1.File{
				Name: "f", Size: 1, Spool: &plugv1.SpoolFile{Name: "f", Sha256: make([]byte, 32)}}}})
		}
		w.accept(named, files, say("3", "ann", "last"))
		p.want(time.Minute, "12345678@1.0", "f@3.0", "last@6.0")
	})
}
