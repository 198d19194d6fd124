//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// broker is a real mosquitto, and through its clients the devices of the world outside.
type broker struct {
	t       *testing.T
	address string
}

// packetBytes is the largest packet that the broker takes. Small, so that a message of
// 3,000 characters has several parts.
const packetBytes = 6000

func startBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{t, freeAddress(t)}
	dir := t.TempDir()
	_, port, _ := net.SplitHostPort(b.address)
	config := filepath.Join(dir, "mosquitto.conf")
	write(t, config, fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\nmax_packet_size %d\nlog_dest stderr\n", port, packetBytes))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("start mosquitto: %v; run make deps", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		log.Close()
	})
	eventually(t, "mosquitto listens", func() bool {
		conn, err := net.Dial("tcp", b.address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return b
}

func (b *broker) args(more ...string) []string {
	host, port, _ := net.SplitHostPort(b.address)
	return append([]string{"-V", "5", "-h", host, "-p", port, "-q", "1"}, more...)
}

// publish publishes as a device does; it returns when the broker has it.
func (b *broker) publish(topic, payload string) {
	b.t.Helper()
	cmd := exec.Command("mosquitto_pub", b.args("-t", topic, "-s")...)
	cmd.Stdin = strings.NewReader(payload)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("mosquitto_pub: %v\n%s", err, out)
	}
}

// publishJSON publishes a payload that has an id of its own.
func (b *broker) publishJSON(topic, id, name, text string) {
	b.t.Helper()
	payload, err := json.Marshal(map[string]any{"id": id, "author": map[string]string{"id": "dev-" + name, "name": name}, "text": text})
	if err != nil {
		b.t.Fatal(err)
	}
	b.publish(topic, string(payload))
}

// heard is a message as a device has it.
type heard struct{ Topic, Author, Operation, Text string }

// device has a session at the broker, so that nothing escapes it.
type device struct {
	*broker
	topics []string
}

func (b *broker) device(topics ...string) *device {
	b.t.Helper()
	d := &device{b, topics}
	if out, err := exec.Command("mosquitto_sub", d.args("-E")...).CombinedOutput(); err != nil {
		b.t.Fatalf("mosquitto_sub: %v\n%s", err, out)
	}
	return d
}

func (d *device) args(more ...string) []string {
	args := d.broker.args("-i", "device", "-c", "-x", "3600")
	for _, t := range d.topics {
		args = append(args, "-t", t)
	}
	return append(args, more...)
}

// until gives what has come, once enough says so. What it reads beyond is acknowledged
// and gone, so it is called once.
func (d *device) until(enough func([]heard) bool) (all []heard) {
	d.t.Helper()
	cmd := exec.Command("mosquitto_sub", d.args("-N", "-F", "%t\x1f%P\x1f%p\x1e")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	guard := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer func() {
		guard.Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	for r := bufio.NewReader(out); !enough(all); {
		record, err := r.ReadBytes('\x1e')
		if err != nil {
			d.t.Fatalf("the device heard no more than %q: %v", all, err)
		}
		fields := bytes.SplitN(bytes.TrimSuffix(record, []byte{'\x1e'}), []byte{'\x1f'}, 3)
		m := heard{Topic: string(fields[0]), Text: string(fields[2])}
		for property := range strings.FieldsSeq(string(fields[1])) {
			if id, ok := strings.CutPrefix(property, "operation_id:"); ok {
				m.Operation = id
			}
		}
		var payload struct {
			Text   string
			Author struct{ Name string }
		}
		if json.Unmarshal(fields[2], &payload) == nil && payload.Text != "" {
			m.Text, m.Author = payload.Text, payload.Author.Name
		}
		all = append(all, m)
	}
	return all
}
