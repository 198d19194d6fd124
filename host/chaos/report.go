package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/plughost/plughost/host/chaos/internal/check"
	"github.com/plughost/plughost/host/chaos/internal/ledger"
	"github.com/plughost/plughost/host/chaos/internal/plan"
)

// stories is the most messages whose story is told.
const stories = 20

// effects are what must have happened in a run that proves something, beside each
// fault of its plan.
var effects = []string{
	string(plan.Say), string(plan.Edit), string(plan.Delete), string(plan.React), string(plan.Unreact),
	string(plan.FromDevice), string(plan.Again),
	check.Settled + "ANSWER", check.Settled + "ECHO", check.Settled + "PUT_OUTCOME", check.Settled + "HOST",
	check.ParkedAs + "VERDICT_REFUSED", check.ParkedAs + "VERDICT_UNCERTAIN",
	check.ShownTwice, check.Replayed, check.Withheld, check.Echoes,
	check.Refused + "not_sent", check.Refused + "rate_limited", check.Refused + "refused", check.Refused + "uncertain",
	check.Refused + "no_answer", check.Refused + "disconnect",
	check.Moved, check.MovedHeard, check.MovedWaiting, check.MovedTrying, check.MovedLate, check.MovedHost, check.MovedSaid,
	check.MovedOld, check.MovedChanged,
}

// report prints a run's outcome. The error says that something was broken or, if strict,
// that too little happened.
func report(out io.Writer, run check.Run, counts map[string]int, broken []string, strict bool) error {
	r := check.Check(run)
	for what, n := range check.Counts(run) {
		counts[what] += n
	}
	wanted := required(run.Plan)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var none []string
	for _, what := range slices.Sorted(maps.Keys(merge(counts, wanted))) {
		mark := ""
		if wanted[what] && counts[what] == 0 {
			mark = "NEVER"
			none = append(none, what)
		}
		fmt.Fprintf(t, "%6d\t%s\t%s\n", counts[what], what, mark)
	}
	_ = t.Flush()
	fmt.Fprintf(out, "delivered %d, changed %d, files whole %d\n", r.Delivered, r.Changed, r.Whole)
	for _, sentence := range slices.Sorted(maps.Keys(r.Allowed)) {
		fmt.Fprintf(out, "allowed %d times: %s\n", r.Allowed[sentence], sentence)
	}
	told := map[ledger.Token]bool{}
	for _, words := range broken {
		fmt.Fprintln(out, "BROKEN", words)
	}
	for _, v := range r.Violations {
		fmt.Fprintln(out, "BROKEN", v)
		if v.Token != 0 && !told[v.Token] && len(told) < stories {
			told[v.Token] = true
			check.Story(out, run, v.Token)
		}
	}
	if n := len(broken) + len(r.Violations); n > 0 {
		return fmt.Errorf("%d promises were broken", n)
	}
	if strict && len(none) > 0 {
		return fmt.Errorf("no proof: it never happened that %s", strings.Join(none, ", "))
	}
	return nil
}

// required is what must have happened: each fault that the plan has, and the effects.
func required(p *plan.Plan) map[string]bool {
	wanted := map[string]bool{}
	for _, l := range p.Faults {
		for _, s := range l.Steps {
			wanted[s.Name] = true
		}
	}
	for _, e := range effects {
		wanted[e] = true
	}
	return wanted
}

func merge(counts map[string]int, wanted map[string]bool) map[string]bool {
	all := maps.Clone(wanted)
	for what := range counts {
		all[what] = true
	}
	return all
}
