package host_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// "Over 16 MiB, or with invalid UTF-8, gRPC itself ends the stream: the host reopens it
// once from what it has, then counts a crash." Nothing is lost by it or doubled (D1, D2),
// and the plug is not started anew before.
func TestBrokenStreamIsOpenedOnceMore(t *testing.T) {
	t.Parallel()
	kinds := []string{"too large", "undecodable", "out of order"}
	binary := filepath.Join(t.TempDir(), "brokenplug")
	if words, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./testdata/brokenplug").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, words)
	}
	o := childOptions{DataDir: dataDir(t)}
	net, simnet := simulated(t)
	o.Plugs = []host.Plug{simnet("talk", "talk")}
	for _, kind := range kinds {
		name := id.InstanceName(strings.ReplaceAll(kind, " ", "-"))
		o.Plugs = append(o.Plugs, host.Plug{Name: name, Path: binary, Config: fmt.Appendf(nil, `{"kind": %q}`, kind)})
		o.Conversations = append(o.Conversations, bridge(channel(name, "c"), channel("talk", kind)))
	}
	h := startHost(t, o)
	for _, kind := range kinds {
		name := id.InstanceName(strings.ReplaceAll(kind, " ", "-"))
		accepted(t, net, kind, 4, h.log)
		if s := h.ready(name, 0); s.Restarts != 1 {
			t.Errorf("%s was restarted %d times, want once", kind, s.Restarts)
		}
		happened, err := os.ReadFile(filepath.Join(o.DataDir, "plugs", string(name), "state", "happened"))
		if want := "start stream-from-nothing stream-from-2 start stream-from-3"; err != nil || strings.Join(strings.Fields(string(happened)), " ") != want {
			t.Errorf("%s: there happened %q, %v, want %q", kind, happened, err, want)
		}
	}
	h.stop()
	ledger, err := net.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		var said []string
		for _, e := range ledger {
			if e.Kind == simnettest.Accepted && e.Channel == kind {
				said = append(said, e.Text)
			}
		}
		if want := []string{"message 2", "the first", "message 3", "message 5"}; !slices.Equal(said, want) {
			t.Errorf("%s: bridged was %q, want %q", kind, said, want)
		}
	}
}
