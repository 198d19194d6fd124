package loop_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config/loop"
)

// parse reads conversations such as "a b; <b >c": members of one conversation are
// apart by spaces, "<" is direction in, ">" is direction out.
func parse(text string) []loop.Conversation {
	var all []loop.Conversation
	for i, one := range strings.Split(text, ";") {
		c := loop.Conversation{Name: fmt.Sprint(i)}
		for _, word := range strings.Fields(one) {
			c.Members = append(c.Members, loop.Member{
				Channel: hook.Channel{Plug: "p", Source: id.ChannelSource(strings.Trim(word, "<>"))},
				Reads:   !strings.HasPrefix(word, ">"),
				Writes:  !strings.HasPrefix(word, "<"),
			})
		}
		all = append(all, c)
	}
	return all
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		conversations string
		circles       []string // the conversations that each goes through
		doubled       []string // "from>to:conversations"
	}{
		{conversations: "a b c"},
		{conversations: "a b; c d"},
		{conversations: "a b; b c"},           // one channel in two
		{conversations: "a b; b c; c d; b e"}, // a tree
		{conversations: "a b; b a", circles: []string{"01"}},
		{conversations: "a b c; d b; e c b", circles: []string{"02"}},
		{conversations: "a b; b c; c a", circles: []string{"012"}},
		{conversations: "a b; b c; c d; d a", circles: []string{"0123"}},
		{conversations: "<a >b; <b >c; <c >a", circles: []string{"012"}}, // one way round
		{conversations: "<a >b; <b >a", circles: []string{"01"}},
		{conversations: "<a >b; <b >c; <a >c"}, // two ways, of which one is longer: each hears it once
		{conversations: "<a >b; >b <c; <a c"},  // many sources, one target
		{conversations: "<a >b; <a >b", doubled: []string{"a>b:01"}},
		{conversations: "<a >b >c; <d >b; <a >c", doubled: []string{"a>c:02"}},
		{conversations: "<a >b; <a b", doubled: []string{"a>b:01"}},
		{conversations: "a b; b a; x y; y x", circles: []string{"01", "23"}},
	} {
		conversations := parse(test.conversations)
		circles, doubled := loop.Find(conversations)
		var gotCircles, gotDoubled []string
		for _, circle := range circles {
			names := ""
			for i, s := range circle {
				names += conversations[s.Conversation].Name
				next := circle[(i+1)%len(circle)]
				from := conversations[s.Conversation].Members[s.By]
				into := conversations[next.Conversation].Members[next.By]
				if !from.Reads || !into.Reads || next.Conversation == s.Conversation {
					t.Errorf("%s: no message goes the way %v", test.conversations, circle)
				}
			}
			gotCircles = append(gotCircles, names)
		}
		for _, d := range doubled {
			name := func(s loop.Step) id.ChannelSource { return conversations[s.Conversation].Members[s.By].Channel.Source }
			if name(d.From[0]) != name(d.From[1]) || name(d.To[0]) != name(d.To[1]) {
				t.Errorf("%s: doubled %v are not the same channels", test.conversations, d)
			}
			gotDoubled = append(gotDoubled, fmt.Sprintf("%s>%s:%d%d", name(d.From[0]), name(d.To[0]), d.From[0].Conversation, d.From[1].Conversation))
		}
		if !reflect.DeepEqual(gotCircles, test.circles) || !reflect.DeepEqual(gotDoubled, test.doubled) {
			t.Errorf("%s: circles %q, doubled %q, want %q and %q", test.conversations, gotCircles, gotDoubled, test.circles, test.doubled)
		}
	}
}
