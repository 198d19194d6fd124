package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/paho"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/plugins/mqtt/internal/memory"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Whatever comes becomes an event that the contract takes, or none with a reason.
func FuzzPayload(f *testing.F) {
	for _, payload := range []string{"", "x", `{"text":"x","id":1,"author":{"id":"a","name":"b"},"time":"2024-05-06T07:08:09Z"}`, `{"text":null}`, "\xff", `{"id":-0.0e9,"text":"\ud800"}`} {
		for _, json := range []bool{true, false} {
			f.Add([]byte(payload), "a/b", "name", json, uint16(1), true)
		}
	}
	dir := f.TempDir()
	mem, err := memory.Open(dir, "b", "c")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { mem.Close() })
	f.Fuzz(func(t *testing.T, content []byte, name, property string, json bool, packet uint16, repeat bool) {
		m := &mqtt{log: hclog.NewNullLogger(), memory: mem, channels: []*channel{{source: "#", json: json, status: &plugv1.ChannelStatus{}}}}
		p := &paho.Publish{Topic: name, QoS: 1, PacketID: max(packet, 1), Payload: content, Properties: &paho.PublishProperties{}}
		p.Properties.User.Add(propertyAuthor, property)
		e, reason := m.event(p)
		if (e == nil) != (reason != "") {
			t.Fatalf("event %v, reason %q", e, reason)
		}
		if e == nil {
			return
		}
		b, err := proto.Marshal(e)
		if err != nil || len(b) > plugv1.MaxEventBytes-len(e.GetMessageId())-100 {
			t.Errorf("an event of %d bytes: %v", len(b), err)
		}
		for _, id := range []string{e.GetMessageId(), e.GetAuthor().GetId(), e.GetChannel()} {
			if id == "" || len(id) > plugv1.MaxIDBytes || !utf8.ValidString(id) {
				t.Errorf("id %q", id)
			}
		}
		if textOf(e) == "" || len(e.GetAuthor().GetDisplayName()) > maxName {
			t.Errorf("event %v", e)
		}
	})
}

func TestTextLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		packet   uint32
		escaping int
		want     uint32
	}{{0, 2, maxText}, {1 << 28, 1, maxText}, {20000, 1, 20000 - envelope}, {20000, 2, (20000 - envelope) / 2}, {1000, 1, 250}, {1, 2, 1}} {
		if got := textLength(c.packet, c.escaping); got != c.want {
			t.Errorf("packets of %d, escaping %d: %d, want %d", c.packet, c.escaping, got, c.want)
		}
	}
}

func TestShortened(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "abc", "öö", "a👩‍👩‍👧", strings.Repeat("ö", 10)} {
		for most := range 12 {
			if got := shortened(s, most); len(got) > most || !utf8.ValidString(got) || !strings.HasPrefix(s, got) || len(got) < min(len(s), most)-3 {
				t.Errorf("%q in %d bytes is %q", s, most, got)
			}
		}
	}
}

// A count is told ever more rarely, and anew when it begins anew.
func TestCounter(t *testing.T) {
	t.Parallel()
	var c counter
	var told []uint64
	for range 20 {
		if c.add() {
			told = append(told, c.n)
		}
	}
	if len(told) != 5 || told[4] != 16 {
		t.Errorf("told at %v", told)
	}
	if c.reached(0) || !c.reached(1) || c.reached(1) {
		t.Error("not told anew")
	}
}
