package check

import (
	"fmt"
	"io"
	"slices"

	"github.com/plughost/plughost/host/chaos/internal/ledger"
)

// Story tells all that is known of a message: what its network and all others have of
// it, the events and the operations with their attempts and their ends.
func Story(w io.Writer, r Run, t ledger.Token) {
	ids := map[about]bool{}
	operations := map[string]bool{}
	for _, n := range r.Plan.Networks {
		for _, l := range r.Lines[n.Plug] {
			for _, text := range []string{l.Text, l.Detail} {
				if of, _, ok := ledger.Find(text); ok && of == t && l.By != ledger.Host && l.Kind == ledger.Said {
					ids[about{l.Member, l.ID}] = true
				}
			}
		}
	}
	fmt.Fprintf(w, "the story of %s\n the journal's operations:\n", t)
	for _, op := range r.Record.Operations {
		of, _, ok := ledger.Find(op.Text)
		if ok && of == t || ids[about{op.About, op.AboutID}] {
			operations[op.ID], operations[op.Fallback] = true, true
			fmt.Fprintln(w, " ", op)
		}
	}
	fmt.Fprintln(w, " the journal's events:")
	for _, e := range r.Record.Events {
		if ids[about{e.Member, bare(e.MessageID)}] || operations[e.Operation] && e.Operation != "" {
			fmt.Fprintln(w, " ", e)
		}
	}
	fmt.Fprintln(w, " the networks:")
	for _, n := range r.Plan.Networks {
		var sent []about
		for _, l := range r.Lines[n.Plug] {
			k := about{l.Member, l.ID}
			if l.Operation != "" && operations[l.Operation] && l.Kind == ledger.Said {
				sent = append(sent, k)
			}
			if l.ID != "" && (ids[k] || slices.Contains(sent, k)) || l.Operation != "" && operations[l.Operation] {
				fmt.Fprintln(w, " ", l)
			}
		}
	}
}
