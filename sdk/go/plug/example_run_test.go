package plug

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// The example is a whole program once its package and its function are called main:
// pasted, built and run it does what it says, and goes on where it was after its
// process was killed.
func TestExampleRuns(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(source), "\n"); lines >= 60 {
		t.Errorf("the example has %d lines, under 60 are promised", lines)
	}
	dir := t.TempDir()
	program := strings.NewReplacer("package plug_test", "package main", "func Example()", "func main()").Replace(string(source))
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "file")
	if out, err := exec.Command("go", "build", "-o", binary, filepath.Join(dir, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	config, err := json.Marshal(map[string]string{"in": in, "out": out})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	write(t, in, "before the first start\n")
	start := func(cursors ...*plugv1.Cursor) (*hostStream, plugv1.PlugClient, *exec.Cmd) {
		cmd := exec.Command(binary)
		plug, _ := launch(t, cmd, &syncBuffer{})
		resp, err := plug.Start(ctx, &plugv1.StartRequest{ConfigJson: string(config)})
		if err != nil || resp.GetFailure() != nil || resp.GetNetworkId() != "file:"+in {
			t.Fatalf("start: %v, %v", resp, err)
		}
		h := &host{t: t, client: plug}
		return h.open(cursors...), plug, cmd
	}
	stream, plug, cmd := start()
	// "Now" is a cursor before the first message.
	stream.until(func(a *plugv1.StreamMessagesResponse) bool { return len(a.GetCursors()) == 1 })
	resp, err := plug.Put(ctx, putRequest(withText("hello\nworld")))
	if err != nil || !slices.Equal(receiptIDs(resp), []string{"0123456789abcdefghij-1", "0123456789abcdefghij-2"}) {
		t.Fatalf("put: %v, %v", resp, err)
	}
	if written, err := os.ReadFile(out); err != nil || string(written) != "bob: hello\nbob: world\n" {
		t.Errorf("the file holds %q, %v", written, err)
	}
	write(t, in, "one\ntw")
	hasEvents := func(a *plugv1.StreamMessagesResponse) bool { return len(a.GetEvents()) > 0 }
	answer := stream.until(hasEvents)
	write(t, in, "o\n")
	texts := textsOf(answer, stream.until(hasEvents))
	if !slices.Equal(texts, []string{"one", "two"}) {
		t.Errorf("got %q", texts)
	}
	if source := answer.GetEvents()[0].GetChannel(); source != "lines" {
		t.Errorf("the source is %q", source)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	write(t, in, "three\n")
	stream, plug, _ = start(answer.GetCursors()...) // all that the host has stored is "one"
	for texts = nil; len(texts) < 2; {
		texts = append(texts, textsOf(stream.recv())...)
	}
	if !slices.Equal(texts, []string{"two", "three"}) {
		t.Errorf("after the restart: %q", texts)
	}
	stream.ack(100) // everything
	if _, err := plug.Stop(ctx, &plugv1.StopRequest{}); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func textsOf(answers ...*plugv1.StreamMessagesResponse) []string {
	var texts []string
	for _, answer := range answers {
		for _, e := range answer.GetEvents() {
			texts = append(texts, PlainText(e.GetMessage().GetText()))
		}
	}
	return texts
}
