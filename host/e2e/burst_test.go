//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestBurstKilled has many messages under way from everywhere while one process after
// another is killed: each arrives everywhere, in order, once.
func TestBurstKilled(t *testing.T) {
	w := newWorld(t)
	const each, all = 40, 5 * 40
	number := func(who string, i int) string { return fmt.Sprintf("%s says %03d", who, i) }
	for round, victim := range []string{"", "north", "south", "house", "host"} {
		if victim == "host" {
			// MQTT can't say whether it took a message, so one whose plug was killed in two
			// attempts running would be parked, as the contract has it.
			w.nothingWaits()
		}
		var last [2]string
		for i := range each {
			n := round*each + i
			last[0], last[1] = w.ann.want(frame{Type: "say", Text: number("Ann", n)}), w.bo.want(frame{Type: "say", Text: number("Bo", n)})
			if i == each/2 && victim == "host" {
				w.kill()
			} else if i == each/2 && victim != "" {
				w.killPlug(victim)
			}
			if i%10 == 0 {
				w.broker.publishJSON("alerts", fmt.Sprint("n", n), "Door", number("Door", n))
			}
		}
		w.ann.until("it is said", func() bool { _, ok := w.ann.answered[last[0]]; return ok })
		w.bo.until("it is said", func() bool { _, ok := w.bo.answered[last[1]]; return ok })
	}
	var ann, bo, door []string
	for i := range all {
		ann, bo = append(ann, number("Ann", i)), append(bo, number("Bo", i))
		if i%10 == 0 {
			door = append(door, number("Door", i))
		}
	}
	for _, c := range []struct {
		p      *person
		author string
		want   []string
	}{
		{w.ann, "Ann", ann}, {w.bo, "Bo", bo}, {w.bo, "Ann [North]", ann}, {w.ann, "Bo [South]", bo}, {w.ann, "Door [MQTT]", door}, {w.bo, "Door [MQTT]", door},
	} {
		c.p.sees(c.want[len(c.want)-1])
		c.p.reads(c.author, c.want...)
	}
	if n := len(w.ann.messages()); n != 2*all+len(door) {
		t.Errorf("at the north there are %d messages", n)
	}
	w.nothingWaits()
	operations := map[string]bool{}
	by := map[string][]string{}
	w.device.until(func(heard []heard) bool {
		m := heard[max(0, len(heard)-1):]
		if len(m) == 0 || m[0].Topic != "commands" || operations[m[0].Operation] {
			return false // on the other topic there are the same; or it was sent again, since it may not have been
		}
		operations[m[0].Operation] = true
		who, _, _ := strings.Cut(m[0].Text, " ")
		by[who] = append(by[who], m[0].Text)
		return len(operations) == 2*all
	})
	if !slices.Equal(by["Ann"], ann) || !slices.Equal(by["Bo"], bo) {
		t.Errorf("the device heard %q", by)
	}
}
