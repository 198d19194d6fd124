package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the binary says of itself, claims and schema.
func TestDescribe(t *testing.T) {
	t.Parallel()
	d, err := launch(t).client.Describe(t.Context(), &plugv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if d.GetName() != "mqtt" || !slices.Equal(d.GetAccepts(), []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_MESSAGE}) ||
		!slices.Equal(d.GetEmits(), []plugv1.EventKind{plugv1.EventKind_EVENT_KIND_MESSAGE}) || d.GetAbilities().GetEcho() != plugv1.Echo_ECHO_NONE {
		t.Errorf("described as %v", d)
	}
	type property struct {
		Description          string
		WriteOnly            bool
		Properties           map[string]property
		AdditionalProperties json.RawMessage
	}
	var schema property
	if err := json.Unmarshal([]byte(d.GetConfigSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	var channel property
	if err := json.Unmarshal(schema.Properties["channels"].AdditionalProperties, &channel); err != nil {
		t.Fatal(err)
	}
	if len(schema.Properties) != 8 || len(schema.Properties["tls"].Properties) != 3 || len(channel.Properties) != 4 || !schema.Properties["password"].WriteOnly {
		t.Errorf("schema is %s", d.GetConfigSchema())
	}
	for _, properties := range []map[string]property{schema.Properties, schema.Properties["tls"].Properties, channel.Properties} {
		for name, p := range properties {
			if !strings.HasSuffix(p.Description, ".") && !strings.HasSuffix(p.Description, ").") {
				t.Errorf("the description of %s is cut off: %q", name, p.Description)
			}
		}
	}
}

// The network id is the account at the broker, constant over restarts.
func TestNetworkID(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	dir := t.TempDir()
	h, first := start(t, dir, at(b.url()), "a")
	if want := "mqtt:" + b.address() + ":plug"; first.GetNetworkId() != want || first.GetSelf().GetId() != "plug" {
		t.Errorf("network id %s, want %s", first.GetNetworkId(), want)
	}
	h.stop()
	for range 2 {
		h, again := start(t, dir, at(b.url()).with("client_id", "other"), "b")
		if again.GetNetworkId() != first.GetNetworkId() {
			t.Errorf("network id %s, was %s", again.GetNetworkId(), first.GetNetworkId())
		}
		h.stop()
	}
	open := startBroker(t, "allow_anonymous true")
	dir = t.TempDir()
	h, made := start(t, dir, settings{"server": open.url()}, "a")
	h.stop()
	_, again := start(t, dir, settings{"server": open.url()}, "a")
	if made.GetNetworkId() != again.GetNetworkId() || !strings.HasPrefix(made.GetNetworkId(), "mqtt:"+open.address()+":plughost") {
		t.Errorf("without a user name: %s, then %s", made.GetNetworkId(), again.GetNetworkId())
	}
	_, named := start(t, t.TempDir(), settings{"server": open.url(), "client_id": "me"}, "a")
	if named.GetNetworkId() != "mqtt:"+open.address()+":me" {
		t.Errorf("with a client id: %s", named.GetNetworkId())
	}
}

// A broker that is away may come back; credentials that were refused are a person's
// matter; a config that can't work is told with its field. No secret is in the words.
func TestStartVerdicts(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	away := fmt.Sprintf("mqtt://127.0.0.1:%d", freePort(t))
	for _, c := range []struct {
		settings settings
		verdict  plugv1.StartVerdict
		field    string
	}{
		{at(away), plugv1.StartVerdict_START_VERDICT_UNREACHABLE, ""},
		{at(b.url()).with("password", "wrong-secret"), plugv1.StartVerdict_START_VERDICT_LOGGED_OUT, ""},
		{settings{"server": b.url()}, plugv1.StartVerdict_START_VERDICT_LOGGED_OUT, ""},
		{settings{}, plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at("127.0.0.1:1883"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at("http://127.0.0.1"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at("mqtt://plug:wrong-secret@127.0.0.1"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at("mqtt://plug:wrong-secret@127.0.0.1:port"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at(b.url() + "/path"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at(b.url()).with("tls", settings{}), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/tls"},
		{at(b.url()).with("session_expiry", 0), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/session_expiry"},
		{at(b.url()).with("keepalive", 0), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/keepalive"},
		{at(b.url()).with("username", "a\nb"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/username"},
		{at(b.url()).with("username", strings.Repeat("x", 600)), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/server"},
		{at(b.url()).with("channels", settings{"a/b": settings{"publish": "c/#"}}), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/channels/a~1b/publish"},
		{at(b.url()).with("channels", settings{"a": settings{"qos": 2}}), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/channels/a/qos"},
		{at(b.url()).with("channels", settings{"a": settings{"format": "xml"}}), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, "/channels/a/format"},
		{at(b.url()).with("clientid", "x"), plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, ""},
	} {
		h := launch(t)
		dir := t.TempDir()
		f := h.tryStart(dir, c.settings, "a/b", "a").GetFailure()
		if f.GetVerdict() != c.verdict || f.GetField() != c.field || f.GetMessage() == "" || strings.Contains(f.GetMessage(), "secret") {
			t.Errorf("%v: %v", c.settings, f)
		}
		// Nothing was left open: the same process can be started again.
		if f := h.tryStart(dir, at(b.url()), "a").GetFailure(); f != nil {
			t.Errorf("started again after %v: %v", c.settings, f)
		}
		h.stop()
	}
	if f := launch(t).tryStart("/nonexistent/dir", at(b.url())).GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_UNREACHABLE {
		t.Errorf("without a state directory: %v", f)
	}
}

// One bad channel never fails Start, and is told with its reason; the others work.
func TestChannels(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	s := at(b.url()).with("channels", settings{"both/+": settings{"publish": "both/all"}})
	h, resp := start(t, t.TempDir(), s, "plain", "a/#", "a/b", "house/+/door", "house/1/#", "both/+", "bad/#/x", strings.Repeat("x", 513), "", "$share/g/a")
	want := map[string]plugv1.ChannelState{
		"plain":        plugv1.ChannelState_CHANNEL_STATE_JOINED,
		"a/b":          plugv1.ChannelState_CHANNEL_STATE_JOINED,
		"a/#":          plugv1.ChannelState_CHANNEL_STATE_DENIED, // overlaps with a/b
		"house/+/door": plugv1.ChannelState_CHANNEL_STATE_READ_ONLY,
		"house/1/#":    plugv1.ChannelState_CHANNEL_STATE_DENIED, // overlaps with the one before
		"both/+":       plugv1.ChannelState_CHANNEL_STATE_JOINED,
	}
	for _, c := range resp.GetChannels() {
		state, ok := want[c.GetRequested()]
		if !ok {
			state = plugv1.ChannelState_CHANNEL_STATE_NOT_FOUND
		}
		if c.GetState() != state || (c.GetReason() == "") != (state == plugv1.ChannelState_CHANNEL_STATE_JOINED) || c.GetSource() != c.GetRequested() {
			t.Errorf("%v, want %s", c, state)
		}
	}
	if len(resp.GetChannels()) != 10 {
		t.Errorf("%d channels", len(resp.GetChannels()))
	}
	st := h.open()
	d := b.device("watcher", "both/#")
	for _, topic := range []string{"plain", "a/c", "a/b", "house/7/door", "house/1/x", "both/2"} {
		b.publish(topic, "on "+topic)
	}
	events := st.untilEvents(4)
	for i, want := range []string{"plain", "a/b", "house/+/door", "both/+"} {
		if events[i].GetChannel() != want {
			t.Errorf("%q came to %s, want %s", textOf(events[i]), events[i].GetChannel(), want)
		}
	}
	h.mustPut("both/+", operation(1), "all of you")
	if heard := d.hears("%t %p"); !slices.Equal(heard, []string{"both/2 on both/2", "both/all all of you"}) {
		t.Errorf("heard %q", heard)
	}
	// What was put there came back by the filter: No Local holds for it too.
	b.publish("plain", "last")
	if st.untilText("last"); len(st.events) != 5+1 { // and the device's mark of the end
		t.Errorf("events: %s", st.texts())
	}
	h.fails(putRequest("house/+/door", operation(2), "x"), plugv1.Verdict_VERDICT_REFUSED)
	h.fails(putRequest("a/#", operation(3), "x"), plugv1.Verdict_VERDICT_NOT_SENT)
	h.fails(putRequest("unknown", operation(4), "x"), plugv1.Verdict_VERDICT_NOT_SENT)
}

// What the plug can do is narrowed by what the broker takes, and by the channels.
func TestAbilities(t *testing.T) {
	t.Parallel()
	b := startBroker(t, "max_packet_size 20000")
	_, text := start(t, t.TempDir(), at(b.url()).with("keepalive", 20), "a")
	_, json := start(t, t.TempDir(), at(b.url()).with("channels", settings{"a": settings{"format": "json"}}), "a")
	_, qos0 := start(t, t.TempDir(), at(b.url()).with("channels", settings{"a": settings{"qos": 0}}), "a")
	a := text.GetAbilities()
	if a.GetLimits().GetTextLength() != 20000-envelope || json.GetAbilities().GetLimits().GetTextLength() != (20000-envelope)/2 {
		t.Errorf("limits %v; json %v", a.GetLimits(), json.GetAbilities().GetLimits())
	}
	if !a.GetResumable() || qos0.GetAbilities().GetResumable() || a.GetMaxSilence().AsDuration().Seconds() != 70 || a.GetEcho() != plugv1.Echo_ECHO_NONE {
		t.Errorf("abilities %v; with QoS 0 %v", a, qos0.GetAbilities())
	}
	free := startBroker(t)
	if _, r := start(t, t.TempDir(), at(free.url()), "a"); r.GetAbilities().GetLimits().GetTextLength() != maxText {
		t.Errorf("without a limit: %v", r.GetAbilities())
	}
}

// A broker that is shut down and comes back is found again, with new credentials too late.
func TestLoggedOutLater(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	h, _ := start(t, t.TempDir(), at(b.url()), "a")
	h.open()
	watch, err := plugv1.NewNetworkStatusClient(h.conn).WatchStatus(h.ctx, &plugv1.WatchStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	says := func(want plugv1.NetworkState) {
		t.Helper()
		for {
			got, err := watch.Recv()
			if err != nil {
				t.Fatalf("before %v: %v", want, err)
			}
			if got.State == want {
				return
			}
		}
	}
	says(plugv1.NetworkState_NETWORK_STATE_CONNECTED)
	b.end(syscall.SIGTERM)
	says(plugv1.NetworkState_NETWORK_STATE_CONNECTING)
	run(t, "mosquitto_passwd", "-b", b.dir+"/passwords", "plug", "changed")
	b.start()
	eventually(t, "the Put says that the password is wrong", func() bool {
		return h.put(putRequest("a", operation(1), "x")).GetFailure().GetVerdict() == plugv1.Verdict_VERDICT_LOGGED_OUT
	})
	says(plugv1.NetworkState_NETWORK_STATE_LOGGED_OUT)
	run(t, "mosquitto_passwd", "-b", b.dir+"/passwords", "plug", "secret")
	b.end(syscall.SIGTERM)
	b.start()
	eventually(t, "the plug is let in again", func() bool { return h.put(putRequest("a", operation(1), "x")).GetFailure() == nil })
	says(plugv1.NetworkState_NETWORK_STATE_CONNECTED)
}
