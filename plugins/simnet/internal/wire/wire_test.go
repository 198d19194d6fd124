package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/wire"
)

// frames has one of each kind, every field set.
func frames() []wire.Frame {
	at := time.Unix(0, 1_700_000_000_123_456_789)
	return []wire.Frame{
		&wire.Call{ID: 1, Body: "{}"},
		&wire.Reply{ID: 1 << 63, Error: "no", Body: "{}"},
		&wire.Send{ID: 2, Channel: "left", OperationID: "op", Author: "Ann", Text: "hé\x00llo", Upload: "u",
			What: &wire.What{Kind: "edit", Target: "m", Reactions: []string{"👍"}, Title: new(string)}},
		&wire.Upload{ID: 3, Channel: "left", Text: "picture"},
		&wire.Fetch{ID: 4, Position: 300},
		&wire.Answer{
			ID: 5, Verdict: "uncertain", WholePlug: true, RetryAfter: time.Second, Reason: "so",
			MessageID: "m", Time: at, Content: "c", What: &wire.What{Aliases: []string{"a"}, Revision: "2"},
		},
		&wire.Event{
			Position: 6, Channel: "left", EventID: "e", MessageID: "m", Time: at, AuthorID: "a", Author: "Ann",
			Own: "yes", OperationID: "op", Text: "hello", Fetch: true,
			What: &wire.What{ReplyTo: "m", Rich: json.RawMessage(`{"emote":true}`), State: "denied"},
		},
		&wire.Mark{Position: 7, Channel: "left", CaughtUp: true},
		&wire.Credit{Count: 8},
		&wire.Ping{},
		&wire.Order{ID: 9, Body: "{}"},
		&wire.Answer{}, // a zero time stays one
	}
}

func TestFramesComeBackAsTheyWere(t *testing.T) {
	var stream []byte
	for _, f := range frames() {
		// A field that is forgotten by one side only shows if it is set.
		v := reflect.ValueOf(f).Elem()
		for i := range v.NumField() {
			if v.Field(i).IsZero() && !reflect.DeepEqual(f, &wire.Answer{}) {
				t.Errorf("%T.%s is not set by this test", f, v.Type().Field(i).Name)
			}
		}
		var err error
		if stream, err = wire.Append(stream, f); err != nil {
			t.Fatal(err)
		}
	}
	r := wire.NewReader(bytes.NewReader(stream))
	for _, f := range frames() {
		got, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, f) {
			t.Errorf("got %+v, want %+v", got, f)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Fatalf("at the end: %v", err)
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	if b, err := wire.Append([]byte("x"), &wire.Send{Text: strings.Repeat("a", wire.MaxFrame)}); err == nil || string(b) != "x" {
		t.Errorf("a frame that is too long: %d bytes, %v", len(b), err)
	}
	for name, stream := range map[string]string{
		"empty":         "\x00\x00\x00\x00",
		"too long":      "\xff\xff\xff\xff",
		"unknown kind":  "\x00\x00\x00\x01\xff",
		"cut short":     "\x00\x00\x00\x05\x09",
		"no number":     "\x00\x00\x00\x01\x09",
		"number open":   "\x00\x00\x00\x02\x09\x80",
		"number big":    "\x00\x00\x00\x0b\x09\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"string short":  "\x00\x00\x00\x03\x01\x01\x05",
		"bytes behind":  "\x00\x00\x00\x03\x09\x01\x01",
		"cut in length": "\x00\x00",
		"no JSON":       "\x00\x00\x00\x09\x03\x01\x00\x00\x00\x00\x00\x01{",
	} {
		if f, err := wire.NewReader(strings.NewReader(stream)).Read(); err == nil || err == io.EOF {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, frame := range frames() {
		b, err := wire.Append(nil, frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := wire.NewReader(bytes.NewReader(data))
		for {
			frame, err := r.Read()
			if err != nil {
				return
			}
			// What was read can be written and reads the same again.
			b, err := wire.Append(nil, frame)
			if err != nil {
				t.Fatal(err)
			}
			again, err := wire.NewReader(bytes.NewReader(b)).Read()
			if err != nil {
				t.Fatal(err)
			}
			// By its bytes: an empty list in the JSON of a What comes back as none.
			if c, err := wire.Append(nil, again); err != nil || !bytes.Equal(b, c) {
				t.Fatalf("%+v came back as %+v", frame, again)
			}
		}
	})
}
