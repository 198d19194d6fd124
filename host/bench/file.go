package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/plugins/webchat/webchattest"
)

// fileBytes is the size of the file of bridgeFile.
const fileBytes = 100 << 20

// bridgeFile is how fast a file of 100 MB crosses two webchats, from its message's being
// said to its being shown at the other side; it is copied and hashed four times on its
// way, and synced to disk. The yardstick is cp of the same file.
func bridgeFile(ctx context.Context, s *suite) ([]figure, error) {
	dir, err := os.MkdirTemp(s.dir, "f")
	if err != nil {
		return nil, err
	}
	w := &world{suite: s, dir: dir}
	defer w.close()
	var addresses [2]string
	for i := range addresses {
		if addresses[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	config := fmt.Sprintf("version: 1\ndata_dir: %q\nplugs_dir: %q\nplugs:\n", w.dataDir(), filepath.Join(s.bin, "plugs"))
	for i, name := range []string{"office", "garden"} {
		config += fmt.Sprintf("  %s: {use: webchat, config: {listen: %q, max_file_mb: 200, files_mb: 4000}}\n", name, addresses[i])
	}
	config += "conversations: {tea: {members: [office/kitchen, garden/bench]}}\n"
	if err := os.WriteFile(w.config(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	w.api = api.NewClient(w.dataDir())
	if err := w.start(ctx); err != nil {
		return nil, err
	}
	var pages [2]*webchattest.Page
	for i, address := range addresses {
		if pages[i], err = webchattest.Open(ctx, address); err != nil {
			return nil, err
		}
		defer pages[i].Close()
	}
	if err := webchattest.Connected(ctx, pages[0], "kitchen", pages[1]); err != nil {
		return nil, err
	}
	var rates, limits []float64
	for round := range pick(s, 5, 2) {
		limit, err := copied(ctx, dir, round)
		if err != nil {
			return nil, err
		}
		rate, err := crossed(ctx, pages, round)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(s.say, "  cp %.0f MB/s, bridged %.0f MB/s\n", limit, rate)
		rates, limits = append(rates, rate), append(limits, limit)
	}
	return []figure{{
		Name: "bridge_file_100mb", Value: median(rates), Unit: "MB/s", Limit: median(limits), expected: "—",
		note: "a file of 100 MiB from one webchat to another; limit: cp of the same file on the same disk",
	}}, nil
}

// crossed uploads a file, and times it from its message to its being shown.
func crossed(ctx context.Context, pages [2]*webchattest.Page, round int) (rate float64, err error) {
	hash, err := pages[0].Upload(ctx, io.LimitReader(&bytesOf{next: byte(round)}, fileBytes), fileBytes)
	if err != nil {
		return 0, err
	}
	text := fmt.Sprint("file ", round)
	begun := time.Now()
	if err := pages[0].Say(ctx, "kitchen", text, hash); err != nil {
		return 0, err
	}
	file, err := pages[1].Sees(ctx, text)
	if err == nil && (file.Hash != hash || file.Size != fileBytes) {
		err = errors.New("another file arrived")
	}
	return fileBytes / 1e6 / time.Since(begun).Seconds(), err
}

// copied times cp of such a file.
func copied(ctx context.Context, dir string, round int) (rate float64, err error) {
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	f, err := os.Create(from)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(f, io.LimitReader(&bytesOf{next: byte(round)}, fileBytes))
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	begun := time.Now()
	if out, err := exec.CommandContext(ctx, "cp", from, to).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cp: %w: %s", err, out)
	}
	rate = fileBytes / 1e6 / time.Since(begun).Seconds()
	return rate, errors.Join(os.Remove(from), os.Remove(to))
}

// bytesOf is bytes without end, other ones for each beginning.
type bytesOf struct{ next byte }

func (b *bytesOf) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = b.next ^ byte(i>>6)
		b.next = b.next*5 + 7
	}
	return len(p), nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
