package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// roams is a member whose channel migrates, from "X 1" on.
type roams struct {
	*talk
	name string
	at   int
}

func (r *roams) channel(n int) string { return fmt.Sprintf("%s %d", r.name, n) }

// migrate has the members of the channel go along to the next.
func (r *roams) migrate() {
	r.t.Helper()
	r.at++
	r.act(simnettest.Act{Channel: r.channel(r.at - 1), Kind: simnettest.KindMigrate, To: r.channel(r.at), Follow: true})
}

// strange has a stranger speak where the channel is now, ours in its partner.
func (r *roams) strange(text string) {
	r.t.Helper()
	r.say(simnettest.Say{Channel: r.channel(r.at), Author: "Ann", Text: text})
}

func (r *roams) ours(text string) {
	r.t.Helper()
	r.say(simnettest.Say{Channel: r.here, Author: "Bob", Text: text})
}

// sent lists what the plugs have said in a channel, in order.
func (r *roams) sent(channel string) (texts []string) {
	r.t.Helper()
	for _, e := range r.ledger() {
		if e.Kind == simnettest.Accepted && e.Channel == channel {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

func (r *roams) wantSent(channel string, want ...string) {
	r.t.Helper()
	var got []string
	limit := time.Now().Add(patience)
	for got = r.sent(channel); !slices.Equal(got, want) && time.Now().Before(limit); got = r.sent(channel) {
		<-time.After(20 * time.Millisecond)
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("in %s was said\n\t%s\nwant\n\t%s\n%s", channel, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), r.log())
	}
}

// "ChannelMigrated old → new is a typed event, so that everything stored follows": what
// waits is sent to the new source, in the order in which it was accepted (O6, D3); what is
// said there belongs to the same member, also over two migrations, while the plug is down
// and over kills of plug and host (D1, D2); ids that begin anew name new messages, and
// what was said before is edited where it stands; the old cursor goes when the new one is
// there. The config names the first source all the time.
func TestChannelMigrates(t *testing.T) {
	t.Parallel()
	accounts := map[string]simnettest.Account{
		"each":  {},
		"whole": {CursorScope: simnettest.CursorAccount},
		"mute":  {Echo: simnettest.EchoNone, History: true},
		"named": {Aliases: true, References: true},
	}
	all := []simnettest.Account{{Name: "talk"}}
	for name, a := range accounts {
		a.Name = name
		all = append(all, a)
	}
	net, plug := simulated(t, all...)
	do(t, net, simnettest.Command{Network: &simnettest.NetworkSettings{CollidingIDs: true}})
	o := childOptions{DataDir: dataDir(t), SettleTimeout: time.Second, Plugs: []host.Plug{plug("talk", "talk")},
		Supervision: host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000}}
	var members []*roams
	for name := range accounts {
		r := &roams{talk: &talk{t: t, net: net, here: "to " + name, there: name + " 1"}, name: name, at: 1}
		members = append(members, r)
		o.Plugs = append(o.Plugs, plug(id.InstanceName(name), name))
		o.Conversations = append(o.Conversations, bridge(channel("talk", r.here), channel(id.InstanceName(name), r.there)))
	}
	h := startHost(t, o)
	for _, a := range all {
		h.ready(id.InstanceName(a.Name), 0)
	}
	allListen(t, net, len(all))
	for _, r := range members {
		r.log = h.log
		r.strange("a1")
		r.wantSent(r.here, "a1")
		r.ours("b1")
		r.wantSent(r.channel(1), "b1")
	}
	// It migrates while the plug is down and messages wait.
	for _, r := range members {
		away(t, h, net, id.InstanceName(r.name))
		r.strange("a2")
		r.migrate()
		r.strange("a3")
		for i := range 3 {
			r.ours(fmt.Sprint("b", 2+i))
		}
	}
	back := func() {
		for _, r := range members {
			do(t, net, simnettest.Command{Logins: &simnettest.Logins{Account: r.name, Verdict: simnettest.LoginAccept, Count: -1}})
		}
	}
	back()
	for _, r := range members {
		r.wantSent(r.here, "a1", "a2", "a3")
		r.wantSent(r.channel(2), "b2", "b3", "b4")
		// The same ids stand for other messages in the new channel: an edit finds its own.
		for channel, text := range map[string]string{r.channel(1): "b1", r.channel(2): "b2"} {
			r.act(simnettest.Act{Channel: r.here, Kind: simnettest.KindEdit, ID: r.id(r.here, text), Author: "Bob", Text: text + " new"})
			until(t, text+" is edited in "+channel, func() bool {
				return slices.Contains(simnettest.Lines(r.board(channel)), "Bob: "+text+" new (edited)")
			})
		}
		r.say(simnettest.Say{Channel: r.channel(2), Author: "Ann", Text: "a4", ReplyTo: r.id(r.channel(2), "b3")})
		r.wantSent(r.here, "a1", "a2", "a3", "a4")
		if got := simnettest.Lines(r.board(r.here)); !slices.Contains(got, `Ann: a4 > "b3"`) {
			t.Errorf("%s: the answer is not one to b3: %q", r.name, got)
		}
		r.say(simnettest.Say{Channel: r.here, Author: "Bob", Text: "to a4", ReplyTo: r.id(r.here, "a4")})
		r.wantSent(r.channel(2), "b2", "b3", "b4", "to a4")
		if got := simnettest.Lines(r.board(r.channel(2))); !slices.Contains(got, `Bob: to a4 > "a4"`) {
			t.Errorf("%s: the answer is not one to a4: %q", r.name, got)
		}
	}
	// It migrates again, while the host is killed and then each plug.
	for _, r := range members {
		r.migrate()
		r.strange("a5")
		r.ours("b5")
	}
	h.kill()
	for _, r := range members {
		r.strange("a6")
		kill(t, h, id.InstanceName(r.name))
		r.ours("b6")
	}
	for _, r := range members {
		r.wantSent(r.here, "a1", "a2", "a3", "a4", "a5", "a6")
		r.wantSent(r.channel(3), "b5", "b6")
		// What is said before the next start is heard too, by the new source's cursor.
		away(t, h, net, id.InstanceName(r.name))
		r.strange("a7")
	}
	back()
	for _, r := range members {
		r.wantSent(r.here, "a1", "a2", "a3", "a4", "a5", "a6", "a7")
	}
	h.stop()
	for _, r := range members {
		r.wantSent(r.here, "a1", "a2", "a3", "a4", "a5", "a6", "a7")
		r.wantSent(r.channel(1), "b1")
		r.wantSent(r.channel(2), "b2", "b3", "b4", "to a4")
		r.wantSent(r.channel(3), "b5", "b6")
		want := []string{r.channel(3)}
		if accounts[r.name].CursorScope == simnettest.CursorAccount {
			want = []string{""}
		}
		if got := scopes(t, o.DataDir, id.NetworkID("simnet:"+r.name)); !slices.Equal(got, want) {
			t.Errorf("%s: there are cursors of %q, want %q", r.name, got, want)
		}
		if s := h.was(id.InstanceName(r.name), "degraded"); s.Plug != "" {
			t.Errorf("%s was degraded: %s", r.name, s.Reason)
		}
	}
	nothingWaits(t, o.DataDir)
}

// scopes lists the scopes of which a host that has stopped has a cursor.
func scopes(t *testing.T, dataDir string, n id.NetworkID) (all []string) {
	t.Helper()
	readJournal(t, dataDir, func(ctx context.Context, j *journal.Journal) error {
		cursors, err := j.Cursors(ctx, n)
		for _, c := range cursors {
			all = append(all, c.Scope)
		}
		return err
	})
	return all
}

// D1: a crash between the record of a migration and the new source's first cursor: the
// plug is asked for the old one, whose cursor there is, and finds its way.
func TestMigrationWithoutACursor(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "roams"})
	o := childOptions{DataDir: dataDir(t), Plugs: []host.Plug{plug("talk", "talk"), plug("roams", "roams")},
		Conversations: []host.Conversation{bridge(channel("talk", "to"), channel("roams", "r 1"))}}
	h := startHost(t, o)
	h.ready("talk", 0)
	h.ready("roams", 0)
	allListen(t, net, 2)
	r := &roams{talk: &talk{t: t, net: net, here: "to", log: h.log}, name: "r", at: 1}
	r.strange("a1")
	r.wantSent("to", "a1")
	h.stop()
	const n = id.NetworkID("simnet:roams")
	var old []journal.Cursor
	readJournal(t, o.DataDir, func(ctx context.Context, j *journal.Journal) (err error) {
		old, err = j.Cursors(ctx, n)
		return err
	})
	h.start()
	h.ready("roams", 0)
	r.migrate()
	r.strange("a2")
	r.wantSent("to", "a1", "a2")
	h.stop()
	readJournal(t, o.DataDir, func(ctx context.Context, j *journal.Journal) error {
		return errors.Join(j.DropCursor(ctx, n, "r 2"), j.SaveCursors(ctx, n, old))
	})
	r.strange("a3")
	h.start()
	r.wantSent("to", "a1", "a2", "a3")
	r.ours("b1")
	r.wantSent("r 2", "b1")
	h.stop()
	r.wantSent("to", "a1", "a2", "a3")
	if got := scopes(t, o.DataDir, n); !slices.Equal(got, []string{"r 2"}) {
		t.Errorf("there are cursors of %q", got)
	}
}

// O4: a hook is given what is said under the new source as of the channel that the config
// names, with the source by which its messages are named, and its own messages with their
// origin, also where only the receipt tells it.
func TestDeliveriesAfterAMigration(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "own", Echo: simnettest.EchoOwn})
	do(t, net, simnettest.Command{Network: &simnettest.NetworkSettings{CollidingIDs: true}})
	h := runHere(t, host.Options{Plugs: []host.Plug{plug("talk", "talk"), plug("own", "own")},
		Conversations: []host.Conversation{bridge(channel("talk", "to"), channel("own", "r 1"))}}, net)
	r := &roams{talk: &talk{t: t, net: net, here: "to", log: h.log.String}, name: "r", at: 1}
	r.ours("b1")
	h.echoed(channel("own", "r 1"), 1)
	r.migrate()
	r.strange("a1")
	r.wantSent("to", "a1")
	r.ours("b2")
	h.echoed(channel("own", "r 1"), 2)
	client, err := h.Client("")
	if err != nil {
		t.Fatal(err)
	}
	operation, err := client.Send(t.Context(), hook.Request{Channel: channel("own", "r 2"), ReplyTo: &hook.Ref{Channel: channel("own", "r 2"), ID: "1"},
		Action: &plugv1.Action{Kind: &plugv1.Action_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: "by the new name"}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if op, err := client.Wait(t.Context(), operation); err != nil || op.State != hook.Sent || op.Channel != channel("own", "r 1") {
		t.Errorf("what was sent to the new name became %+v, %v", op, err)
	}
	if got := simnettest.Lines(r.board("r 2")); !slices.Contains(got, `own: by the new name > "a1"`) {
		t.Errorf("the new channel shows %q", got)
	}
	h.stop()
	var got []string
	for _, d := range h.in(channel("own", "r 1")) {
		if d.Event.GetMessage() == nil || text(d.Event) == "by the new name" {
			continue
		}
		origin := "no origin"
		if d.Origin != nil {
			origin = "of " + string(d.Origin.Source.ID) + " in " + string(d.Origin.Source.Channel.Source)
		}
		got = append(got, fmt.Sprintf("%s in %s: %s", text(d.Event), d.In().Source, origin))
	}
	if want := []string{"b1 in r 1: of 1 in to", "a1 in r 2: no origin", "b2 in r 2: of 3 in to"}; !slices.Equal(got, want) {
		t.Errorf("yielded was %q, want %q", got, want)
	}
}

// If two channels of the config become one on the network, their plug is shown as
// degraded, with the reason, also after a restart.
func TestTwoChannelsBecomeOne(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "ann"}, simnettest.Account{Name: "bo"})
	o := childOptions{DataDir: dataDir(t), Plugs: []host.Plug{plug("ann", "ann"), plug("bo", "bo")},
		Conversations: []host.Conversation{bridge(channel("ann", "x"), channel("bo", "x2")), bridge(channel("ann", "y"), channel("bo", "y2"))}}
	h := startHost(t, o)
	h.ready("ann", 0)
	h.ready("bo", 0)
	allListen(t, net, 2)
	do(t, net, simnettest.Command{Act: &simnettest.Act{Channel: "x", Kind: simnettest.KindMigrate, To: "y", Follow: true}})
	const reason = `channels "x" and "y" are one on the network now`
	h.becomes("ann", "degraded", reason)
	h.kill()
	h.becomes("ann", "degraded", reason)
	h.stop()
}
