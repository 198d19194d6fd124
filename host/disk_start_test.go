package host_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/disk/disktest"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// D5: a host is killed, and started on a disk that is full to the last byte. With a
// ballast to give up it runs and delivers what waits; with none it waits and says why,
// stops at once when it is told to, and goes on by itself when there is room. Every
// message arrives once.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]bool{"a ballast is left": true, "no ballast is left": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			startOnAFullDisk(t, left)
		})
	}
}

func startOnAFullDisk(t *testing.T, left bool) {
	const ballast = 16 << 20
	d := disktest.New(t, 128<<20)
	net, plug := simulated(t, simnettest.Account{Name: "left"}, simnettest.Account{Name: "right", Echo: simnettest.EchoNone, Idempotent: simnettest.Duration(time.Hour)})
	// The log is on another disk.
	o := childOptions{DataDir: filepath.Join(t.TempDir(), "data"), Ballast: ballast,
		Plugs:         []host.Plug{plug("left", "left"), plug("right", "right")},
		Conversations: []host.Conversation{bridge(channel("left", "a"), channel("right", "b")), bridge(channel("left", "all"), channel("right", "said"))},
		SettleTimeout: time.Second,
		Supervision:   host.Supervision{BackoffMin: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond, MaxExits: 1000},
	}
	data := filepath.Join(d.Dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(data, o.DataDir); err != nil {
		t.Fatal(err)
	}
	h := startHost(t, o)
	h.ready("left", 0)
	h.ready("right", 0)
	said, rounds := 0, 0
	say := func(count int) {
		t.Helper()
		if err := net.Generate(t.Context(), simnettest.Generate{Channels: []string{"a"}, Count: count, First: said + 1, Size: 200}); err != nil {
			t.Fatal(err)
		}
		said += count
	}
	begins := 0 // where in its log the host was started last
	start := func() {
		t.Helper()
		begins = len(logged(t, o))
		h.start()
	}
	full := func() bool {
		return strings.Contains(logged(t, o)[begins:], "free 24 MiB there, and it goes on by itself")
	}
	for range 2 {
		do(t, net, simnettest.Command{Hold: &simnettest.Hold{Channel: "b", Stage: simnettest.StageAnswers}})
		say(200)
		rounds++
		speak(t, net, "all", "all is said")
		accepted(t, net, "said", rounds, h.log)
		if !left {
			d.Fill(2 << 20)
			until(t, "the ballast is given up", func() bool { return !exists(filepath.Join(data, "journal", "ballast")) })
			say(100) // what the host can't take waits in the network
			d.Fill(0)
		}
		if err := h.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-h.ended
		waiting := waits(t, data, "b")
		if waiting == 0 {
			t.Fatal("nothing waits: this test did not reach what it is about")
		}
		d.Fill(0)
		if exists(filepath.Join(data, "journal", "ballast")) != left {
			t.Fatalf("the ballast is there: %v", !left)
		}
		start()
		if left {
			h.ready("right", 0)
			do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "b", Stage: simnettest.StageAnswers}})
			accepted(t, net, "b", said, h.log)
			if !full() || d.Free() > ballast {
				t.Errorf("what waited was delivered when the disk was no longer full\n%s", h.log())
			}
		} else {
			until(t, "the host says that the disk is full", full)
			begun := time.Now()
			h.stop()
			if took := time.Since(begun); took > stopLimit {
				t.Errorf("the host took %v to stop", took)
			}
			start()
			do(t, net, simnettest.Command{Release: &simnettest.Release{Channel: "b", Stage: simnettest.StageAnswers}})
		}
		d.Clear()
		accepted(t, net, "b", said, h.log)
		until(t, "the ballast is there again", func() bool { return exists(filepath.Join(data, "journal", "ballast")) })
	}
	h.stop()
	once(t, net, "a", "b")
	nothingWaits(t, data)
}

// logged is the whole log of a host.
func logged(t *testing.T, o childOptions) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(o.DataDir), "host.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// D5: a host that has nothing yet, and no byte for it, waits, says why to whoever asks,
// stops at once when it is told to, and starts by itself when there is room.
func TestFirstStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	d := disktest.New(t, 64<<20)
	_, plug := simulated(t, simnettest.Account{Name: "left"})
	var log logBuffer
	o := host.Options{DataDir: filepath.Join(d.Dir, "data"), JournalBallast: 16 << 20, Plugs: []host.Plug{plug("left", "left")},
		Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Debug})}
	d.Fill(0)
	for _, room := range []bool{false, true} {
		h, err := host.New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		until(t, "the host says why it waits", func() bool {
			_, err := h.JournalState()
			return err != nil && strings.Contains(err.Error(), "is full to the last byte; free 1.0 MiB there, and it goes on by itself")
		})
		if room {
			d.Clear()
			until(t, "the plug is ready", func() bool { return h.Status()[0].State == "ready" })
			if s, err := h.JournalState(); err != nil || s.Reason != "" {
				t.Errorf("when there is room: %q, %v", s.Reason, err)
			}
		}
		stop()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the host ended with %v", err)
			}
		case <-time.After(stopLimit):
			t.Fatalf("the host doesn't stop\n%s", log.String())
		}
	}
	if n := strings.Count(log.all(), "the host waits to start"); n != 2 {
		t.Errorf("that it waits was logged %d times, of two starts", n)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// waits counts the operations that wait in a channel, in the journal of a host that was
// killed. The journal stays as the kill left it.
func waits(t *testing.T, dataDir string, source id.ChannelSource) (n int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "journal", "jetstream"), os.DirFS(filepath.Join(dataDir, "journal", "jetstream"))); err != nil {
		t.Fatal(err)
	}
	readJournal(t, dir, func(ctx context.Context, j *journal.Journal) error {
		queues, err := j.Queues(ctx)
		for _, q := range queues {
			if q.Channel.Source == source {
				n = q.Waiting
			}
		}
		return err
	})
	return n
}
