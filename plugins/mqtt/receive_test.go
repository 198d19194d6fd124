package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// texts makes n texts to be told apart.
func texts(from, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("m", from+i)
	}
	return all
}

// What devices say, in both formats, is somebody else's, whatever it looks like.
func TestPayloads(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	h, _ := start(t, t.TempDir(), at(b.url()).with("channels", settings{"json": settings{"format": "json"}}), "text", "json")
	s := h.open()
	for _, c := range []struct{ topic, payload, id, text, authorID, author, time string }{
		{"text", "door öpen\n", "made:", "door öpen\n", "text", "text", ""},
		{"text", `{"text":"not parsed"}`, "made:", `{"text":"not parsed"}`, "text", "text", ""},
		{"json", `{"id":"e1","text":"hot","author":{"id":"s7","name":"Sensor 7"},"time":"2024-05-06T07:08:09.5+02:00","operation_id":"0123456789abcdefghij","more":[1]}`, "e1", "hot", "s7", "Sensor 7", "2024-05-06T05:08:09.5Z"},
		{"json", `{"id":12345678901234567890,"text":"number","author":{"id":7}}`, "12345678901234567890", "number", "7", "7", ""},
		{"json", `{"text":"bare","time":"yesterday","author":{"name":"Ann"}}`, "made:", "bare", "Ann", "Ann", ""},
		{"json", "{", "made:", "(a message of 1 bytes that can't be shown: it is not JSON of the agreed shape)", "json", "json", ""},
		{"json", `{"temperature":21}`, "made:", "(a message of 18 bytes that can't be shown: it has no text)", "json", "json", ""},
		{"json", `{"id":"` + strings.Repeat("x", 513) + `","text":"x"}`, "made:", "(a message of 533 bytes that can't be shown: its id is too long)", "json", "json", ""},
		{"json", `{"text":"long author","author":{"id":"` + strings.Repeat("x", 600) + `","name":"` + strings.Repeat("ö", 300) + `"}}`, "made:", "long author", "sha256:", strings.Repeat("ö", 128), ""},
		{"text", "caf\xe9 \x00\xff", "made:", "(a message of 7 bytes that can't be shown: it is not UTF-8 text)", "text", "text", ""},
		{"json", "{\"text\":\"\xff\"}", "made:", "(a message of 12 bytes that can't be shown: it is not UTF-8 text)", "json", "json", ""},
		{"text", strings.Repeat("x", maxPayload-5000), "made:", strings.Repeat("x", maxPayload-5000), "text", "text", ""},
		{"text", strings.Repeat("x", maxPayload-100), "made:", fmt.Sprintf("(a message of %d bytes that can't be shown: it is too long)", maxPayload-100), "text", "text", ""},
		{"text", strings.Repeat("x", maxPayload+1), "made:", fmt.Sprintf("(a message of %d bytes that can't be shown: it is too long)", maxPayload+1), "text", "text", ""},
	} {
		s.events = nil
		b.publish(c.topic, c.payload)
		e := s.untilEvents(1)[0]
		name := fmt.Sprintf("%s %.60q", c.topic, c.payload)
		if textOf(e) != c.text || e.GetChannel() != c.topic || e.GetOwn() != plugv1.Own_OWN_NO || e.GetOperationId() != "" || e.GetHistory() {
			t.Errorf("%s: %.300v", name, e)
		}
		if c.id == "made:" != strings.HasPrefix(e.GetMessageId(), "made:") || c.id != "made:" && e.GetMessageId() != c.id {
			t.Errorf("%s: id %q", name, e.GetMessageId())
		}
		if !strings.HasPrefix(e.GetAuthor().GetId(), c.authorID) || e.GetAuthor().GetDisplayName() != c.author {
			t.Errorf("%s: author %v", name, e.GetAuthor())
		}
		if c.time != "" && e.GetTime().AsTime().Format("2006-01-02T15:04:05.999Z07:00") != c.time {
			t.Errorf("%s: time %s", name, e.GetTime().AsTime())
		}
	}
	// What is larger than a packet may be never comes; nor is an empty one a message.
	s.events = nil
	b.publish("text", strings.Repeat("x", 2<<20))
	run(t, "mosquitto_pub", b.args("-t", "text", "-n")...)
	b.publish("text", "said by Cy", "-D", "PUBLISH", "user-property", "author", "Cy", "-D", "PUBLISH", "user-property", "author_id", "c1")
	if e := s.untilEvents(1)[0]; textOf(e) != "said by Cy" || e.GetAuthor().GetId() != "c1" || e.GetAuthor().GetDisplayName() != "Cy" {
		t.Errorf("got %.300v", e)
	}
}

// A broker is told that we have a message only when the host has it in its journal (D1):
// until then it comes again, after a cut and after the death of the plug, under the same
// event id; afterwards it doesn't.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	p := startProxy(t, b.address())
	dir := t.TempDir()
	h, _ := start(t, dir, at(p.url()), "a")
	s := h.open()
	s.mute = true
	b.publishLines("a", texts(0, 5))
	b.publish("a", "m0") // alike, and another message
	first := slices.Clone(s.untilEvents(6))

	p.Cut() // the plug lives: what comes again is removed
	b.publish("a", "m6")
	if events := s.untilEvents(7); textOf(events[6]) != "m6" || len(events) != 7 {
		t.Fatalf("after a cut: %s", s.texts())
	}
	first = append(first, s.events[6])
	h.die(p) // nothing was acknowledged

	h, _ = start(t, dir, at(p.url()), "a")
	s = h.open()
	b.publish("a", "m7")
	s.untilText("m7")
	if len(s.events) != 8 {
		t.Fatalf("after the plug's death: %s", s.texts())
	}
	ids := map[string]bool{}
	for i, e := range s.events {
		if i < len(first) && (e.GetEventId() != first[i].GetEventId() || textOf(e) != textOf(first[i])) {
			t.Errorf("%q came again as %s, was %s", textOf(e), e.GetEventId(), first[i].GetEventId())
		}
		ids[e.GetEventId()] = true
	}
	if len(ids) != 8 {
		t.Errorf("%d events have %d ids", len(s.events), len(ids))
	}
	h.stop() // it flushes, and acknowledges

	h, _ = start(t, dir, at(p.url()), "a")
	s = h.open()
	b.publish("a", "m8")
	if s.untilText("m8"); len(s.events) != 1 {
		t.Errorf("after all was acknowledged: %s", s.texts())
	}
}

// Nothing is lost, and everything comes in order, while the plug is away; the first start
// brings nothing old.
func TestWhileAway(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	b.publish("a", "before the first start")
	dir := t.TempDir()
	h, r := start(t, dir, at(b.url()), "a")
	if !r.GetAbilities().GetResumable() {
		t.Error("not resumable")
	}
	h.stop()
	const n = 3000 // more than a broker has in flight, and than the plug's queue holds
	b.publishLines("a", texts(0, n))
	h, _ = start(t, dir, at(b.url()), "a")
	s := h.open()
	s.untilEvents(n)
	if s.texts() != strings.Join(texts(0, n), " ") || len(s.gaps) != 0 || !s.caught["a"] {
		t.Errorf("%d events, not all in order; gaps %v", len(s.events), s.gaps)
	}
	b.publish("a", "live")
	if s.untilText("live"); len(s.events) != n+1 {
		t.Errorf("%d events", len(s.events))
	}
}

// Cuts at any instant: everything comes, in order, once.
func TestCuts(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	p := startProxy(t, b.address())
	h, _ := start(t, t.TempDir(), at(p.url()), "a")
	s := h.open()
	const n, cuts = 400, 4
	for i := range cuts {
		from := i * n / cuts
		made := p.Connections()
		b.publishLines("a", texts(from, n/cuts))
		s.untilEvents(from + 1 + i*20) // somewhere on the way
		p.Cut()
		eventually(t, "the plug is back", func() bool { return p.Connections() > made })
	}
	s.untilText(fmt.Sprint("m", n-1))
	if s.texts() != strings.Join(texts(0, n), " ") {
		t.Errorf("%d events, want %d in order: %s", len(s.events), n, s.texts())
	}
	if len(s.gaps) != 0 {
		t.Errorf("gaps %v", s.gaps)
	}
}

// A broker that is shut down, or killed, and comes back.
func TestBrokerRestarts(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			b := startBroker(t)
			h, _ := start(t, t.TempDir(), at(b.url()), "a")
			s := h.open()
			s.mute = true
			b.publishLines("a", texts(0, 10))
			s.untilEvents(10)
			_ = b.cmd.Process.Signal(syscall.SIGUSR1) // it saves
			saved := filepath.Join(b.dir, "mosquitto.db")
			eventually(t, "the broker has saved the messages", func() bool {
				db, _ := os.ReadFile(saved)
				return bytes.Contains(db, []byte("m9"))
			})
			b.end(signal)
			b.start()
			s.mute = false
			b.publishLines("a", texts(10, 10))
			s.untilText("m19")
			var ids []string
			for _, e := range s.events {
				ids = append(ids, e.GetEventId())
			}
			slices.Sort(ids)
			if s.texts() != strings.Join(texts(0, 20), " ") || len(slices.Compact(ids)) != 20 {
				t.Errorf("got %s", s.texts())
			}
			h.mustPut("a", operation(1), "still there")
		})
	}
}

// A broker that has forgotten the session has lost what came meanwhile: that is told, and
// the plug goes on.
func TestForgotten(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	dir := t.TempDir()
	h, _ := start(t, dir, at(b.url()), "a")
	s := h.open()
	b.end(syscall.SIGKILL)
	if err := os.Remove(filepath.Join(b.dir, "mosquitto.db")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	b.start()
	s.until(func() bool { return len(s.gaps) == 1 })
	if g := s.gaps[0]; g.GetScope() != "" || g.GetReason() == "" {
		t.Errorf("gap %v", g)
	}
	b.publish("a", "live")
	s.untilText("live")
}

// What the broker has retained is old: it is not replayed, at no connection. What is
// published with the mark while we listen is news.
func TestRetained(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	p := startProxy(t, b.address())
	b.publish("a", "old", "-r")
	dir := t.TempDir()
	h, _ := start(t, dir, at(p.url()), "a")
	s := h.open()
	b.publish("a", "news", "-r")
	s.untilText("news")
	p.Cut()
	b.publish("a", "later")
	s.untilText("later")
	h.stop()
	h, _ = start(t, dir, at(p.url()), "a", "b")
	again := h.open()
	b.publish("b", "end")
	again.untilText("end")
	if s.texts()+" "+again.texts() != "news later end" {
		t.Errorf("got %s, then %s", s.texts(), again.texts())
	}
}

// A channel that is no longer in use is unsubscribed from; what waited for it is dropped.
func TestChannelsChange(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	dir := t.TempDir()
	h, _ := start(t, dir, at(b.url()), "a", "b")
	first := h.open()
	first.until(func() bool { return first.caught["a"] && first.caught["b"] }) // Stop waits for what is not acknowledged
	h.stop()
	b.publish("a", "a1")
	b.publish("b", "b1")
	h, _ = start(t, dir, at(b.url()), "b")
	s := h.open()
	s.untilText("b1")
	b.publish("a", "a2")
	h.stop()
	h, _ = start(t, dir, at(b.url()), "a", "b")
	again := h.open()
	b.publish("a", "a3")
	again.untilText("a3")
	if s.texts()+" "+again.texts() != "b1 a3" {
		t.Errorf("got %s, then %s", s.texts(), again.texts())
	}
}

// Many topics, both ways, at once: each in order, and none is missing.
func TestManyTopics(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	var sources []string
	for i := range 100 {
		sources = append(sources, fmt.Sprintf("house/%d", i))
	}
	h, _ := start(t, t.TempDir(), at(b.url()), sources...)
	s := h.open()
	d := b.device("watcher", "house/+")
	puts := make(chan error, len(sources))
	for i, source := range sources {
		go func() {
			resp, err := h.client.Put(h.ctx, putRequest(source, operation(i), "put"))
			if err == nil && resp.GetFailure() != nil {
				err = fmt.Errorf("%v", resp)
			}
			puts <- err
		}()
	}
	const speaking, each = 10, 100
	for i := range speaking {
		b.publishLines(sources[i*7], texts(0, each))
	}
	s.untilEvents(speaking * each)
	next := map[string]int{}
	for _, e := range s.events {
		if textOf(e) != fmt.Sprint("m", next[e.GetChannel()]) {
			t.Errorf("%s says %s, want m%d", e.GetChannel(), textOf(e), next[e.GetChannel()])
		}
		next[e.GetChannel()]++
	}
	for range sources {
		if err := <-puts; err != nil {
			t.Error(err)
		}
	}
	heard := slices.DeleteFunc(d.hears("%t %p"), func(s string) bool { return !strings.HasSuffix(s, " put") })
	slices.Sort(heard)
	if len(heard) != len(sources) || len(slices.Compact(heard)) != len(sources) {
		t.Errorf("%d were heard", len(heard))
	}
}

// Messages of QoS 0 come too, as long as there is room; they never stop anything else.
func TestQoS0(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	h, _ := start(t, t.TempDir(), at(b.url()).with("channels", settings{"flood": settings{"qos": 0}}), "flood", "a")
	b.publishLines("flood", texts(0, 20000)) // nobody reads yet: the plug's queue overflows
	h.mustPut("a", operation(1), "gets its answer all the same")
	h.mustPut("flood", operation(2), "without an answer")
	s := h.open()
	b.publish("a", "end")
	s.untilText("end")
	if n := len(s.events) - 1; n == 0 || n >= 20000 {
		t.Errorf("%d of 20000 came", n)
	}
}
