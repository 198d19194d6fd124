//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// browser is a Chromium driven by playwright-core.
type browser struct {
	t      *testing.T
	stdin  io.WriteCloser
	stdout *bufio.Scanner
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	cmd := exec.Command("node", "browser.mjs")
	cmd.Env = append(os.Environ(), "CHROMIUM=/usr/bin/chromium", "PLAYWRIGHT_FROM="+filepath.Join(root(t), ".tools"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node: %v; run make deps", err)
	}
	b := &browser{t: t, stdin: stdin, stdout: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		stdin.Close()
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	})
	return b
}

// do gives the browser a command and returns what it answers.
func (b *browser) do(name, page string, args map[string]any) any {
	b.t.Helper()
	command := map[string]any{"do": name, "page": page}
	for k, v := range args {
		command[k] = v
	}
	line, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.stdin.Write(append(line, '\n')); err != nil {
		b.t.Fatalf("the browser is gone: %v", err)
	}
	if !b.stdout.Scan() {
		b.t.Fatalf("the browser said nothing to %s", line)
	}
	var answer struct {
		Value any
		Error string
	}
	if err := json.Unmarshal(b.stdout.Bytes(), &answer); err != nil {
		b.t.Fatalf("the browser said %q", b.stdout.Text())
	}
	if answer.Error != "" {
		b.t.Fatalf("%s: %s", line, answer.Error)
	}
	return answer.Value
}

func (b *browser) open(page, url string, width, height int, scheme string) {
	b.t.Helper()
	b.do("open", page, map[string]any{"url": url, "width": width, "height": height, "scheme": scheme})
	b.connected(page)
}

func (b *browser) connected(page string) {
	b.t.Helper()
	b.do("wait", page, map[string]any{"selector": `#state[data-state="open"]`})
}

// say types a message as a person does.
func (b *browser) say(page, name, text string) {
	b.t.Helper()
	b.do("fill", page, map[string]any{"selector": "#name", "text": name})
	b.do("fill", page, map[string]any{"selector": "#text", "text": text})
	b.do("press", page, map[string]any{"selector": "#text", "key": "Enter"})
}

// sees waits until a page shows a text, and wants it there just once.
func (b *browser) sees(page, text string) {
	b.t.Helper()
	n := b.do("count", page, map[string]any{"selector": ".message[data-message-id] .bubble", "text": text, "atLeast": 1})
	if n != float64(1) {
		b.t.Errorf("page %s shows %q %v times, want once", page, text, n)
	}
}

func (b *browser) screenshot(page, path string) {
	b.t.Helper()
	b.do("screenshot", page, map[string]any{"path": path})
}

// noErrors wants the page to have run without an error.
func (b *browser) noErrors(page string) {
	b.t.Helper()
	if errs := b.do("errors", page, nil); fmt.Sprint(errs) != "[]" {
		b.t.Errorf("page %s had errors: %v", page, errs)
	}
}

// plughost is the shipped host on two webchats, north and south, and on what a test
// adds.
type plughost struct {
	t       *testing.T
	dir     string
	config  string
	cmd     *exec.Cmd
	ended   chan struct{}
	address map[string]string // of each webchat
	plugs   int
}

// plugConfig is a plug that a test adds to the webchats.
type plugConfig struct {
	name, config string   // the config as YAML
	members      []string // as they stand in the conversation
	source       string   // its Go package, if it has to be built
}

// startPlughost starts it; extra is more of each webchat's config, such as
// "password: x".
func startPlughost(t *testing.T, extra ...string) *plughost {
	t.Helper()
	return startPlughostWith(t, nil, extra...)
}

func startPlughostWith(t *testing.T, more []plugConfig, extra ...string) *plughost {
	t.Helper()
	h := &plughost{t: t, dir: t.TempDir(), address: map[string]string{}, plugs: 2 + len(more)}
	dir := filepath.Join(root(t), "bin", "plugs")
	var plugs strings.Builder
	for name, label := range map[string]string{"north": "North", "south": "South"} {
		h.address[name] = freeAddress(t)
		fmt.Fprintf(&plugs, "  %s: {use: webchat, label: %s, config: {%s}}\n", name, label,
			strings.Join(append([]string{fmt.Sprintf("listen: %q, title: %s chat", h.address[name], label)}, extra...), ", "))
	}
	members := []string{"north/lobby", "south/lobby"}
	for _, p := range more {
		if p.source != "" {
			dir = withPlug(t, h.dir, p.source)
		}
		fmt.Fprintf(&plugs, "  %s: %s\n", p.name, p.config)
		members = append(members, p.members...)
	}
	config := fmt.Sprintf("version: 1\ndata_dir: %s\nplugs_dir: %s\nsettle_timeout: 2s\nplugs:\n%sconversations:\n  lobby:\n    members: [%s]\n",
		filepath.Join(h.dir, "data"), dir, plugs.String(), strings.Join(members, ", "))
	h.config = filepath.Join(h.dir, "plughost.yaml")
	if err := os.WriteFile(h.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.end)
	h.start()
	return h
}

// withPlug makes a directory of the webchat and of a plug that is built into it.
func withPlug(t *testing.T, in, source string) string {
	t.Helper()
	dir := filepath.Join(in, "plugs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root(t), "bin", "plugs", "webchat"), filepath.Join(dir, "webchat")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", dir+"/", source).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", source, err, out)
	}
	return dir
}

// end stops the host, and tells its last words if the test has failed.
func (h *plughost) end() {
	if h.ended == nil {
		return
	}
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.ended:
	case <-time.After(30 * time.Second):
		h.t.Error("the host does not stop")
		_ = h.cmd.Process.Kill()
		<-h.ended
	}
	if h.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(h.dir, "host.log"))
		h.t.Logf("the host's log:\n%s", log[max(0, len(log)-6000):])
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (h *plughost) start() {
	h.t.Helper()
	log, err := os.OpenFile(filepath.Join(h.dir, "host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	h.cmd = exec.Command(filepath.Join(root(h.t), "bin", "plughost"), "run", "--config", h.config)
	h.cmd.Stdout, h.cmd.Stderr = log, log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatalf("start the host: %v; run make build", err)
	}
	h.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(h.cmd, h.ended)
	h.ready()
}

// plugStatus is a line of plughost status --json.
type plugStatus struct {
	Plug, State string
	Pid         int
}

// ready waits until all plugs are.
func (h *plughost) ready() map[string]plugStatus {
	h.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last string
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-tick.C {
		out, err := exec.Command(filepath.Join(root(h.t), "bin", "plughost"), "status", "--json", "--config", h.config).CombinedOutput()
		last = fmt.Sprintf("%s (%v)", out, err)
		var all struct{ Plugs []plugStatus }
		if json.Unmarshal(out, &all) != nil {
			continue
		}
		ready := map[string]plugStatus{}
		for _, p := range all.Plugs {
			if p.State == "ready" && p.Pid != 0 {
				ready[p.Plug] = p
			}
		}
		if len(ready) == h.plugs {
			return ready
		}
	}
	h.t.Fatalf("the plugs did not become ready; the last status was %s", last)
	return nil
}

// killPlug kills a plug, waits until the page has noticed and is back, and gives
// the plug's new process.
func (h *plughost) killPlug(name string) {
	h.t.Helper()
	if err := syscall.Kill(h.ready()[name].Pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
}

func (h *plughost) kill() {
	h.t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	<-h.ended
	h.start()
}

func (h *plughost) url(name string) string { return "http://" + h.address[name] + "/?dedup=off" }

// stored counts the messages with a text in a network's own database.
func (h *plughost) stored(name, text string) int {
	h.t.Helper()
	return count(h.t, filepath.Join(h.dir, "data", "plugs", name, "state", "chat.sqlite"), text)
}

// TestTwoBrowsers is the main job, as a person sees it: what is typed in one page
// is read in the other, both ways, once, whatever is cut off or killed.
func TestTwoBrowsers(t *testing.T) {
	h := startPlughost(t)
	b := startBrowser(t)
	b.open("north", h.url("north"), 1280, 800, "light")
	b.open("south", h.url("south"), 390, 844, "dark")

	var said []string
	exchange := func(when string) {
		t.Helper()
		there, back := "Hello from the north, "+when, "Hello from the south, "+when
		b.say("north", "Ann", there)
		b.sees("south", there)
		b.say("south", "Bo", back)
		b.sees("north", back)
		said = append(said, there, back)
	}
	exchange("at first")

	b.do("offline", "south", map[string]any{"offline": true})
	away := "Said while the south was away"
	b.say("north", "Ann", away)
	b.sees("north", away)
	b.do("offline", "south", map[string]any{"offline": false})
	b.sees("south", away)
	said = append(said, away)

	for _, name := range []string{"north", "south"} {
		h.killPlug(name)
		other := map[string]string{"north": "south", "south": "north"}[name]
		during := "Said while " + name + " was dead"
		b.say(other, "Cy", during)
		b.connected(name)
		b.sees(name, during)
		said = append(said, during)
		exchange("after " + name + " was killed")
	}

	h.kill()
	b.connected("north")
	b.connected("south")
	exchange("after the host was killed")

	for _, text := range append(said, "👩‍👩‍👧 مرحبا <b>not bold</b> & \"quotes\"") {
		if strings.Contains(text, "<b>") {
			b.say("north", "Ann", text)
		}
		for _, name := range []string{"north", "south"} {
			b.sees(name, text)
			if n := h.stored(name, text); n != 1 {
				t.Errorf("the database of %s has %q %d times, want once", name, text, n)
			}
		}
	}
	b.noErrors("north")
	b.noErrors("south")
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		for _, p := range []struct {
			page, scheme  string
			width, height int
		}{{"desktop-light", "light", 1280, 800}, {"desktop-dark", "dark", 1280, 800}, {"phone-light", "light", 390, 844}, {"phone-dark", "dark", 390, 844}} {
			b.open(p.page, "http://"+h.address["north"]+"/", p.width, p.height, p.scheme)
			b.sees(p.page, said[0])
			b.screenshot(p.page, filepath.Join(dir, p.page+".png"))
		}
	}
}
