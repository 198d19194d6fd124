package host_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// asHost makes the test binary run a host of its own, with the options of the
// variable, so that a test can kill it.
const asHost = "PLUGHOST_TEST_AS_HOST"

// atOnce is how many tests run at once, on two cores too: most of the time a test here
// waits, for processes, for networks, or for a time to pass.
const atOnce = 8

func TestMain(m *testing.M) {
	if kind := os.Getenv(asPlug); kind != "" {
		servePlug(kind)
		return
	}
	if o := os.Getenv(asHost); o != "" {
		runHost(o)
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0))))
	}
	code := m.Run()
	if dir := binariesDir; dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// childOptions are the host's options that a child can be given.
type childOptions struct {
	DataDir       string
	Plugs         []host.Plug
	Conversations []host.Conversation
	SettleTimeout time.Duration
	Supervision   host.Supervision
	Ballast       int64
}

// runHost is the child's main. It prints each change of a plug's status as a
// line of JSON on stdout.
func runHost(options string) {
	var given childOptions
	if err := json.Unmarshal([]byte(options), &given); err != nil {
		panic(err)
	}
	o := host.Options{DataDir: given.DataDir, Plugs: given.Plugs, Conversations: given.Conversations,
		SettleTimeout: given.SettleTimeout, Supervision: given.Supervision, JournalBallast: given.Ballast}
	o.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr})
	var mu sync.Mutex
	o.Changed = func(s host.Status) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(os.Stdout).Encode(s)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	h, err := host.New(o)
	if err == nil {
		err = h.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var (
	binariesOnce sync.Once
	binariesDir  string
	binaries     simnettest.Binaries
	binariesErr  error
)

// built builds simnet once for all tests.
func built(t testing.TB) simnettest.Binaries {
	t.Helper()
	binariesOnce.Do(func() {
		if binariesDir, binariesErr = os.MkdirTemp("", "plughost-test"); binariesErr == nil {
			binaries, binariesErr = simnettest.Build(context.Background(), binariesDir)
		}
	})
	if binariesErr != nil {
		t.Fatal(binariesErr)
	}
	return binaries
}

// hostProcess is a host as a process of its own.
type hostProcess struct {
	t       *testing.T
	options childOptions
	cmd     *exec.Cmd
	ended   chan struct{}
	read    chan struct{} // closed when its output has been read to the end

	mu      sync.Mutex
	status  map[id.InstanceName]host.Status
	seen    map[id.InstanceName][]host.Status // all, since the host was started first
	changed chan struct{}
}

func startHost(t *testing.T, o childOptions) *hostProcess {
	t.Helper()
	h := &hostProcess{t: t, options: o, seen: map[id.InstanceName][]host.Status{}}
	h.start()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		<-h.ended
	})
	return h
}

func (h *hostProcess) start() {
	h.t.Helper()
	options, err := json.Marshal(h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	h.cmd = exec.Command(os.Args[0])
	h.cmd.Env = append(os.Environ(), asHost+"="+string(options))
	log, err := os.OpenFile(filepath.Join(h.options.DataDir, "..", "host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	h.cmd.Stderr = log
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.status, h.changed = map[id.InstanceName]host.Status{}, make(chan struct{})
	h.mu.Unlock()
	h.ended, h.read = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(h.read)
		for lines := json.NewDecoder(out); ; {
			var s host.Status
			if lines.Decode(&s) != nil {
				return
			}
			h.mu.Lock()
			h.status[s.Plug] = s
			h.seen[s.Plug] = append(h.seen[s.Plug], s)
			close(h.changed)
			h.changed = make(chan struct{})
			h.mu.Unlock()
		}
	}()
	go func() {
		<-h.read
		_ = h.cmd.Wait()
		close(h.ended)
	}()
}

// until waits until a plug's status is as wanted.
func (h *hostProcess) until(name id.InstanceName, what string, wanted func(host.Status) bool) host.Status {
	h.t.Helper()
	limit := time.After(patience)
	for {
		h.mu.Lock()
		s, changed := h.status[name], h.changed
		h.mu.Unlock()
		if wanted(s) {
			return s
		}
		select {
		case <-changed:
		case <-h.ended:
			h.t.Fatalf("the host ended while plug %s was to become %s; see its log:\n%s", name, what, h.log())
		case <-limit:
			h.t.Fatalf("plug %s did not become %s: %+v\n%s", name, what, s, h.log())
		}
	}
}

// ready waits until a plug is ready, in another process than the one named.
func (h *hostProcess) ready(name id.InstanceName, butNot int) host.Status {
	h.t.Helper()
	return h.until(name, "ready", func(s host.Status) bool { return s.State == "ready" && s.Pid != 0 && s.Pid != butNot })
}

// states lists the states that a plug has been in, in order (S1).
func (h *hostProcess) states(name id.InstanceName) (states []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.seen[name] {
		if len(states) == 0 || states[len(states)-1] != s.State {
			states = append(states, s.State)
		}
	}
	return states
}

// was returns a status that a plug has been in, the last of its kind.
func (h *hostProcess) was(name id.InstanceName, state string) (last host.Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.seen[name] {
		if s.State == state {
			last = s
		}
	}
	return last
}

// kill kills the host, and starts it again.
func (h *hostProcess) kill() {
	h.t.Helper()
	h.end()
	h.start()
}

// end kills the host.
func (h *hostProcess) end() {
	h.t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		h.t.Fatal(err)
	}
	<-h.ended
}

// stop stops the host as an operator does, and wants it to end well.
func (h *hostProcess) stop() {
	h.t.Helper()
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.ended:
	case <-time.After(time.Minute):
		h.t.Fatalf("the host doesn't stop\n%s", h.log())
	}
	if code := h.cmd.ProcessState.ExitCode(); code != 0 {
		h.t.Errorf("the host ended with status %d\n%s", code, h.log())
	}
}

// readJournal reads the journal of a host that has stopped.
func readJournal(t *testing.T, dataDir string, read func(context.Context, *journal.Journal) error) {
	t.Helper()
	store, err := storage.OpenJetStream(t.Context(), storage.Options{Dir: filepath.Join(dataDir, "journal"), Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	j, err := journal.Open(t.Context(), store)
	if err == nil {
		err = read(t.Context(), j)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// nothingWaits looks into the journal of a host that has stopped: every operation
// that was accepted is settled, and none is parked.
func nothingWaits(t *testing.T, dataDir string) {
	t.Helper()
	readJournal(t, dataDir, func(ctx context.Context, j *journal.Journal) error {
		parked, err := j.Parked(ctx)
		if err != nil {
			return err
		}
		if len(parked) > 0 {
			t.Errorf("operations are parked: %v", parked)
		}
		_, puts, err := j.OperationLanes(ctx)
		if err != nil {
			return err
		}
		if len(puts) == 0 {
			t.Error("the journal knows of no puts")
		}
		for c, p := range puts {
			waiting, err := j.Standing(ctx, c, id.Sequence(p.Settled.GetPosition().GetSequence()))
			if err != nil {
				return err
			}
			if len(waiting) > 0 || p.Attempt != nil {
				t.Errorf("%s: %d operations wait, and the last attempt is %v", c, len(waiting), p.Attempt)
			}
		}
		return nil
	})
}

func (h *hostProcess) log() string {
	b, _ := os.ReadFile(filepath.Join(h.options.DataDir, "..", "host.log"))
	if len(b) > 8000 {
		b = b[len(b)-8000:]
	}
	return string(b)
}
