package host_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
)

// A large file crosses two plugs and the host: the same bytes arrive, and the host's
// memory doesn't grow with them.
func TestLargeFileCrosses(t *testing.T) {
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
	office.say("kitchen", "first", "")
	garden.sees("first") // everything has been used once
	before := peakMemory(t, h.cmd.Process.Pid)

	sum := sha256.New()
	hash := office.upload(io.TeeReader(io.LimitReader(pattern{}, size), sum), size)
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

// pattern is bytes without end that don't compress to nothing.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return len(p), nil
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

// chatPage is somebody at a webchat.
type chatPage struct {
	t       *testing.T
	address string
	conn    *websocket.Conn
}

func openPage(t *testing.T, address string) *chatPage {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+address+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	t.Cleanup(func() { conn.CloseNow() })
	p := &chatPage{t, address, conn}
	p.send(map[string]any{"type": "hello", "token": "0123456789abcdef"})
	alive := time.NewTicker(10 * time.Second)
	stop := make(chan struct{})
	t.Cleanup(func() {
		alive.Stop()
		close(stop)
	})
	go func() {
		for {
			select {
			case <-alive.C:
				_ = wsjson.Write(context.WithoutCancel(t.Context()), conn, map[string]any{"type": "alive"}) // the test sees a closed one
			case <-stop:
				return
			}
		}
	}()
	return p
}

func (p *chatPage) send(frame map[string]any) {
	p.t.Helper()
	if err := wsjson.Write(p.t.Context(), p.conn, frame); err != nil {
		p.t.Fatal(err)
	}
}

// say says something, with a file that was uploaded if hash is not empty.
func (p *chatPage) say(room, text, hash string) {
	p.t.Helper()
	frame := map[string]any{"type": "say", "room": room, "name": "Ann", "text": text, "client": fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
	if hash != "" {
		frame["files"] = []map[string]string{{"hash": hash, "name": "film.bin"}}
	}
	p.send(frame)
}

func (p *chatPage) upload(content io.Reader, size int64) (hash string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://"+p.address+"/files/", content)
	if err != nil {
		p.t.Fatal(err)
	}
	request.ContentLength = size
	request.Header.Set("Origin", "http://"+p.address)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("upload: %s, %v: %s", response.Status, err, answer)
	}
	var uploaded struct{ Hash string }
	if err := json.Unmarshal(answer, &uploaded); err != nil {
		p.t.Fatal(err)
	}
	return uploaded.Hash
}

type pageFile struct {
	Hash string
	Size int64
}

// sees waits until the page shows a text, and returns the message's first file.
func (p *chatPage) sees(text string) pageFile {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	type message struct {
		Text  string
		Files []pageFile
	}
	for {
		var answer struct {
			Messages []message
			Changes  []struct{ Message *message }
		}
		if err := wsjson.Read(ctx, p.conn, &answer); err != nil {
			p.t.Fatalf("the page doesn't show %q: %v", text, err)
		}
		for _, c := range answer.Changes {
			if c.Message != nil {
				answer.Messages = append(answer.Messages, *c.Message)
			}
		}
		for _, m := range answer.Messages {
			if m.Text != text {
				continue
			}
			if len(m.Files) == 0 {
				return pageFile{}
			}
			return m.Files[0]
		}
	}
}
