//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemoButtons presses the buttons of the demo's page, as a person does.
func TestDemoButtons(t *testing.T) {
	cmd := exec.Command(filepath.Join(root(t), "bin", "plughost"), "demo", "--port", "0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the demo: %v; run make build", err)
	}
	guard := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
	address := map[string]string{}
	lines := bufio.NewScanner(out)
	for !strings.Contains(lines.Text(), "leave nothing behind") && lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && strings.HasPrefix(fields[1], "http://") {
			address[fields[0]] = fields[1]
		}
	}
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-read
		guard.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	})
	if len(address) != 3 {
		t.Fatalf("the demo says %v", address)
	}

	b := startBrowser(t)
	dir := shots(t)
	b.do("open", "demo", map[string]any{"url": address["buttons"], "width": 1280, "height": 800, "scheme": "light"})
	b.open("north", address["north"], 900, 700, "light")
	b.open("south", address["south"], 900, 700, "light")
	state := func(card, is string) string { return fmt.Sprintf(`#%s[data-state="%s"]`, card, is) }
	press := func(line string) { t.Helper(); b.click("demo", fmt.Sprintf(`[data-line="%s"]:not(:disabled)`, line)) }
	for _, card := range []string{"north", "host", "south"} {
		b.wait("demo", state(card, "ready"))
	}
	for _, name := range []string{"north", "south"} {
		if got := b.evaluate("demo", fmt.Sprintf(`document.querySelector('#%s .open').href`, name)); got != address[name] {
			t.Errorf("the link of %s leads to %v", name, got)
		}
	}
	said := 0
	exchange := func() {
		t.Helper()
		said++
		text := fmt.Sprint("message ", said)
		b.say("north", "Ann", text)
		b.sees("south", text)
	}
	exchange()

	press("freeze south")
	b.wait("demo", state("south", "frozen"))
	b.say("north", "Ann", "said to the frozen")
	b.screenshot("demo", filepath.Join(dir, "demo-frozen.png"))
	press("thaw south")
	b.wait("demo", state("south", "ready"))
	b.sees("south", "said to the frozen")

	pid := b.evaluate("demo", `document.querySelector('#north').dataset.pid`)
	press("kill north")
	b.until("demo", fmt.Sprintf(`document.querySelector('#north').dataset.state === 'ready' && document.querySelector('#north').dataset.pid !== '%v'`, pid))
	b.connected("north")
	exchange()

	press("stop host")
	b.wait("demo", state("host", "stopped"))
	b.wait("demo", state("north", "stopped"))
	if enabled := b.do("texts", "demo", map[string]any{"selector": "[data-line]:not(:disabled)"}); fmt.Sprint(enabled) != "[Start]" {
		t.Errorf("with the host stopped one can %v", enabled)
	}
	press("start host")
	b.wait("demo", state("north", "ready"))
	b.wait("demo", state("south", "ready"))
	b.connected("north")
	exchange()

	pid = b.evaluate("demo", `document.querySelector('#host').dataset.pid`)
	press("kill host")
	b.until("demo", fmt.Sprintf(`document.querySelector('#host').dataset.pid !== '%v'`, pid))
	b.wait("demo", state("north", "ready"))
	b.wait("demo", state("south", "ready"))
	b.connected("north")
	exchange()
	b.until("demo", `document.querySelector('#lines').textContent.includes('The host was killed, and its plugs with it.')`)
	b.noErrors("demo")

	b.screenshot("demo", filepath.Join(dir, "demo-desktop-light.png"))
	for _, p := range []struct {
		page, scheme  string
		width, height int
	}{{"demo-desktop-dark", "dark", 1280, 800}, {"demo-phone", "light", 390, 844}} {
		b.do("open", p.page, map[string]any{"url": address["buttons"], "width": p.width, "height": p.height, "scheme": p.scheme})
		b.wait(p.page, state("south", "ready"))
		if wide := b.evaluate(p.page, `document.documentElement.scrollWidth > innerWidth`); wide != false {
			t.Errorf("%s: it is wider than the window", p.page)
		}
		b.screenshot(p.page, filepath.Join(dir, p.page+".png"))
	}
}
