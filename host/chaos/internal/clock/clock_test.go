package clock

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram has the test's binary be the program whose clock is moved, asParent one that
// starts it.
const asProgram, asParent = "CLOCK_TEST_PROGRAM", "CLOCK_TEST_PARENT"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asParent) != "":
		var c Clock
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asParent+"=")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		wait, err := c.Start(cmd)
		if err == nil {
			err = wait()
		}
		fmt.Println(err)
	case os.Getenv(asProgram) != "":
		answerLines()
	default:
		m.Run()
	}
}

// answerLines is the program: it answers each line with a number.
func answerLines() {
	begun := time.Now()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch question, argument, _ := strings.Cut(in.Text(), " "); question {
		case "now":
			fmt.Println(time.Now().UnixNano())
		case "since":
			fmt.Println(time.Since(begun).Nanoseconds())
		case "child":
			child := exec.Command(os.Args[0])
			child.Stdin, child.Stdout, child.Stderr = strings.NewReader("now\n"), os.Stdout, os.Stderr
			if err := child.Run(); err != nil {
				fmt.Println(err)
			}
		case "cost": // of a number of calls
			n, _ := strconv.Atoi(argument)
			begun := time.Now()
			for range n {
				_ = time.Now()
			}
			fmt.Println(time.Since(begun).Nanoseconds())
		}
	}
}

// program is one that runs.
type program struct {
	t    testing.TB
	cmd  *exec.Cmd
	wait func() error
	in   io.Writer
	out  *bufio.Scanner
}

func start(t testing.TB, c *Clock) *program {
	return startBy(t, c.Start)
}

func startBy(t testing.TB, start func(*exec.Cmd) (func() error, error), environment ...string) *program {
	p := &program{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Stderr = os.Stderr
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0"), environment...)
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.wait, err = start(p.cmd); err != nil {
		if os.Getuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("only root is sure to be able to give a program a clock: %v", err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	p.wait = sync.OnceValue(p.wait)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.wait()
	})
	return p
}

func (p *program) ask(question string) int64 {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, question); err != nil {
		p.t.Fatal(err)
	}
	if !p.out.Scan() {
		p.t.Fatalf("%s: the program has ended: %v", question, p.out.Err())
	}
	n, err := strconv.ParseInt(p.out.Text(), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// sees fails unless the program's answer is a time between two moments of the test that
// are moved by d.
func (p *program) sees(question string, d time.Duration) {
	p.t.Helper()
	least := time.Now().Add(d)
	got := time.Unix(0, p.ask(question))
	if most := time.Now().Add(d); got.Before(least.Round(0)) || got.After(most.Round(0)) {
		p.t.Errorf("%s: %v, want between %v and %v", question, got, least, most)
	}
}

// A program's clock goes where it is set, forwards and back; its child has the true time,
// and what it measures is right.
func TestJump(t *testing.T) {
	var c Clock
	begun := time.Now()
	p := start(t, &c)
	p.sees("now", 0)
	for _, by := range []time.Duration{time.Hour, -2 * time.Second, -3 * time.Hour, 5 * time.Minute} {
		c.Jump(by)
		p.sees("now", c.Wrong())
		p.sees("child", 0)
		if measured := time.Duration(p.ask("since")); measured < 0 || measured > time.Since(begun) {
			t.Errorf("it has run for %v, and measured %v", time.Since(begun), measured)
		}
	}
}

// A program started anew has the clock that the one before had, others have theirs.
func TestAgain(t *testing.T) {
	var ahead, behind Clock
	ahead.Jump(time.Hour)
	behind.Jump(-time.Hour)
	for range 3 {
		p, q := start(t, &ahead), start(t, &behind)
		p.sees("now", time.Hour)
		q.sees("now", -time.Hour)
	}
}

// Of a program that was killed nothing is left: no process, no goroutine, no file.
func TestKill(t *testing.T) {
	var c Clock
	goleak.VerifyNone(t) // of another test
	files := openFiles(t)
	for range 5 {
		p := start(t, &c)
		if _, err := fmt.Fprintln(p.in, "cost 1000000000"); err != nil { // it is in the midst of calls
			t.Fatal(err)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := p.wait(); !errors.As(err, &exit) {
			t.Errorf("it ended with %v, want a signal", err)
		}
		if err := syscall.Kill(p.cmd.Process.Pid, 0); err != syscall.ESRCH {
			t.Errorf("the process is still there: %v", err)
		}
	}
	goleak.VerifyNone(t)
	if n := openFiles(t); n != files {
		t.Errorf("%d files are open, before it were %d", n, files)
	}
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("open files can be counted only where there is a /proc: %v", err)
	}
	return len(entries)
}

// Who answers a program takes it along.
func TestParent(t *testing.T) {
	start(t, &Clock{}) // skips where it can't be
	p := startBy(t, func(cmd *exec.Cmd) (func() error, error) { return cmd.Wait, cmd.Start() }, asParent+"=1")
	p.sees("now", 0)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if p.out.Scan() { // until who writes has ended
		t.Errorf("it says %q", p.out.Text())
	}
}

// A program ends as it wants to, and its status is known.
func TestEnd(t *testing.T) {
	var c Clock
	p := start(t, &c)
	if err := p.in.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	if _, err := c.Start(exec.Command("/nowhere")); err == nil {
		t.Error("what isn't there was started")
	}
}

// The cost of a time.Now in a program with a clock of its own.
func BenchmarkNow(b *testing.B) {
	var c Clock
	p := start(b, &c)
	b.ReportMetric(float64(p.ask(fmt.Sprint("cost ", b.N)))/float64(b.N), "ns/op")
}
