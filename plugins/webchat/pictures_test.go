package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Authors of other networks are shown with their picture, if a browser may show it and
// it isn't too large; what they say is shown in any case.
func TestPictures(t *testing.T) {
	h := launch(t)
	spool := t.TempDir()
	resp, err := h.client.Start(h.ctx, &plugv1.StartRequest{Instance: "test", ConfigJson: `{}`, Sources: []string{"lobby"}, StateDir: t.TempDir(), SpoolDir: spool})
	if err != nil || resp.GetFailure() != nil {
		t.Fatal(resp, err)
	}
	if !slices.Contains(resp.GetAbilities().GetFeatures(), plugv1.Feature_FEATURE_AVATAR) {
		t.Error("it names no such feature")
	}
	if err := os.MkdirAll(filepath.Join(spool, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	gif := func(width, height uint16) string {
		return string(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte("GIF89a"), width), height)) + "\x00\x00\x00"
	}
	ann := h.visit()
	for i, c := range []struct {
		what, content string
		size          uint64
		shown         bool
	}{
		{"a picture", gif(64, 64), 0, true},
		{"the largest", gif(maxPictureSide, maxPictureSide), maxPictureBytes, true},
		{"too many bytes", gif(64, 65), maxPictureBytes + 1, false},
		{"too wide", gif(maxPictureSide+1, 1), 0, false},
		{"too high", gif(1, maxPictureSide+1), 0, false},
		{"what could run", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, 0, false},
		{"no picture at all", "text", 0, false},
		{"nothing", "", 0, false},
	} {
		name := fmt.Sprint("avatar", i)
		if err := os.WriteFile(filepath.Join(spool, "in", name), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := putRequest(operation(i), c.what)
		r.Action.Author.User.Avatar = &plugv1.Avatar{Hash: name, File: &plugv1.SpoolFile{Name: name, Size: c.size}}
		if resp := h.put(r); resp.GetFailure() != nil {
			t.Fatalf("%s: %v", c.what, resp)
		}
		want := ""
		if sum := sha256.Sum256([]byte(c.content)); c.shown {
			want = hex.EncodeToString(sum[:])
		}
		if got := ann.sees(c.what); got.Avatar != want {
			t.Errorf("%s: the picture is %q, want %q", c.what, got.Avatar, want)
		}
	}
	r := putRequest(operation(99), "of far away")
	r.Action.Author.User.Avatar = &plugv1.Avatar{Hash: "x", Url: "https://tracker.example/x.png"}
	if h.put(r); ann.sees("of far away").Avatar != "" {
		t.Error("the page would load from elsewhere")
	}
}
