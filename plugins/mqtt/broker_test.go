package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mosquitto is a real broker, on a port of its own.
type mosquitto struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
	log  *os.File
}

// startBroker starts one whose users are "plug" and "device", both with the password
// "secret". More is what its config has besides.
func startBroker(t *testing.T, more ...string) *mosquitto {
	t.Helper()
	b := &mosquitto{t: t, dir: t.TempDir(), port: freePort(t)}
	passwords := filepath.Join(b.dir, "passwords")
	run(t, "mosquitto_passwd", "-b", "-c", passwords, "plug", "secret")
	run(t, "mosquitto_passwd", "-b", passwords, "device", "secret")
	config := append([]string{
		fmt.Sprintf("listener %d 127.0.0.1", b.port),
		"allow_anonymous false", "password_file " + passwords,
		"user root", // else it gives up the rights to the test's directory
		"persistence true", "persistence_location " + b.dir + "/",
		"max_queued_messages 0", "log_dest stderr", "log_type all",
	}, more...)
	if err := os.WriteFile(filepath.Join(b.dir, "config"), []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.log, err = os.Create(filepath.Join(b.dir, "log")); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(func() {
		b.end(syscall.SIGKILL)
		b.log.Close()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(b.dir, "log"))
			t.Logf("the broker's log ends with\n%s", log[max(0, len(log)-4000):])
		}
	})
	return b
}

// freePort gives a port that nobody listens on, to one test only: a broker may be down for
// a while, and nobody else's must be there then.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, given := portsGiven.LoadOrStore(port, true); !given {
			return port
		}
	}
}

var portsGiven sync.Map

func (b *mosquitto) start() {
	b.t.Helper()
	b.cmd = exec.Command("mosquitto", "-c", filepath.Join(b.dir, "config"))
	b.cmd.Stderr = b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the broker listens", func() bool {
		conn, err := net.Dial("tcp", b.address())
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// end ends it by a signal.
func (b *mosquitto) end(signal syscall.Signal) {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(signal)
	_ = b.cmd.Wait()
	b.cmd = nil
}

func (b *mosquitto) address() string { return "127.0.0.1:" + strconv.Itoa(b.port) }
func (b *mosquitto) url() string     { return "mqtt://" + b.address() }

func (b *mosquitto) args(more ...string) []string {
	return append([]string{"-V", "5", "-h", "127.0.0.1", "-p", strconv.Itoa(b.port), "-u", "device", "-P", "secret", "-q", "1"}, more...)
}

// publish publishes as a device does, and returns when the broker has it.
func (b *mosquitto) publish(topic, payload string, more ...string) {
	b.t.Helper()
	args := b.args(append([]string{"-t", topic, "-s"}, more...)...)
	run1(b.t, payload, "mosquitto_pub", args...)
}

// publishLines publishes a message for each line.
func (b *mosquitto) publishLines(topic string, lines []string, more ...string) {
	b.t.Helper()
	run1(b.t, strings.Join(lines, "\n")+"\n", "mosquitto_pub", b.args(append([]string{"-t", topic, "-l"}, more...)...)...)
}

// device is a client with a session, so that nothing escapes it.
type device struct {
	b      *mosquitto
	name   string
	filter string
}

func (b *mosquitto) device(name, filter string) *device {
	b.t.Helper()
	d := &device{b, name, filter}
	run(b.t, "mosquitto_sub", d.args("-E")...)
	return d
}

func (d *device) args(more ...string) []string {
	return d.b.args(append([]string{"-i", d.name, "-c", "-x", "3600", "-t", d.filter}, more...)...)
}

// hears gives what came since the last call, as mosquitto_sub formats it, up to what is
// published now.
func (d *device) hears(format string) []string {
	d.b.t.Helper()
	end := fmt.Sprintf("the end, said at %d", time.Now().UnixNano())
	topic := strings.NewReplacer("#", "end", "+", "end").Replace(d.filter)
	d.b.publish(topic, end)
	cmd := exec.Command("mosquitto_sub", d.args("-F", format+"\x1f%p\x1e", "-N")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.b.t.Fatal(err)
	}
	guard := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer guard.Stop()
	var heard []string
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\x1e')
		if err != nil {
			d.b.t.Fatalf("the device heard %q, and not the end: %v", heard, err)
		}
		shown, payload, _ := strings.Cut(strings.TrimSuffix(line, "\x1e"), "\x1f")
		if payload == end {
			break
		}
		heard = append(heard, shown)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // acknowledges what it has printed
	_ = cmd.Wait()
	return heard
}

func run(t *testing.T, name string, args ...string) { t.Helper(); run1(t, "", name, args...) }

func run1(t *testing.T, stdin, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out.String())
	}
}

// hearsNext waits for the next n payloads.
func (d *device) hearsNext(n int) []string {
	d.b.t.Helper()
	ctx, cancel := context.WithTimeout(d.b.t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "mosquitto_sub", d.args("-C", strconv.Itoa(n), "-F", "%p\x1e", "-N")...).Output()
	if err != nil {
		d.b.t.Fatalf("the device heard %q, and not %d: %v", out, n, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x1e"), "\x1e")
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(patience)
	for tick := time.NewTicker(20 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not so after %s: %s", patience, what)
		}
	}
}
