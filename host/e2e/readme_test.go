//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block returns the code block of the README that follows a mark.
func block(t *testing.T, mark string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(readme), "<!-- readme:"+mark+" -->\n```")
	if !found {
		t.Fatalf("the README has no block %q", mark)
	}
	_, after, _ = strings.Cut(after, "\n")
	code, _, _ := strings.Cut(after, "\n```")
	return code + "\n"
}

// lines are a block's commands.
func lines(t *testing.T, mark string) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(block(t, mark)), "\n")
}

// checkout makes a directory that looks as a clone does after make build, with
// its own bin/plugs.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"LICENSE", "README.md", "go.mod", "go.sum", "proto", "sdk"} {
		if err := os.Symlink(filepath.Join(root(t), name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin", "plugs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plughost", "plugs/webchat"} {
		if err := os.Link(filepath.Join(root(t), "bin", name), filepath.Join(dir, "bin", name)); err != nil {
			copyFile(t, filepath.Join(root(t), "bin", name), filepath.Join(dir, "bin", name))
		}
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func shell(dir, line string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", "exec "+line)
	cmd.Dir = dir
	return cmd
}

// The first real config runs as the README has it, but for the ports.
func TestReadmeConfig(t *testing.T) {
	dir := checkout(t)
	config := block(t, "config")
	for _, port := range []string{"8101", "8102"} {
		config = strings.ReplaceAll(config, "127.0.0.1:"+port, freeAddress(t))
	}
	write(t, filepath.Join(dir, "plughost.yaml"), config)
	commands := lines(t, "operate")
	if len(commands) != 3 {
		t.Fatalf("commands: %q", commands)
	}
	if out, err := shell(dir, commands[0]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commands[0], err, out)
	}
	run := shell(dir, commands[1])
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		if err := run.Wait(); err != nil {
			t.Errorf("%s: %v", commands[1], err)
		}
	}()
	eventually(t, "both plugs are ready", func() bool {
		out, err := shell(dir, commands[2]).CombinedOutput()
		return err == nil && strings.Count(string(out), "ready") == 2
	})
	control(t, dir)
	for _, line := range strings.Split(config, "\n") {
		_, address, found := strings.Cut(line, `listen: "`)
		if !found {
			continue
		}
		address, _, _ = strings.Cut(address, `"`)
		resp, err := http.Get("http://" + address)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("page at %s: %v, %v", address, resp, err)
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}

// control runs the commands for a running host: tail until all others are done.
func control(t *testing.T, dir string) {
	t.Helper()
	commands := lines(t, "control")
	if !strings.Contains(commands[0], " tail ") {
		t.Fatalf("the first command is %q", commands[0])
	}
	var out strings.Builder
	tail := shell(dir, commands[0])
	tail.Stdout, tail.Stderr = &out, os.Stderr
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands[1:] {
		eventually(t, "the office is ready for "+command, func() bool {
			out, err := shell(dir, "bin/plughost status").CombinedOutput()
			return err == nil && (strings.Count(string(out), "ready") == 2 || strings.Contains(command, " start "))
		})
		out, err := shell(dir, command).CombinedOutput()
		if err != nil || strings.Contains(command, "curl") && !strings.Contains(string(out), `"operationId"`) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	_ = tail.Process.Signal(syscall.SIGINT)
	if err := tail.Wait(); err != nil {
		t.Errorf("%s: %v", commands[0], err)
	}
	if !strings.Contains(out.String(), "office/kitchen > ") {
		t.Errorf("%s printed: %s", commands[0], out.String())
	}
}

// The first own plug builds as the README has it, is what the SDK's own example
// is, and carries a line from one file to the other by way of a webchat's host.
func TestReadmePlug(t *testing.T) {
	dir := checkout(t)
	code := block(t, "plug")
	if n := strings.Count(code, "\n"); n >= 60 {
		t.Errorf("the plug has %d lines", n)
	}
	write(t, filepath.Join(dir, "plugins", "file", "main.go"), code)
	for _, command := range lines(t, "build") {
		out, err := shell(dir, command).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if strings.Contains(command, "--describe") {
			var described struct{ Name string }
			if json.Unmarshal(out, &described) != nil || described.Name != "file" {
				t.Errorf("described as %s", out)
			}
		}
	}
	write(t, filepath.Join(dir, "plughost.yaml"), `
version: 1
plugs_dir: ./bin/plugs
plugs:
  one: {use: file, config: {in: one.in, out: one.out}}
  two: {use: file, config: {in: two.in, out: two.out}}
conversations:
  both: {members: [one/lines, two/lines]}
`)
	config, err := os.ReadFile(filepath.Join(dir, "plughost.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "plughost.yaml"), strings.NewReplacer("in: ", "in: "+dir+"/", "out: ", "out: "+dir+"/").Replace(string(config)))
	run := shell(dir, "bin/plughost run")
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		_ = run.Wait()
	}()
	eventually(t, "both plugs are ready", func() bool {
		out, err := shell(dir, "bin/plughost status").CombinedOutput()
		return err == nil && strings.Count(string(out), "ready") == 2
	})
	said := 0
	eventually(t, "a line went from one file to the other", func() bool {
		// A line that is written before the plug has its cursor is old to it.
		f, err := os.OpenFile(filepath.Join(dir, "one.in"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return false
		}
		said++
		fmt.Fprintf(f, "hello %d\n", said)
		f.Close()
		out, _ := os.ReadFile(filepath.Join(dir, "two.out"))
		return strings.Contains(string(out), "someone [File]: hello ")
	})
}

// eventually waits for a condition of real processes.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); <-tick.C {
		if is() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}
