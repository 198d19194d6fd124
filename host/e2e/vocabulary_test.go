//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The whole vocabulary, with the shipped binaries: two webchats and MQTT in one
// conversation, and every row that people use in it, from each to each; first with
// nothing amiss, then with each of them killed in the middle.

// world is a host with two webchats and two topics, and the people and devices there.
type world struct {
	*plughost
	*testing.T
	broker        *broker
	device        *device
	ann, sara, bo *person // Ann and Sara are at the north, Bo at the south
	// folds is true where an edit or a delete may find its message still waiting: then
	// the message is sent as it should be, or not at all.
	folds bool
}

// rightToLeft is a name that is written from right to left, in two scripts.
const rightToLeft = "שרה محمد"

func newWorld(t *testing.T) *world {
	t.Helper()
	b := startBroker(t)
	w := &world{T: t, broker: b, device: b.device("commands", "switch/told")}
	house := fmt.Sprintf(`{use: mqtt, label: MQTT, config: {server: "mqtt://%s", username: house, channels: {alerts: {format: json, publish: commands}, switch: {publish: switch/told}}}}`, b.address)
	w.plughost = startPlughostWith(t, []plugConfig{{name: "house", config: house, members: []string{"house/alerts", "house/switch"}}})
	w.ann, w.sara = enter(t, w.address["north"], "Ann"), enter(t, w.address["north"], rightToLeft)
	w.bo = enter(t, w.address["south"], "Bo")
	return w
}

// copyOf is the row of a message's copy at the south.
func (w *world) copyOf(text string) int64 { w.Helper(); return w.bo.sees(text).Row }

const (
	emoji     = "👩‍👩‍👧 and 🏳️‍🌈 and 👍🏽"
	hebrew    = "שלום, مرحبا, hello"
	theEnd    = "the end of "
	edited    = "as it should be"
	alternate = "The sun over the shed"
)

// long is a message of 3,000 characters, in words of which no two are the same.
func long() string {
	var b strings.Builder
	for i := 0; b.Len() < 3000; i++ {
		fmt.Fprintf(&b, "word%d ", i)
	}
	return b.String()[:2999] + "!"
}

// act does everything there is to do. It calls amid between, once for the north's half
// and once for the south's, before what was said is edited and deleted.
func (w *world) act(amid func()) {
	w.Helper()
	picture := filepath.Join(w.TempDir(), "evening.png")
	picturePNG(w.T, picture)

	first := w.ann.say("first")
	w.ann.say("**bold**, *italic* and `code`")
	wrong := w.ann.say("as it is wrong")
	oops := w.ann.say("oops")
	w.ann.react(first, "👍")
	w.ann.react(first, "❤️")
	w.broker.publishJSON("alerts", "door-1", "Door", "the door is open")
	amid()
	w.broker.publishJSON("alerts", "door-1", "Door", "the door is open") // it didn't hear that it was taken
	w.ann.edit(wrong, edited)
	w.ann.delete(oops)
	w.ann.unreact(first, "❤️")
	w.ann.say(emoji)
	w.sara.say(hebrew)
	w.ann.say("/me waves")
	w.ann.do(frame{Type: "say", Text: "a picture", Files: []attached{w.ann.upload(picture, alternate)}})
	w.ann.say(long())
	w.broker.publish("switch", "on")

	// What was under way in two plugs that were killed is parked on MQTT, which has no
	// way to find out what became of it: one kill at a time.
	w.nothingWaits()
	there := w.copyOf("first")
	w.bo.reply(there, "an answer")
	w.bo.react(there, "🎉")
	own := w.bo.say("to be edited at the south")
	amid()
	w.bo.edit(own, "edited at the south")
	w.bo.say("last of the south")

	w.ann.say(theEnd + "the north")
	w.bo.say(theEnd + "the south")
	w.broker.publishJSON("alerts", "end", "Door", theEnd+"the door")
	w.broker.publish("switch", theEnd+"the switch")
}

// settle waits until the last message of each is everywhere.
func (w *world) settle() {
	w.Helper()
	for _, p := range []*person{w.ann, w.sara, w.bo} {
		for _, of := range []string{"the north", "the south", "the door", "the switch"} {
			p.sees(theEnd + of)
		}
	}
}

// of are the messages that somebody reads, of one author, in order.
func (p *person) of(author string) (all []*stands) {
	for _, m := range p.messages() {
		if m.Author == author {
			all = append(all, m)
		}
	}
	return all
}

// reads wants the messages of an author to be these, in order, each once.
func (p *person) reads(author string, want ...string) {
	p.t.Helper()
	if got := texts(p.of(author)); !slices.Equal(got, want) {
		p.t.Errorf("%s reads of %s\n%q, want\n%q", p.name, author, got, want)
	}
}

// check wants everything to be where it belongs, once.
func (w *world) check() {
	w.Helper()
	// From the north to the south.
	plain := []string{"first", "bold, italic and code", edited, "", emoji, "waves", "a picture", long(), theEnd + "the north"}
	if w.folds && len(w.bo.of("Ann [North]")) == len(plain)-1 { // what was deleted in time never came
		plain = slices.Delete(plain, 3, 4)
	}
	w.bo.reads("Ann [North]", plain...)
	w.bo.reads(rightToLeft+" [North]", hebrew)
	by := map[string]*stands{}
	for _, m := range w.bo.messages() {
		by[m.Text] = m
		if m.Bridged == (m.Author == "Bo") {
			w.Errorf("%q of %s: bridged is %v", m.Text, m.Author, m.Bridged)
		}
	}
	if m := by["first"]; m.Reactions["👍"] != 1 || m.Reactions["❤️"] != 0 || m.Reactions["🎉"] != 1 {
		w.Errorf("the reactions at the south are %v", m.Reactions)
	}
	if m := by["bold, italic and code"]; len(m.Segments) != 5 || !m.Segments[0].Bold || !m.Segments[2].Italic || !m.Segments[4].Code {
		w.Errorf("the formatting at the south is %+v", m.Segments)
	}
	if m := by[edited]; !m.Edited && !w.folds {
		w.Errorf("the edited message is %+v", m)
	}
	if m := by[""]; m == nil && !w.folds || m != nil && !m.Deleted {
		w.Errorf("the deleted message is %+v", m)
	}
	if m := by["waves"]; !m.Emote {
		w.Errorf("the emote is %+v", m)
	}
	if m := by["a picture"]; len(m.Files) != 1 || !m.Files[0].Shown || m.Files[0].Type != "image/png" || m.Files[0].Name != "evening.png" || m.Files[0].Alt != alternate {
		w.Errorf("the picture is %+v", m.Files)
	}
	// From the south to the north, and nothing of the north's own.
	w.ann.reads("Bo [South]", "an answer", "edited at the south", "last of the south", theEnd+"the south")
	w.ann.reads("Ann", "first", "**bold**, *italic* and `code`", edited, "", emoji, "waves", "a picture", long(), theEnd+"the north")
	w.ann.reads(rightToLeft, hebrew)
	w.bo.reads("Bo", "an answer", "edited at the south", "last of the south", theEnd+"the south")
	for _, m := range w.ann.messages() {
		switch {
		case m.Text == "an answer" && (m.Reply == nil || w.ann.messages()[0].Row != m.Reply.Row):
			w.Errorf("the answer is to %+v", m.Reply)
		case m.Text == "edited at the south" && !m.Edited && !w.folds:
			w.Error("the edit came as something else")
		case m.Text == "first" && (m.Reactions["👍"] != 1 || m.Reactions["❤️"] != 0 || m.Reactions["🎉"] != 1):
			w.Errorf("the reactions at the north are %v", m.Reactions)
		}
	}
	// From the devices. What has an id comes once, plain text at least once.
	for _, p := range []*person{w.ann, w.bo} {
		p.reads("Door [MQTT]", "the door is open", theEnd+"the door")
		if got := slices.Compact(texts(p.of("switch [MQTT]"))); !slices.Equal(got, []string{"on", theEnd + "the switch"}) {
			w.Errorf("%s reads of the switch %q", p.name, got)
		}
	}
	w.checkStored()
}

// checkStored looks at the networks' own memory.
func (w *world) checkStored() {
	w.Helper()
	for text, want := range map[string]int{"oops": 0, edited: 1, emoji: 1, hebrew: 1, "waves": 1, "a picture": 1, "an answer": 1, long(): 1, "the door is open": 1} {
		for _, name := range []string{"north", "south"} {
			if n := w.stored(name, text); n != want {
				w.Errorf("the database of %s has %.20q %d times, want %d", name, text, n, want)
			}
		}
	}
}

// checkDevice wants the devices to have heard everything, in words where MQTT has no
// sign for it. Once is meant by operation id: what a killed plug may have sent is sent
// again under the same one.
func (w *world) checkDevice(again bool) {
	w.Helper()
	ends := 0
	all := w.device.until(func(all []heard) bool {
		if m := all; len(m) > 0 && strings.HasPrefix(m[len(m)-1].Text, theEnd) {
			ends++
		}
		// Of north and south on both topics, and of each topic on the other.
		return ends >= 6
	})
	type key struct{ topic, operation string }
	seen := map[key]bool{}
	by := map[string][]heard{} // by topic and author
	for _, m := range all {
		k := key{m.Topic, m.Operation}
		if seen[k] {
			if !again {
				w.Errorf("it came again: %q", m)
			}
			continue
		}
		seen[k] = true
		who := "the switch's topic"
		if m.Topic == "commands" {
			who = m.Author
		}
		by[who] = append(by[who], m)
	}
	words := w.unfolded(by["Ann [North]"])
	head := []string{"first", "bold, italic and code", "as it is wrong", "oops", "(edited) " + edited, emoji, "* Ann waves"}
	if w.folds {
		head = []string{"first", "bold, italic and code", edited, emoji, "* Ann waves"}
	}
	if len(words) < len(head)+4 || !slices.Equal(words[:len(head)], head) {
		w.Fatalf("the device heard of Ann\n%q, want it to begin with\n%q", words, head)
	}
	words = words[len(head):]
	if !strings.HasPrefix(words[0], "a picture\n[image evening.png, ") || !strings.HasSuffix(words[0], "B] "+alternate) {
		w.Errorf("the device heard of the picture %q", words[0])
	}
	parts := words[1 : len(words)-1]
	if got := strings.Join(strings.Fields(strings.Join(parts, " ")), " "); len(parts) < 2 || got != strings.TrimSpace(long()) {
		w.Errorf("the device heard the long message in %d parts as %q", len(parts), got)
	}
	south := []string{"> Ann: first\nan answer", "to be edited at the south", "(edited) edited at the south", "last of the south", theEnd + "the south"}
	if w.folds {
		south = slices.Delete(south, 1, 3)
		south = slices.Insert(south, 1, "edited at the south")
	}
	got := w.unfolded(by["Bo [South]"])
	if w.folds && len(got) > 0 { // after a restart the host quotes the name as the south shows it
		got[0] = strings.Replace(got[0], "> Ann [North]: ", "> Ann: ", 1)
	}
	if !slices.Equal(got, south) {
		w.Errorf("the device heard of Bo\n%q, want\n%q", got, south)
	}
	for _, m := range by["Door [MQTT]"] {
		w.Errorf("what a device published came back to it: %q", m)
	}
	for _, m := range by["the switch's topic"] {
		if m.Text == "on" || m.Text == theEnd+"the switch" {
			w.Errorf("what the switch published came back to it: %q", m)
		}
	}
	if n := len(by[rightToLeft+" [North]"]); n != 1 {
		w.Errorf("the device heard Sara %d times", n)
	}
}

// unfolded are the texts of messages; where edits and deletes may be folded in, as if
// they all had been.
func (w *world) unfolded(all []heard) (texts []string) {
	for _, m := range all {
		switch text := m.Text; {
		case w.folds && text == "oops":
		case w.folds && strings.HasPrefix(text, "(edited) "):
			wrong := map[string]string{edited: "as it is wrong", "edited at the south": "to be edited at the south"}
			text = strings.TrimPrefix(text, "(edited) ")
			i := slices.Index(texts, wrong[text])
			if i < 0 {
				w.Errorf("%q was edited, and it was never said", text)
				continue
			}
			texts[i] = text
		default:
			texts = append(texts, text)
		}
	}
	return texts
}

// TestVocabulary has everything done with nothing amiss.
func TestVocabulary(t *testing.T) {
	w := newWorld(t)
	w.ann.types(true)
	w.bo.until("it is shown that Ann writes", func() bool { return slices.Contains(w.bo.typing, "Ann [North]") })
	w.ann.types(false)
	w.bo.until("it is shown that nobody writes", func() bool { return len(w.bo.typing) == 0 })
	w.act(w.nothingWaits)
	w.settle()
	w.check()
	w.checkDevice(false)
	w.nothingWaits()
}

// TestVocabularyKilled has each process killed amid it.
func TestVocabularyKilled(t *testing.T) {
	for _, victim := range []string{"north", "south", "house", "host"} {
		t.Run(victim, func(t *testing.T) {
			w := newWorld(t)
			w.folds = true
			w.act(func() {
				if victim == "host" {
					w.kill()
				} else {
					w.killPlug(victim)
				}
			})
			w.settle()
			w.check()
			w.checkDevice(victim == "house" || victim == "host")
			w.nothingWaits()
		})
	}
}

// nothingWaits wants no operation to be left, waiting or parked.
func (w *world) nothingWaits() {
	w.Helper()
	var out []byte
	eventually(w.T, "nothing waits and nothing is parked", func() bool {
		var err error
		if out, err = exec.Command(filepath.Join(root(w.T), "bin", "plughost"), "status", "--json", "--config", w.config).Output(); err != nil {
			return false
		}
		var status struct {
			Queues []struct{ Waiting, Parked int }
		}
		if json.Unmarshal(out, &status) != nil {
			return false
		}
		for _, q := range status.Queues {
			if q.Waiting+q.Parked > 0 {
				return false
			}
		}
		return true
	})
}
