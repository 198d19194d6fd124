package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/plugins/mqtt/internal/broker"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// A Put is published as its channel wants it, and we never hear ourselves: neither at once,
// nor later out of the broker's session.
func TestPut(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	p := startProxy(t, b.address())
	dir := t.TempDir()
	s := at(p.url()).with("channels", settings{"json": settings{"format": "json"}, "kept": settings{"retain": true}, "in": settings{"publish": "out"}})
	sources := []string{"text", "json", "kept", "in"}
	h, _ := start(t, dir, s, sources...)
	st := h.open()
	st.mute = true
	d := b.device("watcher", "#")
	b.publish("text", "unacknowledged") // what follows would have to wait behind it
	st.untilEvents(1)

	resp := h.put(putRequest("text", operation(1), "on"))
	if r := resp.GetReceipts(); len(r) != 1 || r[0].GetId() != operation(1) || r[0].GetChannel() != "text" || resp.GetFailure() != nil {
		t.Fatalf("put: %v", resp)
	}
	h.mustPut("json", operation(2), "say \"<on>\"")
	h.mustPut("kept", operation(3), "keep")
	h.mustPut("in", operation(4), "elsewhere")
	strange := putRequest("text", operation(5), "strange author")
	strange.Action.Author = &plugv1.Author{User: &plugv1.User{Id: "a\x00\ufffe\nb"}, FormattedName: strings.Repeat("ö", 300)}
	if resp := h.put(strange); resp.GetFailure() != nil {
		t.Errorf("put: %v", resp)
	}
	nobody := putRequest("text", operation(6), "nobody")
	nobody.Action.Author = nil
	if resp := h.put(nobody); resp.GetFailure() != nil {
		t.Errorf("put: %v", resp)
	}
	for _, text := range []string{"", " \n"} {
		h.fails(putRequest("kept", operation(7), text), plugv1.Verdict_VERDICT_REFUSED)
	}
	heard := d.hears("%t|%q|%C|%P|%p")
	if len(heard) != 7 {
		t.Fatalf("heard %q", heard)
	}
	bo := func(n int) string {
		return fmt.Sprintf("operation_id:%s author:Bo [Garden] author_id:bo", operation(n))
	}
	for i, want := range map[int]string{
		1: "text|1|text/plain; charset=utf-8|" + bo(1) + "|on",
		3: "kept|1|text/plain; charset=utf-8|" + bo(3) + "|keep",
		4: "out|1|text/plain; charset=utf-8|" + bo(4) + "|elsewhere",
		5: "text|1|text/plain; charset=utf-8|operation_id:" + operation(5) + " author:" + strings.Repeat("ö", 128) + " author_id:ab|strange author",
		6: "text|1|text/plain; charset=utf-8|operation_id:" + operation(6) + "|nobody",
	} {
		if heard[i] != want {
			t.Errorf("heard %q, want %q", heard[i], want)
		}
	}
	var said map[string]any
	header, body, _ := strings.Cut(heard[2], "|{")
	if err := json.Unmarshal([]byte("{"+body), &said); err != nil || header != "json|1|application/json|"+bo(2) {
		t.Fatalf("%v: heard %q", err, heard[2])
	}
	if got := fmt.Sprint(said); got != fmt.Sprintf("map[author:map[id:bo name:Bo [Garden]] id:%[1]s operation_id:%[1]s text:say \"<on>\" time:2023-11-14T22:13:20Z]", operation(2)) {
		t.Errorf("json is %s", got)
	}

	p.Cut()
	st.mute = false
	b.publish("text", "after the cut")
	st.untilText("after the cut")
	h.stop()
	h, _ = start(t, dir, s, sources...)
	again := h.open()
	b.publish("text", "after the restart")
	again.untilText("after the restart")
	if st.texts()+" | "+again.texts() != "unacknowledged after the cut | after the restart" {
		t.Errorf("we heard %s | %s", st.texts(), again.texts())
	}
	if kept := b.device("late", "kept").hears("%p"); !slices.Equal(kept, []string{"keep"}) {
		t.Errorf("retained: %q", kept)
	}
}

// What the broker doesn't take is refused with its reason, and leaves nothing behind.
func TestPutRefused(t *testing.T) {
	t.Parallel()
	acl := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(acl, []byte("user plug\ntopic read locked\ntopic readwrite kept\ntopic readwrite open\nuser device\ntopic readwrite #\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startBroker(t, "acl_file "+acl, "max_packet_size 9000", "message_size_limit 5000", "retain_available false")
	h, r := start(t, t.TempDir(), at(b.url()).with("channels", settings{"kept": settings{"retain": true}}), "locked", "open", "kept")
	d := b.device("watcher", "#")
	h.fails(putRequest("kept", operation(2), "x"), plugv1.Verdict_VERDICT_REFUSED)
	// The SDK splits what is too long; the author comes on top.
	if n := r.GetAbilities().GetLimits().GetTextLength(); n != 9000-envelope {
		t.Errorf("limit %d", n)
	}
	if resp := h.put(putRequest("open", operation(3), strings.Repeat("word ", 1500))); len(resp.GetReceipts()) != 2 || resp.GetReceipts()[1].GetId() != operation(3)+"-2" {
		t.Errorf("a long text: %v", resp)
	}
	large := putRequest("open", operation(4), strings.Repeat("x", 4000))
	large.Action.Author.User.Id = strings.Repeat("i", 5000)
	h.fails(large, plugv1.Verdict_VERDICT_REFUSED) // told before it is sent
	h.mustPut("open", operation(5), "end")         // the connection lives
	h.fails(putRequest("locked", operation(1), "x"), plugv1.Verdict_VERDICT_REFUSED)
	heard := d.hears("%p")
	if len(heard) != 3 || heard[2] != "end" {
		t.Errorf("heard %d", len(heard))
	}
}

// A Put while there is no connection is certainly not sent, and is not sent later either.
func TestPutNotSent(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	p := startProxy(t, b.address())
	h, _ := start(t, t.TempDir(), at(p.url()), "a")
	h.open()
	d := b.device("watcher", "a")
	p.Refuse(true)
	eventually(t, "the plug has noticed", func() bool { return h.plug.current() == nil })
	h.fails(putRequest("a", operation(1), "while away"), plugv1.Verdict_VERDICT_NOT_SENT)
	p.Refuse(false)
	eventually(t, "the plug is back", func() bool { return h.put(putRequest("a", operation(2), "back")).GetFailure() == nil })
	if heard := d.hears("%p"); !slices.Equal(heard, []string{"back"}) {
		t.Errorf("heard %q", heard)
	}
}

// A Put whose answer doesn't come is uncertain, whichever way was cut; and it is never sent
// a second time, or after that answer, though the session goes on.
func TestPutUncertain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		up, down bool // what is held back
		deadline bool // ended by the Put's deadline, not by a cut
		heard    []string
	}{
		{"lost on the way", true, false, false, nil},
		{"its answer is lost", false, true, false, []string{"x"}},
		{"lost on the way, too late", true, false, true, nil},
		{"its answer is too late", false, true, true, []string{"x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startBroker(t)
			p := startProxy(t, b.address())
			h, _ := start(t, t.TempDir(), at(p.url()), "a")
			h.open()
			d := b.device("watcher", "a")
			h.mustPut("a", operation(1), "before")
			p.Hold(c.up, c.down)
			r := putRequest("a", operation(2), "x")
			if c.deadline {
				r.Deadline = timestamppb.New(time.Now().Add(2 * time.Second)) // time enough to send it
			} else {
				go func() {
					eventually(t, "the Put runs", func() bool { return h.plug.current().Running() == 1 })
					if c.down {
						eventually(t, "the broker has it", func() bool {
							log, _ := os.ReadFile(filepath.Join(b.dir, "log"))
							return strings.Contains(string(log), "Sending PUBACK to "+h.plug.memory.Client()+" (m2") || strings.Contains(string(log), "Sending PUBACK to "+h.plug.memory.Client()+" (m3")
						})
					}
					p.Cut()
				}()
			}
			h.fails(r, plugv1.Verdict_VERDICT_UNCERTAIN)
			p.Cut() // with what is held back
			p.Flow()
			eventually(t, "the plug is back", func() bool { return h.put(putRequest("a", operation(3), "after")).GetFailure() == nil })
			h.mustPut("a", operation(4), "last")
			want := append(append([]string{"before"}, c.heard...), "after", "last")
			if heard := d.hears("%p"); !slices.Equal(heard, want) {
				t.Errorf("heard %q, want %q", heard, want)
			}
		})
	}
}

// Each answer of a broker has its verdict.
func TestPutVerdicts(t *testing.T) {
	t.Parallel()
	for code, want := range map[byte]plugv1.Verdict{
		0x80: plugv1.Verdict_VERDICT_REFUSED, 0x83: plugv1.Verdict_VERDICT_REFUSED, 0x87: plugv1.Verdict_VERDICT_REFUSED,
		0x90: plugv1.Verdict_VERDICT_REFUSED, 0x91: plugv1.Verdict_VERDICT_NOT_SENT, 0x95: plugv1.Verdict_VERDICT_REFUSED,
		0x97: plugv1.Verdict_VERDICT_RATE_LIMITED, 0x99: plugv1.Verdict_VERDICT_REFUSED,
	} {
		if got := plug.VerdictOf(putVerdict(fmt.Errorf("publish: %w", &broker.Refusal{Code: code}))); got != want {
			t.Errorf("0x%02X: %s, want %s", code, got, want)
		}
	}
	if got := plug.VerdictOf(putVerdict(fmt.Errorf("%w: %w", broker.ErrNotSent, errors.New("x")))); got != plugv1.Verdict_VERDICT_NOT_SENT {
		t.Errorf("not connected: %s", got)
	}
	if got := plug.VerdictOf(putVerdict(errors.New("x"))); got != plugv1.Verdict_VERDICT_UNCERTAIN {
		t.Errorf("anything else: %s", got)
	}
}
