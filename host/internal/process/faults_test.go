package process

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// One test per fault of go-plugin that this package closes.

func TestFault01NonStringLogMessage(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "good")
	o.Logger = l.logger()
	p := startPlug(t, o)
	for _, line := range []string{
		`{"@message": 5}`,
		`{"@message": "x", "@level": []}`,
		`{"@message": "x", "@level": "info", "@timestamp": 7}`,
		`{"@message": {}, "@level": "info", "@timestamp": null}`,
		`{"@message": "cut`,
		`{"@message": "x"} {"@message": "y"}`,
		`[1, "x"]`, `null`, "\x00\xff\xfe", strings.Repeat("[", 20_000), strings.Repeat(`{"a":`, 20_000),
	} {
		do(t, p, "quoted "+strconv.Quote(line))
	}
	do(t, p, `stderr {"@level":"warn","@message":"at last","@timestamp":"2026-01-02T15:04:05.000000Z","n":1}`)
	eventually(t, "the last line in the log", func() bool { return l.find(t, "at last") != nil })
	if line := l.find(t, "at last"); line["@level"] != "warn" || line["@module"] != "test" {
		t.Errorf("a good line was logged as %v", line)
	}
	if l.find(t, `{"@message": 5}`) == nil {
		t.Error("a bad line was not logged as it is")
	}
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestFault03StoppedPlug(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stop", func() bool { return state(p.Pid()) == "T" })
	for name, call := range map[string]func(context.Context) error{"Check": p.Check, "Shutdown": p.Shutdown} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := call(ctx); err == nil {
			t.Errorf("%s of a stopped plug succeeded", name)
		}
		cancel()
	}
	closed := make(chan struct{})
	go func() {
		closePlug(t, p)
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close blocks on a stopped plug")
	}
	if running(p.Pid()) {
		t.Error("a stopped plug outlives Close")
	}
}

func TestFault05GrandchildHoldsPipes(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	grandchild := doInt(t, p, "spawn escaped")
	defer syscall.Kill(grandchild, syscall.SIGKILL)
	crash(t, p, "exit 3")
	waitDone(t, p)
	var exit *ExitError
	if err := p.Err(); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("got %v", err)
	}
	closePlug(t, p) // waits for all readers
	if !running(grandchild) {
		t.Error("the grandchild is gone: this test shows nothing")
	}
}

// crash has the plug do something that ends it.
func crash(t *testing.T, p *Process, what string) {
	t.Helper()
	err := p.Conn().Invoke(deadline(t), "/test.Plug/Do", wrapperspb.String(what), new(wrapperspb.StringValue))
	if code := status.Code(err); code != codes.Unavailable {
		t.Errorf("a call cut by the plug's death: got %v, want %v", err, codes.Unavailable)
	}
}

func TestFault06LongStdoutLine(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	do(t, p, "long 3000000") // returns when all of it is written
	do(t, p, "flood stdout 50000")
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestFault07WholeTreeIsKilled(t *testing.T) { // I3
	t.Parallel()
	kinds := []string{"plain", "no env", "session", "daemon", "forgotten"}
	for how, end := range map[string]func(*testing.T, *Process){
		"by Close":      func(t *testing.T, p *Process) { closePlug(t, p) },
		"after a crash": func(t *testing.T, p *Process) { crash(t, p, "exit 1") },
		"after SIGKILL": func(t *testing.T, p *Process) { syscall.Kill(p.Pid(), syscall.SIGKILL) },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := startPlug(t, options(t, "good"))
			var pids []int
			for _, kind := range kinds {
				if kind == "forgotten" && how != "by Close" {
					continue // its parents die with the plug, so that nothing leads to it
				}
				pids = append(pids, doInt(t, p, "spawn "+kind))
			}
			end(t, p)
			waitDone(t, p)
			_ = p.Err() // waits for the clearing up
			for i, pid := range pids {
				if running(pid) {
					t.Errorf("%s grandchild outlives its plug", kinds[i])
				}
			}
		})
	}
}

func TestFault11MessageSize(t *testing.T) {
	t.Parallel()
	p := startPlug(t, options(t, "good"))
	const limit, envelope = 16 << 20, 64
	receive := func(n int64) error {
		return p.Conn().Invoke(deadline(t), "/test.Plug/Make", wrapperspb.Int64(n), new(wrapperspb.BytesValue))
	}
	send := func(n int64) error {
		return p.Conn().Invoke(deadline(t), "/test.Plug/Size", wrapperspb.Bytes(make([]byte, n)), new(wrapperspb.Int64Value))
	}
	for name, call := range map[string]func(int64) error{"receive": receive, "send": send} {
		if err := call(limit - envelope); err != nil {
			t.Errorf("%s within the limit: %v", name, err)
		}
		if err := call(limit); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s beyond the limit: got %v", name, err)
		}
	}
	if err := p.Check(deadline(t)); err != nil {
		t.Errorf("after refused messages: %v", err)
	}
}

func TestFault13ForkedChildKeepsConnection(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "raw")
	o.Logger = l.logger()
	p := startPlug(t, o)
	grandchild := doInt(t, p, "spawn escaped")
	defer syscall.Kill(grandchild, syscall.SIGKILL)
	hung := make(chan error, 1)
	ctx := deadline(t)
	go func() {
		hung <- p.Conn().Invoke(ctx, "/test.Plug/Hang", new(emptypb.Empty), new(emptypb.Empty))
	}()
	eventually(t, "the call in the plug", func() bool { return l.find(t, "hanging") != nil })
	crash(t, p, "exit 3")
	waitDone(t, p)
	if code := status.Code(<-hung); code != codes.Unavailable {
		t.Errorf("a running call ended with %v, want %v", code, codes.Unavailable)
	}
	if err := p.Check(ctx); status.Code(errors.Unwrap(err)) != codes.Unavailable {
		t.Errorf("a later call: %v", err)
	}
	if !running(grandchild) {
		t.Error("the grandchild is gone: this test shows nothing")
	}
}

// A plug without go-plugin's server is served too, and its broker is left alone:
// by it a plug could fill the host's memory.
func TestBrokerIsNeverOpened(t *testing.T) {
	t.Parallel()
	var l logs
	o := options(t, "raw")
	o.Logger = l.logger()
	p := startPlug(t, o)
	eventually(t, "a call of the stdio service", func() bool {
		return l.find(t, "called: /plugin.GRPCStdio/StreamStdio") != nil
	})
	if err := p.Check(deadline(t)); err != nil {
		t.Error(err)
	}
	for _, line := range l.lines(t) {
		if strings.Contains(fmt.Sprint(line["@message"]), "Broker") {
			t.Errorf("%v", line)
		}
	}
	if err := p.Shutdown(deadline(t)); status.Code(errors.Unwrap(err)) != codes.Unimplemented {
		t.Errorf("Shutdown of a plug that has none: %v", err)
	}
}
