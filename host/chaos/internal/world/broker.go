package world

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
	"github.com/plughost/plughost/plugins/mqtt/mqtttest"
)

// broker is a mosquitto, the proxy between it and the plug, and the devices of the
// world outside, which reach it directly.
type broker struct {
	*mqtttest.Broker
	proxy *mqtttest.Proxy
	// ear is a device with a session, so that nothing escapes it; what it hears goes to the
	// file heard. With QoS 1 it hears again what the broker gives again after a restart
	// (with QoS 2 a restarted mosquitto and its client disagree about packet ids, and
	// messages are passed over).
	ear   *exec.Cmd
	ended chan struct{}
	heard string

	// speaking is held while something is published, until the broker has it: what was
	// published is noted in the broker's order.
	speaking  sync.Mutex
	mu        sync.Mutex
	published []ledger.Line
}

// heardOn is the topic to which the plug publishes what is said in a channel.
func heardOn(source string) string { return "heard/" + source }

func startBroker(ctx context.Context, dir string, sources []string) (b *broker, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	b = &broker{heard: filepath.Join(dir, "heard")}
	if b.Broker, err = mqtttest.StartBroker(ctx, dir); err != nil {
		return nil, err
	}
	if b.proxy, err = mqtttest.StartProxy(b.Address()); err != nil {
		return nil, errors.Join(err, b.Broker.Close())
	}
	if err := b.listen(sources); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *broker) args(more ...string) []string {
	host, port, _ := net.SplitHostPort(b.Address())
	return append([]string{"-V", "5", "-h", host, "-p", port}, more...)
}

// listen starts the ear, which connects again by itself.
func (b *broker) listen(sources []string) error {
	out, err := os.Create(b.heard)
	if err != nil {
		return err
	}
	defer out.Close()
	args := b.args("-q", "1", "-i", "ear", "-c", "-x", "86400", "-F", "%t %p")
	for _, s := range sources {
		args = append(args, "-t", heardOn(s))
	}
	if out, err := exec.Command("mosquitto_sub", append(args, "-E")...).CombinedOutput(); err != nil {
		return fmt.Errorf("mosquitto_sub: %w\n%s", err, out)
	}
	b.ear = exec.Command("mosquitto_sub", args...)
	b.ear.Stdout = out
	b.ear.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.ear.Start(); err != nil {
		b.ear = nil
		return fmt.Errorf("mosquitto_sub: %w", err)
	}
	b.ended = make(chan struct{})
	go func() {
		defer close(b.ended)
		_ = b.ear.Wait()
	}()
	return nil
}

// do publishes as a device does.
func (b *broker) do(ctx context.Context, s plan.Step) error { return b.sayAll(ctx, []plan.Step{s}) }

// sayAll publishes messages of one channel as fast as the broker takes them, again and
// again until the broker has them. What is tried again has the same id, by which it is
// one message.
func (b *broker) sayAll(ctx context.Context, steps []plan.Step) error {
	b.speaking.Lock()
	defer b.speaking.Unlock()
	var payloads bytes.Buffer
	var published []ledger.Line
	for _, s := range steps {
		if s.Do != plan.Say {
			return fmt.Errorf("no device can %s", s.Do)
		}
		id := s.Token.String()
		if s.Token == 0 {
			id = s.Text
		}
		// With the line's end that mosquitto_pub -l asks for.
		err := json.NewEncoder(&payloads).Encode(map[string]any{"id": id, "author": map[string]string{"id": "device-" + s.Author, "name": s.Author}, "text": s.Text})
		if err != nil {
			return err
		}
		published = append(published, ledger.Line{Kind: ledger.Said, Member: s.Member, ID: id, By: ledger.Stranger, Author: s.Author, Text: s.Text})
	}
	if err := again(ctx, func() error { return b.publish(ctx, steps[0].Source, payloads.Bytes()) }); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range published {
		l.N, l.Time = len(b.published)+1, time.Now()
		b.published = append(b.published, l)
	}
	return nil
}

// publish publishes lines, each a message.
func (b *broker) publish(ctx context.Context, topic string, lines []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "mosquitto_pub", b.args("-q", "1", "-t", topic, "-l")...)
	cmd.Stdin = bytes.NewReader(lines)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mosquitto_pub: %w\n%s", err, out)
	}
	return nil
}

// lines are what devices published, and then what the ear heard.
func (b *broker) lines(context.Context) ([]ledger.Line, error) {
	b.mu.Lock()
	lines := append([]ledger.Line(nil), b.published...)
	b.mu.Unlock()
	f, err := os.Open(b.heard)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		topic, payload, _ := strings.Cut(scanner.Text(), " ")
		var said struct {
			Text        string
			OperationID string `json:"operation_id"`
			Author      struct{ Name string }
		}
		if err := json.Unmarshal([]byte(payload), &said); err != nil {
			continue // the last line may be half written
		}
		operation, _, _ := strings.Cut(said.OperationID, "-")
		lines = append(lines, ledger.Line{
			N: 1_000_000 + n, Kind: ledger.Said, Member: ledger.Member{Plug: "house", Source: strings.TrimPrefix(topic, heardOn(""))},
			ID: fmt.Sprintf("heard-%d", n), By: ledger.Host, Operation: operation, Author: said.Author.Name, Text: said.Text,
		})
	}
	return lines, scanner.Err()
}

// again restarts the broker, which stays down for a while.
func (b *broker) again(ctx context.Context, down time.Duration) error {
	b.Stop()
	pause(ctx, down)
	return b.Start(context.WithoutCancel(ctx))
}

func (b *broker) close() {
	if b.ear != nil {
		_ = b.ear.Process.Signal(syscall.SIGTERM)
		<-b.ended
	}
	b.proxy.Close()
	_ = b.Broker.Close() // its log; nobody reads it further
}
