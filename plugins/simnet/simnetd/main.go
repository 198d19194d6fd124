package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/director"
	"github.com/plughost/plughost/plugins/simnet/internal/ledger"
	"github.com/plughost/plughost/plugins/simnet/internal/network"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/server"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", `where to listen: "unix:" and a path, or a loopback host and a port`)
	ledgerPath := flag.String("ledger", "ledger.jsonl", "file for the ledger; it must not be there yet")
	scriptPath := flag.String("script", "", "file with a JSON list of commands to begin with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *listen, *ledgerPath, *scriptPath); err != nil {
		fmt.Fprintln(os.Stderr, "simnetd:", err)
		os.Exit(1)
	}
}

// ready is the line on stdout.
type ready struct {
	Address string `json:"address"`
	Ledger  string `json:"ledger"`
	PID     int    `json:"pid"`
}

func run(ctx context.Context, listen, ledgerPath, scriptPath string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	commands, err := readScript(scriptPath)
	if err != nil {
		return err
	}
	ledgerPath, err = filepath.Abs(ledgerPath)
	if err != nil {
		return fmt.Errorf("find the ledger: %w", err)
	}
	// Never a second network in one ledger: its numbers would begin again.
	file, err := os.OpenFile(ledgerPath, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the ledger: %w", err)
	}
	lines := ledger.NewWriter(file)
	n := network.New(lines)
	defer func() {
		n.Close()
		for _, end := range []func() error{lines.Flush, file.Close} {
			if failed := end(); failed != nil && err == nil {
				err = failed
			}
		}
	}()
	for i, c := range commands {
		if _, err := director.Do(ctx, n, c); err != nil {
			return fmt.Errorf("command %d of the script: %w", i+1, err)
		}
	}
	l, address, err := listenOn(listen)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(ready{address, ledgerPath, os.Getpid()}); err != nil {
		return fmt.Errorf("say the address: %w", err)
	}
	endWithStdin(cancel)
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		flushNowAndThen(ctx, lines)
	}()
	err = server.Serve(ctx, n, l)
	cancel()
	<-flushed
	return err
}

func readScript(path string) ([]script.Command, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open script: %w", err)
	}
	defer f.Close()
	return script.Parse(f)
}

func listenOn(where string) (net.Listener, string, error) {
	if path, ok := strings.CutPrefix(where, "unix:"); ok {
		l, err := net.Listen("unix", path)
		if err != nil {
			return nil, "", fmt.Errorf("listen: %w", err)
		}
		return l, where, nil
	}
	l, err := net.Listen("tcp", where)
	if err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	// Anybody who can connect can command it.
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		l.Close()
		return nil, "", fmt.Errorf("listen on %s: only loopback addresses are allowed", where)
	}
	return l, l.Addr().String(), nil
}

// endWithStdin ends the program when whoever started it is gone. Not where stdin is
// a file or /dev/null, which end at once. The goroutine lives as long as the
// program: nothing else can end a read of stdin.
func endWithStdin(end func()) {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return
	}
	go func() {
		defer end()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
}

// flushNowAndThen lets a person follow the ledger. Programs use the command.
func flushNowAndThen(ctx context.Context, lines *ledger.Writer) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := lines.Flush(); err != nil {
				fmt.Fprintln(os.Stderr, "simnetd:", err)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
