package host_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// O5: a Put that never returns keeps its channel, until the plug's process ends by itself,
// a while after the Put's deadline, and leaves the stacks that show where it was. The host
// starts the plug again, and the channel goes on.
func TestStuckPutIsFreedByTheEndOfItsProcess(t *testing.T) {
	t.Parallel()
	net, talk := simulated(t, simnettest.Account{Name: "talk"})
	o := childOptions{DataDir: dataDir(t), Plugs: []host.Plug{talk("talk", "talk"), {Name: "stuck", Path: buildStuckPlug(t)}},
		Conversations: []host.Conversation{bridge(channel("talk", "a"), channel("stuck", "c"))}}
	h := startHost(t, o)
	h.ready("talk", 0)
	pid := h.ready("stuck", 0).Pid
	allListen(t, net, 1)
	want := []string{"before", "hang", "behind"}
	for _, words := range want {
		speak(t, net, "a", words)
	}
	h.ready("stuck", pid)
	gone(t, "stuck", pid)
	said := func() []string {
		words, _ := os.ReadFile(filepath.Join(o.DataDir, "plugs", "stuck", "state", "said")) // there is none yet
		return strings.Fields(string(words))
	}
	until(t, "the channel goes on", func() bool { return slices.Equal(said(), want) })
	h.stop()
	if got := said(); !slices.Equal(got, want) {
		t.Errorf("said was %q", got)
	}
	log, err := os.ReadFile(filepath.Join(o.DataDir, "..", "host.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"a put does not return, long after its deadline", "main.(*stuckPlug).Put", "exit status 70"} {
		if !strings.Contains(string(log), words) {
			t.Errorf("the log does not say %q\n%s", words, h.log())
		}
	}
	if s := h.was("stuck", "ready"); s.Restarts != 1 {
		t.Errorf("it was restarted %d times, want once", s.Restarts)
	}
	nothingWaits(t, o.DataDir)
}

// buildStuckPlug builds the plug with an SDK whose patience is shorter than a minute, but
// still longer than the host's: the host waits 5 s beyond the deadline of a Put.
func buildStuckPlug(t *testing.T) string {
	t.Helper()
	const minute, shorter = "const stuckAfter = time.Minute", "const stuckAfter = 8 * time.Second"
	path, err := filepath.Abs("../sdk/go/plug/stuck.go")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(code), minute) != 1 {
		t.Fatalf("%s lacks %q", path, minute)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, "stuck.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "stuckplug")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{changed: strings.Replace(string(code), minute, shorter, 1), overlay: string(replace)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if words, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", binary, "./testdata/stuckplug").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, words)
	}
	return binary
}
