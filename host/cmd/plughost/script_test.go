package main_test

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/internal/api"
	"github.com/plughost/plughost/host/internal/journal/storage"
)

// update rewrites what the scripts compare with.
var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

// patience bounds every wait for what must happen.
const patience = 60 * time.Second

// binaries is the directory with the binaries under test, as make build lays
// them out: plughost, and plugs/ beside it.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	// A short name: a unix socket's path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "ph")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binaries = dir
	return m.Run()
}

// build builds the shipped binary, the webchat plug and the test's own plugs.
func build(dir string) error {
	plugs := filepath.Join(dir, "plugs")
	if err := os.Mkdir(plugs, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-ldflags", "-X main.version=1.2.3-test", "-o", dir, "."},
		{"-o", filepath.Join(plugs, "irc"), "./testdata/testplug"},
		{"-o", plugs, "../../../plugins/webchat"},
	} {
		if out, err := exec.Command("go", append([]string{"build"}, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"bare", "directory", "feed", "forgetful", "pager", "picky", "crashes"} {
		if err := os.Link(filepath.Join(plugs, "irc"), filepath.Join(plugs, name)); err != nil {
			return err
		}
	}
	return nil
}

func TestScripts(t *testing.T) {
	work, err := os.MkdirTemp("", "ph")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	var scripts atomic.Int32
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		WorkdirRoot:   work,
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binaries+string(filepath.ListSeparator)+e.Getenv("PATH"))
			// What a script leaves is seen here; short, as above.
			tmp := filepath.Join(work, strconv.Itoa(int(scripts.Add(1))))
			if err := os.Mkdir(tmp, 0o700); err != nil {
				return err
			}
			e.Setenv("TMPDIR", tmp)
			// Here every plug's directory is the default one, beside the config.
			return os.Symlink(filepath.Join(binaries, "plugs"), filepath.Join(e.WorkDir, "plugs"))
		},
		Condition: func(condition string) (bool, error) {
			_, err := os.Stat("/etc/plughost/plughost.yaml")
			return err == nil, nil // there is one condition: "etc"
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":      code,
			"await":     await,
			"awaitgap":  awaitGap,
			"untilsays": untilSays,
			"fetch":     fetch,
			"press":     press,
			"signal":    signal,
			"nothing":   nothing,
			"store":     store,
		},
	})
}

// code runs a program that must end with an exit code: code 78 plughost check.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// until tries something again until it is so.
func until(ts *testscript.TestScript, what string, so func() bool) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !so(); <-again.C {
		if time.Now().After(deadline) {
			ts.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

// await waits until a host's plug is in a state, and was restarted a number of
// times if one is given: await DATADIR PLUG STATE [N].
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: await DATADIR PLUG STATE [N]")
	}
	restarts := number(ts, args[3:], 0)
	untilStatus(ts, args, func(s host.Status) bool { return s.State == args[2] && s.Restarts >= restarts })
}

// awaitGap waits until a host's plug has a gap for which nothing more is done: awaitgap
// DATADIR PLUG.
func awaitGap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaitgap DATADIR PLUG")
	}
	untilStatus(ts, args, func(s host.Status) bool { return len(s.Gaps) > 0 && s.Gaps[0].Closed })
}

// untilStatus waits until the status of the plug args[1] of the host args[0] is so.
func untilStatus(ts *testscript.TestScript, args []string, so func(host.Status) bool) {
	client := api.NewClient(ts.MkAbs(args[0]))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	until(ts, strings.Join(args, " "), func() bool {
		plugs, err := client.Plugs(ctx)
		return err == nil && slices.ContainsFunc(plugs, func(s host.Status) bool { return string(s.Plug) == args[1] && so(s) })
	})
}

// untilSays waits until a file holds a text, a number of times if one is given:
// untilsays FILE TEXT [N].
func untilSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: untilsays FILE TEXT [N]")
	}
	want := number(ts, args[2:], 1)
	until(ts, strings.Join(args, " "), func() bool {
		content, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Count(string(content), args[1]) >= want
	})
}

// number gives the number that an optional last argument is.
func number(ts *testscript.TestScript, args []string, otherwise int) int {
	if len(args) == 0 {
		return otherwise
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	return n
}

// fetch gets a page whose address stands in a file behind a word: fetch FILE WORD.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fetch FILE WORD")
	}
	address := addressIn(ts, args[0], args[1])
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	response, err := client.Get(address)
	ts.Check(err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	ts.Check(err)
	if response.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", address, response.Status)
	}
}

// addressIn gives the address that stands in a file behind a word.
func addressIn(ts *testscript.TestScript, file, word string) string {
	fields := strings.Fields(ts.ReadFile(file))
	for i := range len(fields) - 1 {
		if fields[i] == word && strings.HasPrefix(fields[i+1], "http://") {
			return fields[i+1]
		}
	}
	ts.Fatalf("%s has no address behind %q", file, word)
	return ""
}

// press presses a button of the demo's page, whose address stands in a file:
// press FILE COMMAND.
func press(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: press FILE COMMAND")
	}
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	response, err := client.PostForm(addressIn(ts, args[0], "buttons")+"command", url.Values{"line": {args[1]}})
	ts.Check(err)
	response.Body.Close()
	if pressed := response.StatusCode == http.StatusNoContent; pressed == neg {
		ts.Fatalf("%s: %s", args[1], response.Status)
	}
}

// signals that scripts send.
var signals = map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}

// signal signals the one process that runs in the script's directory with an
// argument: signal TERM run.
func signal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal INT|TERM|KILL|STOP|CONT ARGUMENT")
	}
	var found []int
	until(ts, "one process with argument "+args[1], func() bool {
		found = slices.DeleteFunc(processes(ts), func(pid int) bool {
			arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return !slices.Contains(strings.Split(string(arguments), "\x00"), args[1])
		})
		return len(found) == 1
	})
	ts.Check(syscall.Kill(found[0], signals[args[0]]))
}

// nothing waits until no process of the script is left, and fails if a directory
// is not empty then: nothing DIR.
func nothing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: nothing DIR")
	}
	until(ts, "no process is left", func() bool { return len(processes(ts)) == 0 })
	until(ts, "nothing is left in "+args[0], func() bool {
		left, err := os.ReadDir(ts.MkAbs(args[0]))
		return err == nil && len(left) == 0
	})
}

// store writes a record into the journal of a host that does not run, as no host would:
// store DATADIR SUBJECT HEX.
func store(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: store DATADIR SUBJECT HEX")
	}
	data, err := hex.DecodeString(args[2])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := storage.OpenStopped(ctx, filepath.Join(ts.MkAbs(args[0]), "journal"))
	ts.Check(err)
	_, err = s.Append(ctx, storage.Entry{Subject: args[1], Data: data})
	ts.Check(errors.Join(err, s.Close()))
}

// processes lists what the script has running: what it gave its environment to,
// and plugs, which have another and whose directory is in the script's.
func processes(ts *testscript.TestScript) []int {
	work := ts.Getenv("WORK")
	entries, err := os.ReadDir("/proc")
	ts.Check(err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// Errors are of processes that have ended.
		environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		directory, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if slices.Contains(strings.Split(string(environment), "\x00"), "WORK="+work) || strings.HasPrefix(directory, work) {
			found = append(found, pid)
		}
	}
	return found
}
