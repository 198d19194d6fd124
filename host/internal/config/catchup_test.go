package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host/hook"
)

// Member goes before at, at before conversation, conversation before defaults: each says
// the whole of catch_up.
func TestCatchUp(t *testing.T) {
	c := load(t, `version: 1
plugs: {a: {use: xmpp}, b: {use: xmpp}}
defaults: {catch_up: {then: drop}}
conversations:
  one:
    members: [a/1, {channel: b/1, catch_up: {max_age: 2h, max_messages: 7, then: drop}}]
  two:
    members: [a/2, b/2, {channel: b/3, catch_up: {then: deliver}}]
    catch_up: {max_messages: 9, then: drop}
    at: {b: {catch_up: {max_age: 1d, then: drop}}}
`)
	wantNoProblems(t, c)
	got := map[string]*hook.CatchUp{}
	for _, conversation := range c.Options.Conversations {
		for _, m := range conversation.Members {
			got[m.Channel.String()] = m.CatchUp
		}
	}
	want := map[string]*hook.CatchUp{
		"a/1": {MaxAge: 30 * time.Minute, MaxMessages: 50}, "b/1": {MaxAge: 2 * time.Hour, MaxMessages: 7},
		"a/2": {MaxAge: 30 * time.Minute, MaxMessages: 9}, "b/2": {MaxAge: 24 * time.Hour, MaxMessages: 50}, "b/3": nil,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c = load(t, `version: 1
plugs: {a: {use: xmpp}, b: {use: xmpp}}
conversations: {one: {members: [a/1, b/1]}}
`)
	wantNoProblems(t, c)
	if m := c.Options.Conversations[0].Members[0]; m.CatchUp != nil {
		t.Errorf("without catch_up there is %v", m.CatchUp)
	}
}

func TestWrongCatchUp(t *testing.T) {
	c := load(t, `version: 1
plugs: {a: {use: xmpp}, b: {use: xmpp}}
defaults: {catch_up: {max_age: 30m, max_messages: 50, then: summary}}
conversations:
  one:
    members: [a/1, {channel: b/1, catch_up: 30m}]
    catch_up: {max_age: 10s, max_messages: 0, then: forget}
    at: {a: {catch_up: {max_age: 1h, max_message: 3}}}
`)
	var got []string
	for _, p := range c.Problems {
		p.File = "f"
		got = append(got, p.String())
	}
	const cure = "\n    write then: drop (what is older or further behind is given up) or then: deliver (all is sent)"
	want := []string{
		"f:3:61: this version of plughost makes no summary of what it gives up" + cure,
		"f:6:45: catch_up is a text\n    write it as a mapping, such as {max_age: 30m, max_messages: 50, then: drop}",
		"f:7:25: max_age cannot be 10s\n    the least is 1m, the most is 365d",
		"f:7:44: max_messages cannot be \"0\"\n    write a number from 1 to 10000",
		"f:7:53: there is no then: \"forget\"" + cure,
		"f:8:24: catch_up has no key \"then\"" + cure,
		"f:8:38: unknown key \"max_message\" in catch_up\n    did you mean \"max_messages\"?",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
