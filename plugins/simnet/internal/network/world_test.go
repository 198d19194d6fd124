package network_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plughost/plughost/plugins/simnet/internal/director"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/network"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// world is a network in a synctest bubble.
type world struct {
	t     *testing.T
	n     *network.Network
	lines *ledger.Writer
	file  *bytes.Buffer
}

// inBubble runs a test on a network in a bubble, where time passes only when
// nothing else happens.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		file := &bytes.Buffer{}
		lines := ledger.NewWriter(file)
		w := &world{t: t, n: network.New(lines), lines: lines, file: file}
		defer w.n.Close()
		test(t, w)
	})
}

func (w *world) do(commands ...script.Command) (r script.Result) {
	w.t.Helper()
	for _, c := range commands {
		var err error
		if r, err = director.Do(w.t.Context(), w.n, c); err != nil {
			w.t.Fatal(err)
		}
	}
	return r
}

func (w *world) say(channel, author, text string) {
	w.t.Helper()
	w.do(script.Command{Say: &script.Say{Channel: channel, Author: author, Text: text}})
}

// ledger gives the lines of some kinds, each as "kind channel id text".
func (w *world) ledger(kinds ...ledger.Kind) (lines []string) {
	w.t.Helper()
	if err := w.lines.Flush(); err != nil {
		w.t.Fatal(err)
	}
	entries, err := ledger.Read(bytes.NewReader(w.file.Bytes()))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if slices.Contains(kinds, e.Kind) {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", e.Kind, e.Channel, e.ID, e.Text, e.Detail)))
		}
	}
	return lines
}

// plug is a session as a plug has it.
type plug struct {
	w     *world
	s     *network.Session
	login wire.LoginReply
	last  uint64
	ended error
}

// connect logs in, without subscribing.
func (w *world) connect(account string, channels ...string) *plug {
	w.t.Helper()
	p := &plug{w: w}
	p.s = w.n.Connect(func(err error) { p.ended = err })
	var err error
	if p.login, err = p.s.Login(&wire.Login{Account: account, Channels: channels}); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// plug logs in and subscribes with a cursor for each channel, or from now on.
func (w *world) plug(account string, cursors map[string]string, channels ...string) (*plug, wire.SubscribeReply) {
	w.t.Helper()
	p := w.connect(account, channels...)
	reply, err := p.s.Subscribe(&wire.Subscribe{Cursors: cursors})
	if err != nil {
		w.t.Fatal(err)
	}
	p.credit(1000)
	return p, reply
}

// fresh is a plug that has nothing to resume and has seen so.
func (w *world) fresh(account string, channels ...string) *plug {
	w.t.Helper()
	p, _ := w.plug(account, nil, channels...)
	p.frames()
	return p
}

func (p *plug) credit(count uint64) {
	p.w.t.Helper()
	p.handle(&wire.Credit{Count: count})
}

func (p *plug) handle(f wire.Frame) {
	p.w.t.Helper()
	if err := p.s.Handle(f); err != nil {
		p.w.t.Fatal(err)
	}
}

// send sends a text with an operation id.
func (p *plug) send(channel, text, operation string) {
	p.w.t.Helper()
	p.last++
	p.handle(&wire.Send{ID: p.last, Channel: channel, Text: text, OperationID: operation})
}

// cursor is the cursor at a position.
func (p *plug) cursor(position int) string { return fmt.Sprintf("%s.%d", p.login.Epoch, position) }

// frames takes all that is there, a line for each frame.
func (p *plug) frames() (lines []string) {
	var all []wire.Frame
	for {
		taken := p.s.Take(nil)
		if len(taken) == 0 {
			break
		}
		all = append(all, taken...)
	}
	for _, f := range all {
		lines = append(lines, line(f))
	}
	return lines
}

func line(f wire.Frame) string {
	switch f := f.(type) {
	case *wire.Answer:
		words := []string{fmt.Sprintf("answer %d", f.ID), f.MessageID, f.Verdict, f.Content}
		if f.RetryAfter > 0 {
			words = append(words, f.RetryAfter.String())
		}
		if f.WholePlug {
			words = append(words, "whole plug")
		}
		return join(words)
	case *wire.Event:
		words := []string{fmt.Sprintf("event %d", f.Position), f.MessageID, "by " + f.Author, "own:" + f.Own, f.OperationID, f.Text}
		if f.EventID != f.MessageID {
			words = append(words, "as "+f.EventID)
		}
		return join(words)
	case *wire.Mark:
		kind := "cursor"
		if f.CaughtUp {
			kind = "caught up"
		}
		return join([]string{kind, fmt.Sprint(f.Position), f.Channel})
	default:
		return strings.ToLower(reflect.TypeOf(f).Elem().Name())
	}
}

func join(words []string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

func (p *plug) want(lines ...string) {
	p.w.t.Helper()
	want(p.w.t, p.frames(), lines...)
}

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if !slices.Equal(got, lines) {
		t.Fatalf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(lines, "\n\t"))
	}
}
