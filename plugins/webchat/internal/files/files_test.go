package files

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openNew(t *testing.T, each, all int64) *Store {
	t.Helper()
	s, err := Open(Options{Dir: filepath.Join(t.TempDir(), "files"), Each: each, All: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *Store, content string) Info {
	t.Helper()
	info, err := s.Put(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// there are the names in a store's directory.
func there(t *testing.T, s *Store) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func picture(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Only what its own bytes say is an image is shown, whatever it is called.
func TestTypes(t *testing.T) {
	s := openNew(t, 1<<20, 1<<20)
	webp := "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
	for name, c := range map[string]struct {
		content, kind string
		shown         bool
		width         int
	}{
		"png":        {picture(t), "image/png", true, 30},
		"gif":        {"GIF89a\x05\x00\x04\x00\x00\x00\x00", "image/gif", true, 5},
		"webp":       {webp, "image/webp", true, 1},
		"a torn png": {"\x89PNG\x0d\x0a\x1a\x0a", "image/png", true, 0},
		"svg":        {`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "", false, 0},
		"svg in xml": {`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, "", false, 0},
		"html":       {"<!doctype html><script>alert(1)</script>", "text/html; charset=utf-8", false, 0},
		"pdf":        {"%PDF-1.4", "application/pdf", false, 0},
		"bmp":        {"BM123456", "image/bmp", false, 0},
		"bytes":      {"\x00\x01\x02", "application/octet-stream", false, 0},
	} {
		info := put(t, s, c.content)
		if info.Shown != c.shown || info.Width != c.width || c.kind != "" && info.Type != c.kind || info.Size != int64(len(c.content)) {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

// The same bytes are one file; a new process finds it again.
func TestOneFile(t *testing.T) {
	s := openNew(t, 100, 100)
	first := put(t, s, "hello")
	if again := put(t, s, "hello"); again != first || first.Hash != "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" {
		t.Errorf("got %+v and %+v", first, again)
	}
	if s.used != 5 {
		t.Errorf("%d bytes are in use", s.used)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "upload-cut-off"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	f, info, err := again.Open(first.Hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, _ := io.ReadAll(f); string(b) != "hello" || info != first || again.used != 5 {
		t.Errorf("read %q, %+v; %d in use", b, info, again.used)
	}
	if names := there(t, s); len(names) != 1 {
		t.Errorf("there are %v", names)
	}
}

// What is too large, too much, or cut off leaves nothing behind.
func TestNotTaken(t *testing.T) {
	s := openNew(t, 10, 25)
	broken := errors.New("cut off")
	for want, r := range map[error]io.Reader{
		ErrTooLarge: strings.NewReader("12345678901"),
		ErrEmpty:    strings.NewReader(""),
		broken:      io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)),
	} {
		if _, err := s.Put(r); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if names := there(t, s); len(names) != 0 || s.used != 0 {
		t.Errorf("left behind: %v, %d bytes", names, s.used)
	}
	put(t, s, "1234567890")
	put(t, s, "abcdefghij")
	if _, err := s.Put(strings.NewReader("ABCDEFGHIJ")); !errors.Is(err, ErrFull) {
		t.Errorf("more than there is space for: %v", err)
	}
	s.Remove(put(t, s, "12345").Hash)
	if len(there(t, s)) != 2 || s.used != 20 {
		t.Errorf("there are %v, %d bytes", there(t, s), s.used)
	}
}

// No name leads out of the directory.
func TestNames(t *testing.T) {
	s := openNew(t, 10, 10)
	if err := os.WriteFile(filepath.Join(s.Dir, "..", "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "../secret", ".", "secret", strings.Repeat("a", 63), strings.Repeat("A", 64), strings.Repeat("a", 64)} {
		if _, err := s.Info(name); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
		if s.Has(name) {
			t.Errorf("%q is there", name)
		}
		s.Remove(name)
	}
}

func TestSweep(t *testing.T) {
	s := openNew(t, 100, 1000)
	old := time.Now().Add(-Kept - time.Minute)
	age := func(hash string) {
		if err := s.root.Chtimes(hash, old, old); err != nil {
			t.Fatal(err)
		}
	}
	used, unused, young, asked := put(t, s, "used"), put(t, s, "unused"), put(t, s, "young"), put(t, s, "asked")
	age(used.Hash)
	age(unused.Hash)
	age(asked.Hash)
	if _, err := s.Info(asked.Hash); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context(), func(_ context.Context, hash string) (bool, error) { return hash == used.Hash, nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		info  Info
		there bool
	}{{used, true}, {unused, false}, {young, true}, {asked, true}} {
		if s.Has(c.info.Hash) != c.there {
			t.Errorf("%+v: there is %v", c.info, !c.there)
		}
	}
	broken := errors.New("not now")
	age(young.Hash)
	if err := s.Sweep(t.Context(), func(context.Context, string) (bool, error) { return false, broken }); !errors.Is(err, broken) || !s.Has(young.Hash) {
		t.Errorf("nobody could say: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := openNew(t, 1<<20, 100<<20)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if _, err := s.Put(strings.NewReader(strings.Repeat(string(rune('a'+i%4)), 100_000))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if names := there(t, s); len(names) != 4 || s.used != 400_000 {
		t.Errorf("%d files, %d bytes", len(names), s.used)
	}
}

func TestOverHTTP(t *testing.T) {
	s := openNew(t, 1000, 100_000)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	upload := func(content string) (int, Uploaded, string) {
		resp, err := http.Post(server.URL+"/", "text/html", strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		var u Uploaded
		if resp.StatusCode == http.StatusOK {
			if err := json.Unmarshal(b, &u); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode, u, string(b)
	}
	for content, disposition := range map[string]string{picture(t): "inline", "<script>alert(1)</script>": "attachment", "text": "attachment"} {
		status, u, _ := upload(content)
		if status != http.StatusOK || u.Shown != (disposition == "inline") {
			t.Fatalf("uploaded: %d, %+v", status, u)
		}
		resp, err := http.Get(server.URL + "/" + u.Hash)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		h := resp.Header
		kind := "application/octet-stream"
		if u.Shown {
			kind = u.Type
		}
		if string(b) != content || h.Get("Content-Type") != kind || h.Get("Content-Disposition") != disposition || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%q came as %v", content, h)
		}
	}
	for content, want := range map[string]int{strings.Repeat("x", 1001): http.StatusRequestEntityTooLarge, "": http.StatusBadRequest} {
		if status, _, words := upload(content); status != want || words == "" {
			t.Errorf("%d bytes: %d %s", len(content), status, words)
		}
	}
	// Without a length it is found out on the way.
	resp, err := http.Post(server.URL+"/", "", io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("of unknown length: %s", resp.Status)
	}
	for _, path := range []string{"/" + strings.Repeat("a", 64), "/..%2fsecret", "/"} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
