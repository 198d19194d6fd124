package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/api"
)

// gapJSON is how scripts get a time that a network could not replay.
type gapJSON struct {
	Source id.ChannelSource `json:"source,omitempty"`
	Since  time.Time        `json:"since,omitzero"`
	Until  time.Time        `json:"until"`
	Reason string           `json:"reason"`
	Filled int              `json:"filled"`
	Closed bool             `json:"closed"`
	Lack   string           `json:"lack,omitempty"`
}

func gapsJSON(gaps []host.Gap) (all []gapJSON) {
	for _, g := range gaps {
		all = append(all, gapJSON(g))
	}
	return all
}

// printGaps prints what could not be replayed, if anything.
func printGaps(w io.Writer, plugs []host.Status) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	headed := false
	for _, s := range plugs {
		for _, g := range s.Gaps {
			if !headed {
				fmt.Fprintln(table, "\nGAP\tREASON\tFILLED")
				headed = true
			}
			name := string(s.Plug)
			if g.Source != "" {
				name = hook.Channel{Plug: s.Plug, Source: g.Source}.String()
			}
			fmt.Fprintf(table, "%s offline %s\t%s\t%s\n", printable(name), between(g.Since, g.Until), api.Brief(g.Reason), filled(g))
		}
	}
	return table.Flush()
}

// between gives a time from one moment to another, in the reader's zone.
func between(since, until time.Time) string {
	const moment = "2006-01-02 15:04:05"
	if since.IsZero() {
		return "until " + until.Local().Format(moment)
	}
	end := until.Local().Format(moment)
	if since.Local().Format(time.DateOnly) == until.Local().Format(time.DateOnly) {
		end = until.Local().Format(time.TimeOnly)
	}
	return since.Local().Format(moment) + " - " + end
}

// filled says how far a gap is filled.
func filled(g host.Gap) string {
	switch {
	case !g.Closed:
		return "not yet"
	case g.Lack != "" && g.Filled == 0:
		return "no: " + api.Brief(g.Lack)
	case g.Lack != "":
		return fmt.Sprintf("%d messages: %s", g.Filled, api.Brief(g.Lack))
	}
	return fmt.Sprintf("%d messages", g.Filled)
}
