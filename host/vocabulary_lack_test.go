package host_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// a pair of channels of its own for each test: "here" of account "talk", "there" of
// account "bot".
func pairOf(t *testing.T, o host.Options, talker, bot simnettest.Account) (*here, *talk, host.Options) {
	t.Helper()
	talker.Name, bot.Name = "talk", "bot"
	net, plug := simulated(t, talker, bot)
	o.Plugs = []host.Plug{plug("talk", "talk"), plug("bot", "bot")}
	o.DataDir = dataDir(t)
	c := bridge(channel("talk", "here"), channel("bot", "there"))
	if len(o.Conversations) > 0 {
		c.Deletes = o.Conversations[0].Deletes
	}
	o.Conversations = []host.Conversation{c}
	h := runHere(t, o, net)
	return h, &talk{t: t, net: net, here: "here", there: "there", log: h.log.String}, o
}

// ledger is all that happened.
func (x *talk) ledger() []simnettest.Entry {
	x.t.Helper()
	ledger, err := x.net.Ledger(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	return ledger
}

// wait waits until so many lines of a kind are in a channel's ledger.
func (x *talk) wait(kind simnettest.Kind, channel string, count int) {
	x.t.Helper()
	until(x.t, string(kind)+" in "+channel, func() bool { return lines(x.ledger(), kind, channel) >= count })
}

// said in the end, by a last message that everything else comes before.
func (x *talk) last(here, there []string) {
	x.t.Helper()
	x.say(simnettest.Say{Channel: x.here, Author: "End", Text: "end"})
	x.shows("in the end", append(slices.Clone(here), "End: end"), append(slices.Clone(there), "End: end"))
}

// Bridging 2, 4: what a network lacks becomes words: a reply a quote, an edit a new
// message that says so; a delete deletes every copy, those reposts among them, by
// whatever name the network tells of it; a reaction is nothing.
func TestWhatANetworkLacksBecomesWords(t *testing.T) {
	t.Parallel()
	for name, talker := range map[string]simnettest.Account{"by id": {}, "by alias": {Aliases: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, x, o := pairOf(t, host.Options{}, talker, simnettest.Account{
				Lacks: []simnettest.Ability{simnettest.CanEdit, simnettest.CanReact, simnettest.CanReply, simnettest.CanThread}})
			x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "one"})
			x.shows("a message", []string{"Ann: one"}, []string{"Ann: one"})
			x.say(simnettest.Say{Channel: "here", Author: "Bob", Text: "two", ReplyTo: x.id("here", "one"), Thread: x.id("here", "one")})
			x.shows("a reply", []string{"Ann: one", `Bob: two > "one" # "one"`}, []string{"Ann: one", "Bob: > Ann: one⏎two"})
			x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindReact, ID: x.id("here", "one"), Author: "Bob", Reaction: "👍"})
			x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "one"), Author: "Ann", Text: "uno"})
			x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "uno"), Author: "Eve", Text: "none of mine"})
			x.shows("an edit", []string{`Ann: none of mine (edited) [👍 Bob]`, `Bob: two > "none of mine" # "none of mine"`},
				[]string{"Ann: one", "Bob: > Ann: one⏎two", "Ann: (edited) uno"})
			x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "none of mine"), Author: "Ann", Text: "eins"})
			x.shows("an edit again", []string{`Ann: eins (edited) [👍 Bob]`, `Bob: two > "eins" # "eins"`},
				[]string{"Ann: one", "Bob: > Ann: one⏎two", "Ann: (edited) uno", "Ann: (edited) eins"})
			x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindDelete, ID: x.id("here", "eins"), Author: "Ann"})
			x.shows("a delete", []string{`Bob: two > ? # ?`}, []string{"Bob: > Ann: one⏎two"})
			x.last([]string{`Bob: two > ? # ?`}, []string{"Bob: > Ann: one⏎two"})
			h.stop()
			nothingWaits(t, o.DataDir)
		})
	}
}

// Bridging 4, 12: what was done to a copy that is gone: an edit is posted anew and can
// be edited again; a reply quotes; a delete and a reaction are done with.
func TestTargetIsGone(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{References: true})
	for _, words := range []string{"one", "two"} {
		x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: words})
	}
	x.shows("messages", []string{"Ann: one", "Ann: two"}, []string{"Ann: one", "Ann: two"})
	for _, words := range []string{"one", "two"} {
		x.act(simnettest.Act{Channel: "there", Kind: simnettest.KindDelete, ID: x.id("there", words), Author: "Mod", Moderation: true})
	}
	x.say(simnettest.Say{Channel: "here", Author: "Bob", Text: "three", ReplyTo: x.id("here", "one")})
	x.shows("a reply", []string{"Ann: one", "Ann: two", `Bob: three > "one"`}, []string{"Bob: > Ann: one⏎three"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindReact, ID: x.id("here", "one"), Author: "Bob", Reaction: "👍"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "one"), Author: "Ann", Text: "uno"})
	x.shows("an edit", []string{"Ann: uno (edited) [👍 Bob]", "Ann: two", `Bob: three > "uno"`}, []string{"Bob: > Ann: one⏎three", "Ann: (edited) uno"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "uno"), Author: "Ann", Text: "eins"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindDelete, ID: x.id("here", "two"), Author: "Ann"})
	x.last([]string{"Ann: eins (edited) [👍 Bob]", `Bob: three > "eins"`}, []string{"Bob: > Ann: one⏎three", "Ann: eins (edited)"})
	h.stop()
	nothingWaits(t, o.DataDir)
}

// Bridging 4: who may delete a copy is origin, any or none.
func TestWhoseDeletesDelete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deletes     host.Deletes
		here, there []string
	}{
		// "two" is deleted where it was written, "three" where it is a copy.
		"origin": {host.DeletesOrigin, []string{"Ann: one", "Ann: three"}, []string{"Ann: one"}},
		"any":    {host.DeletesAny, []string{"Ann: one"}, []string{"Ann: one"}},
		"none":   {host.DeletesNone, []string{"Ann: one", "Ann: three"}, []string{"Ann: one", "Ann: two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, x, o := pairOf(t, host.Options{Conversations: []host.Conversation{{Deletes: c.deletes}}},
				simnettest.Account{Moderates: true, Aliases: true, References: true}, simnettest.Account{Aliases: true})
			for _, words := range []string{"one", "two", "three"} {
				x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: words})
			}
			x.shows("messages", []string{"Ann: one", "Ann: two", "Ann: three"}, []string{"Ann: one", "Ann: two", "Ann: three"})
			x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindDelete, ID: x.id("here", "two"), Author: "Ann"})
			x.act(simnettest.Act{Channel: "there", Kind: simnettest.KindDelete, ID: x.id("there", "three"), Author: "Mod", Moderation: true})
			// The delete there is on its way here before this.
			x.say(simnettest.Say{Channel: "there", Author: "Cid", Text: "four"})
			x.shows("deletes", append(slices.Clone(c.here), "Cid: four"), append(slices.Clone(c.there), "Cid: four"))
			h.stop()
			nothingWaits(t, o.DataDir)
		})
	}
}

// Bridging 4, contract "Edit": an edit by another than the author is dropped, unless it
// is marked as moderation; whether or not the network tells names as they are.
func TestEditBySomebodyElse(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{Aliases: true}, simnettest.Account{})
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "one"})
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "two"})
	x.shows("messages", []string{"Ann: one", "Ann: two"}, []string{"Ann: one", "Ann: two"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "one"), Author: "Eve", Text: "I am a fool"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", "two"), Author: "Mod", Text: "removed", Moderation: true})
	// What somebody there does to our copy stays there.
	x.act(simnettest.Act{Channel: "there", Kind: simnettest.KindEdit, ID: x.id("there", "one"), Author: "Mod", Text: "ONE", Moderation: true})
	x.last([]string{"Ann: I am a fool (edited)", "Ann: removed (edited)"}, []string{"Ann: ONE (edited)", "Ann: removed (edited)"})
	h.stop()
	nothingWaits(t, o.DataDir)
}

// D2: a second message with a known message id is journaled, never bridged; what
// happens to the message afterwards is.
func TestKnownMessageSaidAgain(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{})
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "one"})
	accepted(t, x.net, "there", 1, h.log.String) // an edit of what still waits would be folded in
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "one, again", ID: "here-1"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: "here-1", Author: "Ann", Text: "uno"})
	x.say(simnettest.Say{Channel: "here", Author: "End", Text: "end"})
	accepted(t, x.net, "there", 2, h.log.String)
	h.stop()
	x.shows("in the end", simnettest.Lines(x.board("here")), []string{"Ann: uno (edited)", "End: end"})
	nothingWaits(t, o.DataDir)
}

// Bridging 2: whoever is known on the other network is mentioned there, everybody else
// only named; a mass mention is text.
func TestMentions(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{})
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "hello"})
	x.shows("a message", []string{"Ann: hello"}, []string{"Ann: hello"})
	x.say(simnettest.Say{Channel: "there", Author: "Cid", Text: "Ann, Zed, all: @everyone", Rich: json.RawMessage(`{"text":{"segments":[
		{"text":"Ann","mention":{"user":{"id":"Ann","username":"Ann","displayName":"Ann"}}}, {"text":", "},
		{"text":"Zed","mention":{"user":{"id":"Zed","username":"Zed"}}}, {"text":", "},
		{"text":"all","massMention":"MASS_MENTION_EVERYONE"}, {"text":": @everyone", "bold":true}]}}`)})
	x.wait(simnettest.Accepted, "here", 1)
	var got struct {
		Text struct {
			Segments []struct {
				Text    string
				Bold    bool
				Mention *struct{ User struct{ ID string } }
			}
		}
	}
	board := x.board("here")
	said := board[len(board)-1]
	if err := json.Unmarshal(said.Rich, &got); err != nil {
		t.Fatalf("%v: %s", err, said.Rich)
	}
	var words []string
	for _, s := range got.Text.Segments {
		w := s.Text
		if s.Mention != nil {
			w = "@" + s.Mention.User.ID + "(" + w + ")"
		}
		if s.Bold {
			w = "*" + w + "*"
		}
		words = append(words, w)
	}
	if all := strings.Join(words, ""); all != "@Ann(Ann), Zed, all*: @everyone*" || strings.Contains(string(said.Rich), "massMention") {
		t.Errorf("it arrived as %q: %s", all, said.Rich)
	}
	h.stop()
	nothingWaits(t, o.DataDir)
}

// Contract "Text": where the operator allows it the target plug is given a mass mention,
// out of an author's segment and never out of a plain text.
func TestMassMentions(t *testing.T) {
	t.Parallel()
	net, plug := simulated(t, simnettest.Account{Name: "talk"}, simnettest.Account{Name: "bot"})
	o := childOptions{DataDir: dataDir(t), Plugs: []host.Plug{plug("talk", "talk"), plug("bot", "bot")}}
	c := bridge(channel("talk", "quiet"), channel("bot", "loud"))
	c.Members[1].MassMentions = true
	o.Conversations = []host.Conversation{c}
	h := startHost(t, o)
	allListen(t, net, 2)
	for _, from := range []string{"quiet", "loud"} {
		do(t, net, simnettest.Command{Say: &simnettest.Say{Channel: from, Author: "Ann", Text: "to all", Rich: json.RawMessage(
			`{"text":{"segments":[{"text":"all","massMention":"MASS_MENTION_EVERYONE"},{"text":": @everyone","bold":true}]}}`)}})
	}
	for channel, want := range map[string]int{"quiet": 0, "loud": 1} {
		accepted(t, net, channel, 1, h.log)
		ledger, err := net.Ledger(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(ledger, func(e simnettest.Entry) bool { return e.Kind == simnettest.Accepted && e.Channel == channel })
		e := ledger[i]
		if got := strings.Count(string(e.Rich), "MASS_MENTION_EVERYONE"); got != want || e.Text != "all: @everyone" {
			t.Errorf("%s was told of %d mass mentions, want %d: %q %s", channel, got, want, e.Text, e.Rich)
		}
	}
	h.stop()
}

// Bridging 11, 12: what is only a place, an emote, invisible, a join, a title or a
// state; names of spaces; a paste of many lines.
func TestOddMessages(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{Lacks: []simnettest.Ability{simnettest.CanLocate}})
	paste := strings.TrimSpace(strings.Repeat("line\n", 3000))
	title := "a title"
	for _, s := range []simnettest.Say{
		{Author: "Ann", Text: "", Rich: json.RawMessage(`{"attachments":[{"location":{"latitude":52.5,"longitude":13.4,"name":"Berlin"}}]}`)},
		{Author: "Ann", Text: ""},
		{Author: "Ann", Text: " \u200b\n"},
		{Author: "Ann", Text: "waves", Rich: json.RawMessage(`{"text":{"segments":[{"text":"waves"}]},"emote":true}`)},
		{Author: "\u200b \u2066", Text: "who am I"},
		{Author: "\u202eמרים\u202c", Text: "👩‍👩‍👧‍👦 שלום"},
		{Author: "Ann", Text: paste},
	} {
		s.Channel = "here"
		x.say(s)
	}
	for _, a := range []simnettest.Act{
		{Kind: simnettest.KindJoined, Users: []string{"Dan"}}, {Kind: simnettest.KindLeft, Users: []string{"Dan"}, Text: "bye"},
		{Kind: simnettest.KindChange, Title: &title}, {Kind: simnettest.KindMigrate, To: "elsewhere"},
	} {
		a.Channel = "here"
		x.act(a)
	}
	x.say(simnettest.Say{Channel: "here", Author: "End", Text: "end"})
	x.shows("odd messages", simnettest.Lines(x.board("here")), []string{
		"Ann: [Berlin, geo:52.500000,13.400000]", "Ann: waves", "someone: who am I", "מרים: 👩‍👩‍👧‍👦 שלום",
		"Ann: " + strings.ReplaceAll(paste, "\n", "⏎"), "End: end"})
	if m := x.board("there")[1]; !strings.Contains(string(m.Rich), "emote") {
		t.Errorf("the emote arrived as %s", m.Rich)
	}
	h.stop()
	if n := lines(x.ledger(), simnettest.Changed, "there"); n > 0 {
		t.Error("a title was bridged")
	}
	nothingWaits(t, o.DataDir)
}

// "Best effort": that somebody writes is shown in the other member, and nothing of it
// is stored or comes back.
func TestTyping(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{})
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: "one"})
	x.shows("a message", []string{"Ann: one"}, []string{"Ann: one"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindTyping, Author: "Ann"})
	x.wait(simnettest.Typed, "there", 1)
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindTyping, Author: "Ann", Stopped: true})
	x.wait(simnettest.Typed, "there", 2)
	x.act(simnettest.Act{Channel: "there", Kind: simnettest.KindRead, ID: x.id("there", "one"), Author: "Cid"})
	x.last([]string{"Ann: one"}, []string{"Ann: one"})
	h.stop()
	var got []string
	for _, e := range x.ledger() {
		if e.Kind == simnettest.Typed || e.Kind == simnettest.Seen {
			got = append(got, e.Channel+" "+e.Author+" "+e.Detail)
		}
	}
	if all := strings.Join(got, ", "); all != "here Ann begun, there Ann begun, here Ann stopped, there Ann stopped, there Cid " {
		t.Errorf("shown was: %s", all)
	}
	nothingWaits(t, o.DataDir)
}
