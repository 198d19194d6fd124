package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// What the binary says of itself, claims and schema.
func TestDescribe(t *testing.T) {
	d, err := launch(t).client.Describe(t.Context(), &plugv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if d.GetName() != "webchat" || !slices.Equal(d.GetAccepts(), []plugv1.ActionKind{
		plugv1.ActionKind_ACTION_KIND_MESSAGE, plugv1.ActionKind_ACTION_KIND_EDIT, plugv1.ActionKind_ACTION_KIND_DELETE,
		plugv1.ActionKind_ACTION_KIND_REACTION_ADDED, plugv1.ActionKind_ACTION_KIND_REACTION_REMOVED, plugv1.ActionKind_ACTION_KIND_TYPING,
	}) || len(d.GetEmits()) != 8 {
		t.Errorf("described as %v", d)
	}
	var schema struct {
		AdditionalProperties *bool
		Properties           map[string]struct {
			Description string
			Default     any
			WriteOnly   bool
		}
	}
	if err := json.Unmarshal([]byte(d.GetConfigSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	if len(schema.Properties) != 6 || schema.Properties["listen"].Default != "127.0.0.1:0" || schema.AdditionalProperties == nil || !schema.Properties["password"].WriteOnly {
		t.Errorf("schema is %s", d.GetConfigSchema())
	}
	for name, p := range schema.Properties {
		if !strings.HasSuffix(p.Description, ".") {
			t.Errorf("the description of %s is cut off: %q", name, p.Description)
		}
	}
}

// The network id is constant over restarts, whatever the chat is called, and has the
// instance's part in it.
func TestNetworkID(t *testing.T) {
	dir := t.TempDir()
	h, first := start(t, dir)
	h.stop()
	h = launch(t)
	again := h.tryStart(dir, `{"title":"Another name","listen":"127.0.0.1:0"}`)
	if again.GetNetworkId() != first.GetNetworkId() || !strings.HasPrefix(first.GetNetworkId(), "webchat:") || again.GetNetworkName() != "Another name" {
		t.Errorf("was %v, is %v", first, again)
	}
	neighbour, other := start(t, t.TempDir())
	if other.GetNetworkId() == first.GetNetworkId() {
		t.Errorf("two instances are both %s", other.GetNetworkId())
	}
	if a, b := h.mustPut("0123456789abcdefghij", "hi"), neighbour.mustPut("0123456789abcdefghij", "hi"); a.GetId() != b.GetId() {
		t.Errorf("the two don't count alike (%s, %s): that only the network id keeps them apart is not shown", a.GetId(), b.GetId())
	}
}

// A config that can't work is told with its field; an address that is only taken may
// be free later.
func TestStartVerdicts(t *testing.T) {
	taken, _ := start(t, t.TempDir())
	address := strings.Trim(taken.plug.page.URL(), "htp:/")
	for config, want := range map[string]*plugv1.StartFailure{
		`{"listen":"nowhere"}`:                  {Verdict: plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, Field: "/listen"},
		`{"origins":["https://a.example","b"]}`: {Verdict: plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, Field: "/origins/1"},
		`{"lisen":"127.0.0.1:0"}`:               {Verdict: plugv1.StartVerdict_START_VERDICT_BAD_CONFIG},
		`{"listen":5}`:                          {Verdict: plugv1.StartVerdict_START_VERDICT_BAD_CONFIG, Field: "/listen"},
		fmt.Sprintf(`{"listen":%q}`, address):   {Verdict: plugv1.StartVerdict_START_VERDICT_UNREACHABLE},
	} {
		h := launch(t)
		dir := t.TempDir()
		got := h.tryStart(dir, config).GetFailure()
		if got.GetVerdict() != want.GetVerdict() || got.GetField() != want.GetField() || got.GetMessage() == "" {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
		// Nothing was left open: the same process can be started again.
		if f := h.tryStart(dir, `{}`).GetFailure(); f != nil {
			t.Errorf("started again after %s: %v", config, f)
		}
	}
	if f := launch(t).tryStart("/nonexistent/dir", `{}`).GetFailure(); f.GetVerdict() != plugv1.StartVerdict_START_VERDICT_UNREACHABLE {
		t.Errorf("without a state directory: %v", f)
	}
}

// Put returns the identifier by which the event that follows names the message, with
// our operation in it (O1, O4 rest on it); the page shows whose words they are.
func TestPutAndItsEcho(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	ann := h.visit()
	r := h.mustPut("0123456789abcdefghij", "hi & <b>")
	e := s.untilEvents(1)[0]
	if e.GetMessageId() != r.GetId() || r.GetId() == "" || e.GetOwn() != plugv1.Own_OWN_YES || e.GetOperationId() != "0123456789abcdefghij" ||
		e.GetChannel() != "lobby" || plug.PlainText(e.GetMessage().GetText()) != "hi & <b>" || !e.GetTime().AsTime().Equal(r.GetTime().AsTime()) {
		t.Errorf("receipt %v, event %v", r, e)
	}
	if m := ann.sees("hi & <b>"); m != (shown{Text: "hi & <b>", Author: "Bo [Garden]", Bridged: true}) {
		t.Errorf("the page shows %+v", m)
	}
}

// A Put that is tried again is said once, also when its answer was lost and when the
// plug was restarted between (D3: exactly once).
func TestPutAgain(t *testing.T) {
	dir := t.TempDir()
	h, _ := start(t, dir)
	first := h.mustPut("0123456789abcdefghij", "once")
	second := h.mustPut("0123456789abcdefghij", "once")
	h.stop()
	h, _ = start(t, dir)
	third := h.mustPut("0123456789abcdefghij", "once")
	other := h.mustPut("1123456789abcdefghij", "once")
	if second.GetId() != first.GetId() || third.GetId() != first.GetId() || other.GetId() == first.GetId() {
		t.Errorf("receipts %v, %v, %v; another operation's %v", first, second, third, other)
	}
	s := h.open(map[string]string{"lobby": "0"})
	s.untilCaughtUp()
	if s.texts() != "once once" {
		t.Errorf("the lobby has %q", s.texts())
	}
}

// A Put that is refused leaves nothing behind, and says why.
func TestPutRefused(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	for _, text := range []string{"", " \n ", "\u200b"} {
		f := h.put(putRequest("0123456789abcdefghij", text)).GetFailure()
		if f.GetVerdict() != plugv1.Verdict_VERDICT_REFUSED || f.GetMessage() == "" {
			t.Errorf("%q: %v", text, f)
		}
	}
	h.mustPut("0123456789abcdefghij", "hello")
	s.untilEvents(1)
	if s.texts() != "hello" {
		t.Errorf("the lobby has %q", s.texts())
	}
}

// A long text becomes several messages, and nothing of a name is a reason to refuse.
func TestPutLongAndStrange(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	resp := h.put(putRequest("0123456789abcdefghij", strings.Repeat("word ", 1000)))
	if len(resp.GetReceipts()) != 2 || resp.GetFailure() != nil {
		t.Errorf("a long text: %v", resp)
	}
	if events := s.untilEvents(2); events[1].GetOperationId() != "0123456789abcdefghij-2" {
		t.Errorf("the second part is of %q", events[1].GetOperationId())
	}
	for i, author := range []*plugv1.Author{
		nil,
		{FormattedName: "  \u200b"},
		{FormattedName: strings.Repeat("👩‍👩‍👧", 200), User: &plugv1.User{Id: strings.Repeat("x", plugv1.MaxIDBytes)}},
	} {
		r := putRequest(fmt.Sprintf("%020d", i), "x")
		r.Action.Author = author
		if resp := h.put(r); resp.GetFailure() != nil {
			t.Errorf("author %d: %v", i, resp)
		}
		// The host is shown it too: an id over the contract's size would not pass.
		s.untilEvents(3 + i)
	}
}

// What is said on the page is somebody else's, whatever it looks like.
func TestPageToHost(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	ann := h.visit()
	ann.say("den", "0123456789abcdefghij") // its id on the page is that of an operation
	e := s.untilEvents(1)[0]
	if e.GetOwn() != plugv1.Own_OWN_NO || e.GetOperationId() != "" || e.GetChannel() != "den" || e.GetAuthor().GetDisplayName() != "Ann" || e.GetAuthor().GetId() == "" || strings.Contains(e.GetAuthor().GetId(), secret) || e.GetHistory() {
		t.Errorf("got %v", e)
	}
	if resp := h.put(putRequest("0123456789abcdefghij", "ours")); resp.GetFailure() != nil {
		t.Fatal(resp)
	}
	if e := s.untilEvents(2)[1]; plug.PlainText(e.GetMessage().GetText()) != "ours" {
		t.Errorf("the operation of that name said %v", e)
	}
}

// Everything at once: every Put is said once and gets the id of its own echo, every
// room's events come in order, and a room that is no longer in use says nothing.
func TestManyAtOnce(t *testing.T) {
	h, _ := start(t, t.TempDir())
	s := h.open(nil)
	s.untilCaughtUp()
	ann := h.visit()
	const puts, spoken = 64, 50
	var all sync.WaitGroup
	receipts := make([]string, puts)
	for i := range puts {
		all.Go(func() {
			resp, err := h.client.Put(h.ctx, putRequest(fmt.Sprintf("%020d", i), fmt.Sprint("p", i)))
			if err != nil || len(resp.GetReceipts()) != 1 {
				t.Errorf("put: %v, %v", resp, err)
				return
			}
			receipts[i] = resp.GetReceipts()[0].GetId()
		})
	}
	all.Go(func() {
		for i := range spoken {
			ann.say("den", fmt.Sprint("d", i))
		}
	})
	s.untilEvents(puts + spoken)
	all.Wait()
	last, den := map[string]int{}, 0
	for _, e := range s.events {
		var row, i int
		fmt.Sscan(e.GetMessageId(), &row)
		if row <= last[e.GetChannel()] {
			t.Errorf("%s: row %d after row %d", e.GetChannel(), row, last[e.GetChannel()])
		}
		last[e.GetChannel()] = row
		if e.GetChannel() == "den" {
			if got := plug.PlainText(e.GetMessage().GetText()); got != fmt.Sprint("d", den) {
				t.Errorf("the den says %q, want d%d", got, den)
			}
			den++
			continue
		}
		fmt.Sscan(strings.TrimLeft(e.GetOperationId(), "0")+" ", &i)
		if e.GetMessageId() != receipts[i] {
			t.Errorf("operation %d: receipt %s, echo %s", i, receipts[i], e.GetMessageId())
		}
	}
}

// Stop closes the page, and all that was said before is in the store.
func TestStop(t *testing.T) {
	dir := t.TempDir()
	h, _ := start(t, dir)
	ann := h.visit()
	ann.say("lobby", "last words")
	url := h.plug.page.URL()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(string(body), `id="composer"`) {
		t.Errorf("the page is %.200s", body)
	}
	began := time.Now()
	h.stop()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("stopping took %s", took)
	}
	if resp, gone := http.Get(url); gone == nil {
		resp.Body.Close()
		t.Error("the page is still there")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for err == nil { // what was sent before can still be read
		_, _, err = ann.conn.Read(ctx)
	}
	if ctx.Err() != nil {
		t.Error("the page was not cut off")
	}
	h, _ = start(t, dir)
	if h.plug.page.URL() != url {
		t.Errorf("an open page would look for it at %s, it is at %s", url, h.plug.page.URL())
	}
	s := h.open(map[string]string{"lobby": "0"})
	s.untilCaughtUp()
	if s.texts() != "last words" {
		t.Errorf("the lobby has %q", s.texts())
	}
}
