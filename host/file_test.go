package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/webchat/webchattest"
)

// A large file crosses two plugs and the host: the same bytes arrive, and the host's
// memory doesn't grow with them.
func TestLargeFileCrosses(t *testing.T) {
	t.Parallel()
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	const grown = 48 << 10 // kB
	o := childOptions{DataDir: dataDir(t)}
	addresses := map[id.InstanceName]string{"office": freeAddress(t), "garden": freeAddress(t)}
	path := buildWebchat(t)
	for _, name := range []id.InstanceName{"office", "garden"} {
		config := fmt.Sprintf(`{"listen":%q,"max_file_mb":1100,"files_mb":3000}`, addresses[name])
		o.Plugs = append(o.Plugs, host.Plug{Name: name, Path: path, Config: json.RawMessage(config)})
	}
	o.Conversations = []host.Conversation{bridge(channel("office", "kitchen"), channel("garden", "bench"))}
	h := startHost(t, o)
	h.ready("office", 0)
	h.ready("garden", 0)
	office, garden := openPage(t, addresses["office"]), openPage(t, addresses["garden"])
	if err := webchattest.Connected(t.Context(), office.page, "kitchen", garden.page); err != nil {
		t.Fatal(err)
	}
	before := peakMemory(t, h.cmd.Process.Pid)

	sum := sha256.New()
	hash := office.upload(io.TeeReader(io.LimitReader(newNoise(), size), sum), size)
	office.say("kitchen", "the film", hash)
	file := garden.sees("the film")
	if want := hex.EncodeToString(sum.Sum(nil)); file.Hash != want || file.Size != size {
		t.Errorf("the file that arrived is %+v, want %d bytes of hash %s", file, size, want)
	}
	if after := peakMemory(t, h.cmd.Process.Pid); after > before+grown {
		t.Errorf("the host's memory rose from %d to %d kB with a file of %d", before, after, size)
	}
	h.stop()
	left, err := filepath.Glob(filepath.Join(o.DataDir, "plugs", "*", "spool", "*", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the spools: %q, %v", left, err)
	}
}

// noise is bytes without end that don't compress to nothing: a block, again and again,
// whose length divides nobody's chunks, so that none of them are alike.
type noise struct {
	block []byte
	at    int
}

func newNoise() *noise {
	n := &noise{block: make([]byte, 1<<20-3)}
	_, _ = rand.NewChaCha8([32]byte{}).Read(n.block) // it never fails
	return n
}

func (n *noise) Read(p []byte) (int, error) {
	size := copy(p, n.block[n.at:])
	n.at = (n.at + size) % len(n.block)
	return size, nil
}

// peakMemory is the most that a process has ever had in memory, in kB.
func peakMemory(t *testing.T, pid int) (kb int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb
		}
	}
	t.Fatal("there is no VmHWM")
	return 0
}

func buildWebchat(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "webchat")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../plugins/webchat").CombinedOutput(); err != nil {
		t.Fatalf("build webchat: %v\n%s", err, out)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// chatPage is somebody at a webchat, whose faults end the test.
type chatPage struct {
	t    *testing.T
	page *webchattest.Page
}

func openPage(t *testing.T, address string) *chatPage {
	t.Helper()
	page, err := webchattest.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(page.Close)
	return &chatPage{t, page}
}

func (p *chatPage) say(room, text, hash string) {
	p.t.Helper()
	if err := p.page.Say(p.t.Context(), room, text, hash); err != nil {
		p.t.Fatal(err)
	}
}

func (p *chatPage) upload(content io.Reader, size int64) string {
	p.t.Helper()
	hash, err := p.page.Upload(p.t.Context(), content, size)
	if err != nil {
		p.t.Fatal(err)
	}
	return hash
}

func (p *chatPage) sees(text string) webchattest.File {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	file, err := p.page.Sees(ctx, text)
	if err != nil {
		p.t.Fatal(err)
	}
	return file
}
