package mqtttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Broker is a mosquitto that keeps its sessions over a restart.
type Broker struct {
	dir, address string
	log          *os.File
	cmd          *exec.Cmd
	ended        chan struct{} // closed when cmd has
}

// StartBroker starts one on a free port of loopback, with its files in dir. more is what
// its config has besides. Close it in the end.
func StartBroker(ctx context.Context, dir string, more ...string) (*Broker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", err)
	}
	b := &Broker{dir: dir, address: l.Addr().String()}
	l.Close()
	_, port, _ := net.SplitHostPort(b.address)
	config := append([]string{
		"listener " + port + " 127.0.0.1", "allow_anonymous true",
		"user root", // else it gives up the rights to the directory
		"persistence true", "persistence_location " + dir + "/", "max_queued_messages 0", "log_dest stderr",
	}, more...)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", err)
	}
	if b.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, fmt.Errorf("start mosquitto: %w", err)
	}
	if err := b.Start(ctx); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Address is where it listens.
func (b *Broker) Address() string { return b.address }

// Start starts it again after Stop, and returns when it listens.
func (b *Broker) Start(ctx context.Context) error {
	b.cmd = exec.Command("mosquitto", "-c", filepath.Join(b.dir, "config"))
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals are not for it
	if err := b.cmd.Start(); err != nil {
		b.cmd = nil
		return fmt.Errorf("start mosquitto: %w; run make deps", err)
	}
	b.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait()
	}(b.cmd, b.ended)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if conn, err := net.Dial("tcp", b.address); err == nil {
			tick.Stop()
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-b.ended:
			return fmt.Errorf("mosquitto has ended; see %s", b.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("mosquitto does not listen: %w", ctx.Err())
		}
	}
}

// Stop ends it as an operator does: it writes its sessions down.
func (b *Broker) Stop() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	<-b.ended
	b.cmd = nil
}

// Close ends it for good.
func (b *Broker) Close() error {
	b.Stop()
	return b.log.Close()
}
