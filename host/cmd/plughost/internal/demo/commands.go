package demo

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

func (d *demo) greet() {
	d.say(`
Two chats, each a plug of its own process, in one conversation. Open both pages:

  north    %s
  south    %s
  buttons  %s

What you write in one appears in the other. Then break it, and write on meanwhile:
each message arrives once, whatever you kill. Press the buttons, or type here:

  kill north     kill the plug's process; the host starts it again
  freeze north   stop it where it stands; the host notices, or you thaw it
  thaw north     let it go on
  kill host      kill the host itself; the demo starts it again
  stop host      stop the host, and its plugs with it
  start host     start it again
  status         show what runs
  quit           stop all, and leave nothing behind
`, d.addresses["north"], d.addresses["south"], d.control.URL())
}

// buttons are the commands that the page has a button for.
var buttons = []string{
	"kill north", "freeze north", "thaw north", "kill south", "freeze south", "thaw south", "kill host", "stop host", "start host",
}

// command does what a line says. It returns true for quit.
func (d *demo) command(line string) (quit bool) {
	words := strings.Fields(strings.ToLower(line))
	if len(words) == 0 {
		return false
	}
	onPlug := len(words) == 2 && slices.Contains(sides, words[1])
	switch verb := words[0]; {
	case verb == "quit", verb == "exit":
		return true
	case verb == "status":
		d.status()
	case verb == "help":
		d.greet()
	case len(words) == 2 && words[1] == "host" && slices.Contains([]string{"kill", "stop", "start"}, verb):
		d.onHost(verb)
	case verb == "kill" && onPlug:
		d.signalPlug(words[1], syscall.SIGKILL, "%s was killed.")
	case verb == "freeze" && onPlug:
		d.signalPlug(words[1], syscall.SIGSTOP, "%s is frozen. Within a minute the host notices that it does not answer, and starts it anew.")
	case verb == "thaw" && onPlug:
		d.signalPlug(words[1], syscall.SIGCONT, "%s goes on, if it was frozen.")
	default:
		d.say("There is no %q. Type kill, freeze or thaw with north or south, kill, stop or start host, status, help or quit.", line)
	}
	return false
}

// onHost kills, stops or starts the host.
func (d *demo) onHost(verb string) {
	switch {
	case d.stopping:
	case verb == "start" && !d.down:
		d.say("The host runs.")
	case verb == "start":
		d.tell("The host is started.")
		d.failed = d.startHost()
	case d.down:
		d.say("The host is stopped; start host starts it.")
	case verb == "stop":
		if !d.halting {
			d.halting = true
			d.tell("The host is being stopped.")
			d.host.signal(syscall.SIGTERM)
		}
	default:
		d.host.signal(syscall.SIGKILL)
	}
}

// signalPlug sends a signal to a plug's process.
func (d *demo) signalPlug(side string, signal syscall.Signal, done string) {
	pid := d.plugs[side].Pid
	if !d.hostOwns(pid) {
		d.say("%s has no process now; see status.", side)
		return
	}
	if err := syscall.Kill(pid, signal); err != nil {
		d.say("%s: %v", side, err)
		return
	}
	switch signal {
	case syscall.SIGSTOP:
		d.frozen[side] = pid
	case syscall.SIGCONT:
		delete(d.frozen, side)
	}
	d.tell(done, side)
}

// hostOwns says whether a process is a child of the host: by now its number may be
// another's.
func (d *demo) hostOwns(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", d.host.cmd.Process.Pid))
}

func (d *demo) status() {
	if d.down {
		d.say("  host   is stopped; start host starts it")
		return
	}
	d.say("  host   runs, process %d", d.host.cmd.Process.Pid)
	for _, side := range sides {
		s, known := d.plugs[side]
		if !known {
			d.say("  %-6s not heard of since the host started", side)
			continue
		}
		line := words(s)
		if line == "" {
			line = "is " + s.State
		}
		d.say("  %-6s %s, for %s; process %d, started again %d times; %s",
			side, line, time.Since(s.Since).Round(time.Second), s.Pid, s.Restarts, d.addresses[side])
	}
}
