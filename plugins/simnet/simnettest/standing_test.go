package simnettest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// What a channel shows is what the network says that it does.
func TestStanding(t *testing.T) {
	n, err := simnettest.NewLocal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	say := func(author, text, to, thread string) {
		t.Helper()
		if _, err := n.Do(t.Context(), simnettest.Command{Say: &simnettest.Say{Channel: "left", Author: author, Text: text, ReplyTo: to, Thread: thread}}); err != nil {
			t.Fatal(err)
		}
	}
	act := func(kind simnettest.ActKind, id, author, text, reaction string, all ...string) {
		t.Helper()
		a := &simnettest.Act{Channel: "left", Kind: kind, ID: id, Author: author, Text: text, Reaction: reaction, Reactions: all}
		if _, err := n.Do(t.Context(), simnettest.Command{Act: a}); err != nil {
			t.Fatal(err)
		}
	}
	say("Ann", "one", "", "")
	say("Bob", "two\nlines", "left-1", "")
	say("Bob", "three", "", "left-1")
	say("Cid", "four", "left-3", "")
	act(simnettest.KindEdit, "left-1", "Ann", "uno", "")
	act(simnettest.KindReact, "left-1", "Ann", "", "👍")
	act(simnettest.KindReact, "left-1", "Bob", "", "👍")
	act(simnettest.KindUnreact, "left-1", "Ann", "", "👍")
	act(simnettest.KindReactions, "left-1", "Bob", "", "", "🎉", "🚀")
	act(simnettest.KindDelete, "left-3", "Mod", "", "")
	if _, err := n.Say(t.Context(), "right", "Dan", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	ledger, err := n.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Ann: uno (edited) [🎉 Bob] [🚀 Bob]", `Bob: two⏎lines > "uno"`, "Cid: four > ?"}
	if got := simnettest.Lines(simnettest.Standing(ledger, "left")); !slices.Equal(got, want) {
		t.Errorf("it shows\n%s", strings.Join(got, "\n"))
	}
}
