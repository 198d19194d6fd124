package host_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// words makes a text of n parts where a part has at most 10 bytes: "a1 aaaaaa", "a2 …".
func words(letter string, n int) (text string, parts []string) {
	for i := range n {
		parts = append(parts, letter+string(rune('1'+i))+" "+strings.Repeat(letter, 6))
	}
	return strings.Join(parts, " "), parts
}

// trouble is what befalls the parts of a message or an edit.
var trouble = map[string][]simnettest.Puts{
	"none":               nil,
	"second not sent":    {{Verdict: simnettest.Accept}, {Verdict: simnettest.NotSent}},
	"second lost":        {{Verdict: simnettest.Accept}, {Verdict: simnettest.Uncertain}},
	"second unanswered":  {{Verdict: simnettest.Accept}, {Verdict: simnettest.NoAnswer, Accepted: true}},
	"second and third":   {{Verdict: simnettest.Accept}, {Verdict: simnettest.Uncertain, Accepted: true}, {Verdict: simnettest.RateLimited}},
	"third is uncertain": {{Verdict: simnettest.Accept, Count: 2}, {Verdict: simnettest.Uncertain, Accepted: true}},
	"first is uncertain": {{Verdict: simnettest.Uncertain, Accepted: true}},
}

// Bridging 1, 3, 4: a message of several parts is there once, its parts in order, also
// when only some were sent; an edit to fewer or more parts edits, removes and adds; what
// is done to any part is about the message; a delete deletes all parts.
func TestMessagesOfSeveralParts(t *testing.T) {
	t.Parallel()
	soon := simnettest.Duration(time.Second)
	for when, between := range map[string]string{"message": "message", "shorter": "shorter", "longer": "longer"} {
		t.Run("trouble with the "+when, func(t *testing.T) {
			t.Parallel()
			channels := map[string]simnettest.Channel{}
			for name := range trouble {
				channels[name] = simnettest.Channel{}
			}
			h, talks := bridged(t, host.Options{DataDir: dataDir(t)}, map[string]simnettest.Account{
				"id":         {PutTimeout: soon, TextLength: 10},
				"named":      {PutTimeout: soon, TextLength: 10, References: true, Aliases: true},
				"idempotent": {PutTimeout: soon, TextLength: 10, Echo: simnettest.EchoOwn, Idempotent: simnettest.Duration(time.Hour)},
			}, channels)
			befall := func(now string) {
				for name, x := range talks {
					_, kind, _ := strings.Cut(name, " ")
					for _, p := range trouble[kind] {
						if p.Channel = x.there; now == between {
							do(t, x.net, simnettest.Command{Puts: &p})
						}
					}
				}
			}
			by := func(parts []string, edited string) (lines []string) {
				for _, p := range parts {
					lines = append(lines, "Ann: "+p+edited)
				}
				return lines
			}
			all := func(what string, do func(x *talk), here, there []string) {
				befall(what)
				for _, x := range talks {
					do(x)
				}
				for name, x := range talks {
					x.shows(name+", "+what, here, there)
				}
			}
			three, threeParts := words("a", 3)
			two, twoParts := words("b", 2)
			four, fourParts := words("c", 4)
			all("message", func(x *talk) {
				x.say(simnettest.Say{Channel: x.here, Author: "Ann", Text: three})
			}, []string{"Ann: " + three}, by(threeParts, ""))
			all("shorter", func(x *talk) {
				x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindEdit, ID: x.id(x.here, three), Author: "Ann", Text: two})
			}, []string{"Ann: " + two + " (edited)"}, by(twoParts, " (edited)"))
			all("longer", func(x *talk) {
				x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindEdit, ID: x.id(x.here, two), Author: "Ann", Text: four})
			}, []string{"Ann: " + four + " (edited)"}, append(by(fourParts[:2], " (edited)"), by(fourParts[2:], "")...))
			all("about a part", func(x *talk) {
				x.say(simnettest.Say{Channel: x.there, Author: "Cid", Text: "what", ReplyTo: x.id(x.there, fourParts[2])})
			}, []string{"Ann: " + four + " (edited)", `Cid: what > "` + four + `"`},
				append(append(by(fourParts[:2], " (edited)"), by(fourParts[2:], "")...), `Cid: what > "`+fourParts[2]+`"`))
			all("about it", func(x *talk) {
				x.say(simnettest.Say{Channel: x.here, Author: "Bob", Text: "that", ReplyTo: x.id(x.here, four)})
			}, []string{"Ann: " + four + " (edited)", `Cid: what > "` + four + `"`, `Bob: that > "` + four + `"`},
				append(append(by(fourParts[:2], " (edited)"), by(fourParts[2:], "")...), `Cid: what > "`+fourParts[2]+`"`, `Bob: that > "`+fourParts[0]+`"`))
			all("gone", func(x *talk) {
				x.act(simnettest.Act{Channel: x.here, Kind: simnettest.KindDelete, ID: x.id(x.here, four), Author: "Ann"})
			}, []string{`Cid: what > ?`, `Bob: that > ?`}, []string{`Cid: what > ?`, `Bob: that > ?`})
			for _, x := range talks {
				x.last([]string{`Cid: what > ?`, `Bob: that > ?`}, []string{`Cid: what > ?`, `Bob: that > ?`})
			}
			h.stop()
			nothingWaits(t, h.dataDir)
		})
	}
}

// Bridging 4: of a message of several parts one was removed by somebody there: an edit
// finds that out half-way and is posted anew; a delete removes all that is left.
func TestPartIsGone(t *testing.T) {
	t.Parallel()
	h, x, o := pairOf(t, host.Options{}, simnettest.Account{}, simnettest.Account{TextLength: 10})
	three, parts := words("a", 3)
	x.say(simnettest.Say{Channel: "here", Author: "Ann", Text: three})
	x.shows("a message", []string{"Ann: " + three}, []string{"Ann: " + parts[0], "Ann: " + parts[1], "Ann: " + parts[2]})
	x.act(simnettest.Act{Channel: "there", Kind: simnettest.KindDelete, ID: x.id("there", parts[1]), Author: "Mod", Moderation: true})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindEdit, ID: x.id("here", three), Author: "Ann", Text: "b1 bbbbbb b2 bbbbbb b3"})
	x.shows("an edit", []string{"Ann: b1 bbbbbb b2 bbbbbb b3 (edited)"},
		[]string{"Ann: b1 bbbbbb (edited)", "Ann: " + parts[2], "Ann: (edited)", "Ann: b1 bbbbbb", "Ann: b2 bbbbbb", "Ann: b3"})
	x.act(simnettest.Act{Channel: "here", Kind: simnettest.KindDelete, ID: x.id("here", "b1 bbbbbb b2 bbbbbb b3"), Author: "Ann"})
	x.last(nil, nil)
	h.stop()
	nothingWaits(t, o.DataDir)
}
