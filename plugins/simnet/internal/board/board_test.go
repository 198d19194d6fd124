package board_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plughost/plughost/plugins/simnet/internal/board"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

func TestOldestIsForgotten(t *testing.T) {
	var b board.Board
	for i := range board.Keep + 2 {
		b.Add("left", fmt.Sprint(i), &board.Message{})
		b.Add("left", fmt.Sprint(i), &board.Message{Text: "again"})
	}
	for id, there := range map[string]bool{"0": false, "1": false, "2": true, fmt.Sprint(board.Keep + 1): true} {
		m := b.Find("left", id)
		if (m != nil) != there {
			t.Errorf("message %s is there: %v", id, !there)
		}
		if m != nil && m.Text != "" {
			t.Errorf("message %s is another", id)
		}
	}
	if b.Find("right", "2") != nil {
		t.Error("a message is in two channels")
	}
}

// Whatever is felt and no more, by single steps or whole sets, a message has what a set
// per person would have, and says so of each change once.
func TestReactionsAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &board.Message{}
		model := map[string]map[string]bool{"a": {}, "b": {}}
		reactions := rapid.SampledFrom([]string{"1", "2", "3"})
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			d := &board.Deed{Who: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "who")}
			set := model[d.Who]
			wanted := map[string]bool{}
			for r := range set {
				wanted[r] = true
			}
			switch d.Kind = rapid.SampledFrom([]script.Kind{script.KindReact, script.KindUnreact, script.KindReactions}).Draw(t, "kind"); d.Kind {
			case script.KindReact:
				d.Reaction = reactions.Draw(t, "reaction")
				wanted[d.Reaction] = true
			case script.KindUnreact:
				d.Reaction = reactions.Draw(t, "reaction")
				delete(wanted, d.Reaction)
			default:
				d.Reactions = rapid.SliceOfN(reactions, 0, 4).Draw(t, "set")
				clear(wanted)
				for _, r := range d.Reactions {
					wanted[r] = true
				}
			}
			differ := 0
			for _, r := range []string{"1", "2", "3"} {
				if set[r] != wanted[r] {
					differ++
				}
			}
			verdict, _ := m.Check(d, board.Rights{})
			if (verdict == script.Already) != (differ == 0) {
				t.Fatalf("step %d: %+v of %v is %q", i, d, set, verdict)
			}
			if changes := m.Do(d, fmt.Sprint(i)); len(changes) != differ {
				t.Fatalf("step %d: %+v of %v changes %v", i, d, set, changes)
			}
			model[d.Who] = wanted
			for who, set := range model {
				by := slices.Sorted(slices.Values(m.By(who)))
				if len(by) != len(set) || slices.ContainsFunc(by, func(r string) bool { return !set[r] }) {
					t.Fatalf("step %d: %s feels %v, want %v", i, who, by, set)
				}
			}
		}
	})
}
