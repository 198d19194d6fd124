package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// bareServer is the limit that our figures are measured against: a plain grpc-go
// server, without our SDK, that answers Put at once.
type bareServer struct{ plugv1.UnimplementedPlugServer }

func (bareServer) Put(_ context.Context, r *plugv1.PutRequest) (*plugv1.PutResponse, error) {
	return &plugv1.PutResponse{Receipts: []*plugv1.Receipt{{Id: r.OperationId}}}, nil
}

// serveBare serves on a unix socket until stdin ends.
func serveBare(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	plugv1.RegisterPlugServer(s, bareServer{})
	go func() {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		s.Stop()
	}()
	return s.Serve(l)
}

// bare is a running bare server and a client of it.
type bare struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	conn   *grpc.ClientConn
	client plugv1.PlugClient
}

func startBare(dir string) (*bare, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "bare.sock")
	b := &bare{cmd: exec.Command(self, "-serve-bare", socket)}
	b.cmd.Stderr = os.Stderr
	if b.stdin, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the bare server: %w", err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		b.close()
		return nil, fmt.Errorf("the bare server said %q (%v)", line, err)
	}
	if b.conn, err = grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		b.close()
		return nil, err
	}
	b.client = plugv1.NewPlugClient(b.conn)
	return b, nil
}

func (b *bare) close() {
	if b.conn != nil {
		_ = b.conn.Close()
	}
	_ = b.stdin.Close()
	_ = b.cmd.Wait()
}

// put is the same message, of the same size, as the host's own Puts.
func (b *bare) put(ctx context.Context, text string, n int) error {
	_, err := b.client.Put(ctx, &plugv1.PutRequest{
		OperationId:      fmt.Sprintf("%020d", n),
		Channel:          "c0",
		Attempt:          1,
		FirstAttemptTime: timestamppb.Now(),
		Deadline:         timestamppb.Now(),
		Action: &plugv1.Action{
			Author: &plugv1.Author{User: &plugv1.User{Id: "stranger", Username: "stranger"}, FormattedName: "stranger [Simnet]: "},
			Kind:   &plugv1.Action_Message{Message: &plugv1.Message{Text: &plugv1.Text{Segments: []*plugv1.Segment{{Text: text}}}}},
		},
	})
	return err
}

// rate is the best of several numbers of calls in flight, in calls per second.
func (b *bare) rate(ctx context.Context, text string, each time.Duration) (best float64, inFlight int, err error) {
	for _, n := range []int{1, 16, 64, 256} {
		calls, err := b.run(ctx, text, n, each)
		if err != nil {
			return 0, 0, err
		}
		if r := float64(calls) / each.Seconds(); r > best {
			best, inFlight = r, n
		}
	}
	return best, inFlight, nil
}

func (b *bare) run(ctx context.Context, text string, inFlight int, d time.Duration) (calls int, err error) {
	ctx, cancel := context.WithTimeout(ctx, d+10*time.Second)
	defer cancel()
	end := time.Now().Add(d)
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range inFlight {
		callers.Go(func() {
			n := 0
			var failed error
			for time.Now().Before(end) && failed == nil {
				failed = b.put(ctx, text, n)
				n++
			}
			mu.Lock()
			defer mu.Unlock()
			calls += n
			if failed != nil {
				err = failed
			}
		})
	}
	callers.Wait()
	return calls, err
}

// latencies of calls made one at a time, sorted.
func (b *bare) latencies(ctx context.Context, text string, calls int) ([]time.Duration, error) {
	times := make([]time.Duration, calls)
	for i := range times {
		start := time.Now()
		if err := b.put(ctx, text, i); err != nil {
			return nil, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times, nil
}
