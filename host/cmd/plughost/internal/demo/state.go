package demo

import (
	"fmt"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/cmd/plughost/internal/demo/control"
	"github.com/plughost/plughost/host/internal/api"
)

// changed shows a plug's new state.
func (d *demo) changed(s host.Status) {
	side := string(s.Plug)
	d.plugs[side] = s
	if line := words(s); line != d.shown[side] && line != "" && !d.stopping {
		d.shown[side] = line
		d.say("  %s  %-6s %s", time.Now().Format("15:04:05"), side, line)
		d.control.Said(side + " " + line + ".")
	}
	if !d.greeted && d.plugs[sides[0]].State == "ready" && d.plugs[sides[1]].State == "ready" {
		d.greeted = true
		d.greet()
	}
}

// words says a state in words; nothing for one that only lasts an instant.
func words(s host.Status) string {
	line := map[string]string{
		"starting": "starts",
		"ready":    "is ready",
		"degraded": "works, but not as it should",
		"backoff":  "is down and will be started again",
		"held":     "is held: it needs a person",
		"failed":   "has failed: it needs a person",
		"stopping": "is being stopped",
	}[s.State]
	if line == "" {
		return ""
	}
	if s.State == "ready" && s.Restarts > 0 {
		line += " again"
	}
	if reason := api.Brief(s.Reason); reason != "" {
		line += ": " + reason
	}
	return line
}

// state is what the page with the buttons shows.
func (d *demo) state() control.State {
	s := control.State{Host: control.Process{State: "ready", Words: "runs", Pid: d.host.cmd.Process.Pid, Since: d.since.UnixMilli()}}
	switch {
	case d.down:
		s.Host.State, s.Host.Words, s.Host.Pid = "stopped", "is stopped", 0
	case d.halting || d.stopping:
		s.Host.State, s.Host.Words = "stopping", "is being stopped"
	}
	for _, side := range sides {
		p := control.Plug{Name: side, Address: d.addresses[side], Process: control.Process{State: "starting", Words: "is not heard of yet"}}
		if d.down {
			p.State, p.Words = "stopped", "is stopped with the host"
		}
		if heard, ok := d.plugs[side]; ok {
			p.State, p.Words, p.Pid, p.Since, p.Restarts = heard.State, words(heard), heard.Pid, heard.Since.UnixMilli(), heard.Restarts
			if p.Words == "" {
				p.Words = "is " + heard.State
			}
			p.Frozen = p.Pid != 0 && d.frozen[side] == p.Pid
		}
		s.Plugs = append(s.Plugs, p)
	}
	return s
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.o.Out, format+"\n", args...)
}

// tell says something that has happened, here and on the page.
func (d *demo) tell(format string, args ...any) {
	d.say(format, args...)
	d.control.Said(fmt.Sprintf(format, args...))
}
