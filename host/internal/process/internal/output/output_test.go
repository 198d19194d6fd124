package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

// logged runs f with an output and gives the lines that it logged.
func logged(t testing.TB, f func(*Output)) []map[string]any {
	t.Helper()
	var buf bytes.Buffer
	f(New(hclog.New(&hclog.LoggerOptions{Output: &buf, JSONFormat: true, Level: hclog.Trace, DisableTime: true})))
	var out []map[string]any
	for text := range bytes.Lines(buf.Bytes()) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out = append(out, line)
	}
	return out
}

func TestLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"json":             {`{"@level":"warn","@message":"m","@module":"a.b","@timestamp":"x","b":true,"id":9007199254740993,"o":{"x":[1]}}`, `{"@level":"warn","@message":"m","module":"a.b","b":true,"id":9007199254740993,"o":"{\"x\":[1]}"}`},
		"host's own keys":  {`{"@level":"info","@message":"m","@@level":"error"}`, `{"@level":"info","@message":"m","level":"error"}`},
		"unknown level":    {`{"@level":"loud","@message":"m"}`, `{"@level":"info","@message":"m"}`},
		"level off":        {`{"@level":"off","@message":"m"}`, `{"@level":"info","@message":"m"}`},
		"no level":         {`{"@message":"m"}`, `{"@level":"info","@message":"{\"@message\":\"m\"}"}`},
		"number as text":   {`{"@level":"info","@message":5}`, `{"@level":"info","@message":"{\"@level\":\"info\",\"@message\":5}"}`},
		"more behind":      {`{"@level":"info","@message":"m"} x`, `{"@level":"info","@message":"{\"@level\":\"info\",\"@message\":\"m\"} x"}`},
		"plain":            {"plain text", `{"@level":"info","@message":"plain text"}`},
		"plain with level": {"[ERROR] it broke", `{"@level":"error","@message":"[ERROR] it broke"}`},
		"carriage return":  {"plain\r", `{"@level":"info","@message":"plain"}`},
		"terminal codes":   {"a\x1b[2Jb\u202ec\xffd\te", `{"@level":"info","@message":"a�[2Jb�c�d\te"}`},
		"forged line":      {`{"@level":"info","@message":"a\n[ERROR] b","stack":"x\ny"}`, `{"@level":"info","@message":"a�[ERROR] b","stack":"x\ny"}`},
		"empty":            {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := logged(t, func(o *Output) { o.Log(Stderr, strings.NewReader(c.in+"\n")) })
			var want []map[string]any
			if c.want != "" {
				d := json.NewDecoder(strings.NewReader(c.want))
				d.UseNumber()
				want = make([]map[string]any, 1)
				if err := d.Decode(&want[0]); err != nil {
					t.Fatal(err)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("\ngot  %v\nwant %v", got, want)
			}
		})
	}
}

func TestPanicIsLoggedAsErrors(t *testing.T) {
	t.Parallel()
	for _, line := range logged(t, func(o *Output) {
		o.Log(Stderr, strings.NewReader("panic: oh no\n\ngoroutine 1 [running]:\nmain.main()\n"))
	}) {
		if line["@level"] != "error" {
			t.Errorf("%v", line)
		}
	}
}

func TestStreamsAreCutIntoLines(t *testing.T) { // D5
	t.Parallel()
	text := "one\n\ntwo\n" + strings.Repeat("x", maxLine+1) + "\n" + strings.Repeat("y", 5*maxLine) + "\nlast"
	got := logged(t, func(o *Output) { o.Log(Stdout, iotest.OneByteReader(strings.NewReader(text))) })
	if len(got) != 5 {
		t.Fatalf("%d lines", len(got))
	}
	for i, want := range []string{"one", "two", strings.Repeat("x", maxLine), strings.Repeat("y", maxLine), "last"} {
		if got[i]["@message"] != want || got[i]["stream"] != "stdout" {
			t.Errorf("line %d: %.40v", i, got[i])
		}
		if _, cut := got[i]["cut_to_bytes"]; cut != (len(want) == maxLine) {
			t.Errorf("line %d: cut: %v", i, cut)
		}
	}
}

func TestFloodIsBoundedAndCounted(t *testing.T) { // D5
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := logged(t, func(o *Output) {
			w := o.Writer(Stderr)
			for range 10_000 {
				io.WriteString(w, "flood\n")
			}
			time.Sleep(time.Second)
			for range 10_000 {
				io.WriteString(w, "flood\n")
			}
			o.End()
			o.End() // says nothing twice
		})
		if want := linesAtOnce + linesPerSecond + 1; len(got) != want {
			t.Fatalf("%d lines logged, want %d", len(got), want)
		}
		if n := got[linesAtOnce]["suppressed_lines"]; fmt.Sprint(n) != "8000" {
			t.Errorf("after the first flood: %v", n)
		}
		if n := got[len(got)-1]["suppressed_lines"]; fmt.Sprint(n) != "9800" {
			t.Errorf("in the end: %v", n)
		}
	})
}

func TestLast(t *testing.T) {
	t.Parallel()
	o := New(hclog.NewNullLogger())
	o.Log(Stdout, strings.NewReader("not this\n"))
	for i := range 100 {
		o.Log(Stderr, strings.NewReader(fmt.Sprintf("line %d\n", i)))
	}
	o.Log(Stderr, strings.NewReader(`{"@level":"error","@message":"no disk","left":0}`+"\n"+strings.Repeat("z", 1000)+"\n\x1b[2J\n"))
	got := o.Last()
	if len(got) != tailLines {
		t.Fatalf("%d lines", len(got))
	}
	for i, want := range map[int]string{0: "line 83", 16: "line 99", 17: "[ERROR] no disk left=0", 18: strings.Repeat("z", tailBytes), 19: "�[2J"} {
		if got[i] != want {
			t.Errorf("line %d is %q, want %q", i, got[i], want)
		}
	}
}

// Whatever a plug writes: no panic, and nothing that drives a terminal.
func FuzzLine(f *testing.F) {
	for _, line := range []string{
		`{"@message": 5}`, `{"@level":"info","@message":"m","a":[{}],"b":null,"c":1e999}`, `{"@level":"info","@message":"m","\u001b":"\u001b"}`,
		"panic: x", "\xff\x00", strings.Repeat("[", 1000), `{"a":`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		o := New(hclog.NewNullLogger())
		e := o.entry(line)
		text := e.message
		for i, field := range e.fields {
			if s, ok := field.(string); ok {
				text += s
			} else if i%2 == 0 {
				t.Errorf("key %v", field)
			}
		}
		if !utf8.ValidString(text) {
			t.Errorf("%q is no UTF-8", text)
		}
		for _, r := range text {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("%q holds %q", text, r)
			}
		}
		if strings.Contains(e.message, "\n") {
			t.Errorf("%q has several lines", e.message)
		}
	})
}
