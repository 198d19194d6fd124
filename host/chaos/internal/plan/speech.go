package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
)

var (
	names     = []string{"Ann", "Bo", "Cy", "Dee", "Eli", "Fay", "Gus", "Hal"}
	words     = strings.Fields("the kettle is on the boil and nobody has seen the spoon since Tuesday although it was in the drawer")
	reactions = []string{"👍", "🎉", "🚀", "👀"}
)

// said is a message of a lane so far.
type said struct {
	token     ledger.Token
	answers   ledger.Token
	author    string
	revision  int
	deleted   bool
	reactions map[string]bool
}

// speech draws what people say and do in one channel.
func (p *Plan) speech(d *rand.Rand, m ledger.Member, length time.Duration, perSecond float64) Lane {
	lane := Lane{Name: m.String()}
	n := p.Network(m.Plug)
	var all []*said
	for at := time.Duration(0); ; {
		at += time.Duration(d.ExpFloat64() / perSecond * float64(time.Second))
		if at >= length {
			return lane
		}
		s := Step{At: at, Member: m}
		var about *said
		if len(all) > 0 {
			about = all[max(0, len(all)-1-d.IntN(5))]
		}
		switch kind := d.IntN(100); {
		case n.Use == "mqtt" || about == nil || about.deleted || kind < 58:
			p.say(d, n, &s, about)
			all = append(all, &said{token: s.Token, author: s.Author, answers: s.Answers, reactions: map[string]bool{}})
		case kind < 76:
			about.revision++
			s.Do, s.Token, s.Revision, s.Author = Edit, about.token, about.revision, about.author
			s.Text = ledger.Mark(s.Token, s.Revision) + " " + sentence(d)
		case kind < 84:
			about.deleted = true
			s.Do, s.Token, s.Author = Delete, about.token, about.author
		case kind < 96 || n.Account == nil:
			s.Do, s.Token, s.Author, s.Reaction = React, about.token, "Ida", reactions[d.IntN(len(reactions))]
			if about.reactions[s.Reaction] {
				s.Do = Unreact
			}
			about.reactions[s.Reaction] = !about.reactions[s.Reaction]
		case kind < 98 && n.Devices:
			s.Do, s.Token, s.Text = FromDevice, p.token(), ""
			s.Text = ledger.Mark(s.Token, 0) + " from another device"
		default:
			s.Do, s.Token, s.Author, s.Answers, s.Text = Again, about.token, about.author, about.answers, ledger.Mark(about.token, 0)+" once more"
		}
		lane.Steps = append(lane.Steps, s)
	}
}

func (p *Plan) say(d *rand.Rand, n *Network, s *Step, about *said) {
	s.Do, s.Token, s.Author = Say, p.token(), names[d.IntN(len(names))]
	s.Text = fmt.Sprintf("%s %s", ledger.Mark(s.Token, 0), sentence(d))
	if about != nil && !about.deleted && n.Use != "mqtt" && d.IntN(4) == 0 {
		s.Answers = about.token
	}
	if n.Files && d.IntN(3) == 0 {
		s.File = 1 + d.IntN(200_000)
	}
}

func (p *Plan) token() ledger.Token {
	p.Last++
	return p.Last - 1
}

func sentence(d *rand.Rand) string {
	var said []string
	for range 2 + d.IntN(8) {
		said = append(said, words[d.IntN(len(words))])
	}
	return strings.Join(said, " ")
}
