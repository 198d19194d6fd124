package simnettest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// ledger reads lines such as "left said hi", "right took hi", "left phone hi" (the
// account spoke from another device), "left repeated hi".
func ledger(lines ...string) (entries []simnettest.Entry) {
	for i, l := range lines {
		words := strings.SplitN(l, " ", 3)
		e := simnettest.Entry{N: uint64(i) + 1, Channel: words[0], Text: words[2]}
		switch words[1] {
		case "said":
			e.Kind, e.Author = simnettest.Emitted, "Bob"
		case "phone":
			e.Kind, e.Account = simnettest.Emitted, "alice"
		case "took":
			e.Kind, e.Account = simnettest.Accepted, "alice"
		case "repeated":
			e.Kind, e.Account = simnettest.Repeated, "alice"
		case "rejected":
			e.Kind, e.Account = simnettest.Rejected, "alice"
		}
		entries = append(entries, e)
	}
	return entries
}

func texts(list []simnettest.Finding) (texts []string) {
	for _, f := range list {
		texts = append(texts, f.From+">"+f.To+" "+f.Entry.Text)
	}
	return texts
}

// O6, D1 to D3 as a ledger shows them: each kind of fault is found, and only it.
func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		lines                                    []string
		delivered                                int
		missing, doubled, late, back, unexpected []string
	}{
		"all is well, both ways": {
			lines:     []string{"left said a", "right said x", "left took x", "right took a", "left said b", "right took b"},
			delivered: 3,
		},
		"nothing at all": {},
		"what was refused or repeated is no arrival": {
			lines:     []string{"left said a", "right rejected a", "right took a", "right repeated a"},
			delivered: 1,
		},
		"a loss": {
			lines:     []string{"left said a", "left said b", "left said c", "right took a", "right took c"},
			delivered: 2, missing: []string{"left>right b"},
		},
		"a double": {
			lines:     []string{"left said a", "left said b", "right took a", "right took b", "right took a"},
			delivered: 2, doubled: []string{"left>right a"},
		},
		"out of order": {
			lines:     []string{"left said a", "left said b", "left said c", "right took b", "right took c", "right took a"},
			delivered: 3, late: []string{"left>right a"},
		},
		"the order between channels is free": {
			lines:     []string{"left said a", "third said b", "right took b", "right took a", "left took b", "third took a"},
			delivered: 4,
		},
		"an echo bridged back": {
			lines:     []string{"left said a", "right took a", "left took a"},
			delivered: 1, back: []string{"left>left a"},
		},
		"an echo bridged on": {
			lines:     []string{"left said a", "right took a", "third took a", "third took a"},
			delivered: 2, doubled: []string{"left>third a"},
		},
		"the same text twice": {
			lines:     []string{"left said a", "left said a", "right took a", "right took a"},
			delivered: 2,
		},
		"the same text twice, one lost": {
			lines:     []string{"left said a", "left said a", "right took a"},
			delivered: 1, missing: []string{"left>right a"},
		},
		"the same text from two channels": {
			lines:     []string{"left said a", "right said a", "right took a", "left took a", "third took a", "third took a"},
			delivered: 4,
		},
		"another device is not bridged": {
			lines: []string{"left phone a"},
		},
		"another device was bridged": {
			lines:      []string{"left phone a", "right took a"},
			unexpected: []string{">right a"},
		},
		"from nowhere": {
			lines:      []string{"right took a"},
			unexpected: []string{">right a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			entries := ledger(c.lines...)
			members := []simnettest.Member{{Ledger: entries, Channel: "left"}, {Ledger: entries, Channel: "right"}}
			if strings.Contains(strings.Join(c.lines, "\n"), "third") {
				members = append(members, simnettest.Member{Ledger: entries, Channel: "third"})
			}
			r := simnettest.Compare(members...)
			if r.Delivered != c.delivered {
				t.Errorf("delivered %d, want %d", r.Delivered, c.delivered)
			}
			faults := 0
			for _, f := range []struct {
				what string
				got  []simnettest.Finding
				want []string
			}{
				{"missing", r.Missing, c.missing}, {"doubled", r.Doubled, c.doubled}, {"reordered", r.Reordered, c.late},
				{"bridged back", r.BridgedBack, c.back}, {"unexpected", r.Unexpected, c.unexpected},
			} {
				faults += len(f.want)
				if !slices.Equal(texts(f.got), f.want) {
					t.Errorf("%s: %q, want %q", f.what, texts(f.got), f.want)
				}
			}
			if err := r.Err(); (err != nil) != (faults > 0) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestCompareWithAuthorsInTheTexts(t *testing.T) {
	left := ledger("left said a", "left said b")
	right := ledger("right took Bob: a", "right took Bob: b", "right took Bob: a")
	r := simnettest.Compare(
		simnettest.Member{Ledger: left, Channel: "left"},
		simnettest.Member{Name: "elsewhere", Ledger: right, Channel: "right", Text: func(e simnettest.Entry) string {
			return strings.TrimPrefix(e.Text, "Bob: ")
		}})
	err := r.Err()
	if r.Delivered != 2 || err == nil || !strings.Contains(err.Error(), `1 messages are doubled: "Bob: a" (left to elsewhere, line 3)`) {
		t.Fatalf("%+v: %v", r, err)
	}
}
