package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plughost/plughost/host/id"
)

// Problem is one thing that is wrong with a config. It never holds the value of
// a secret.
type Problem struct {
	// File as it was given, line and column from 1; a line of 0 is the whole file.
	File         string
	Line, Column int
	// Plug is set if only this plug instance is concerned: all else may start.
	Plug id.InstanceName
	// What is wrong, in one line.
	What string
	// Cure is what to do about it, in one line; empty if What says it.
	Cure string
}

// String gives a problem in one or two lines: "file:line:column: what", and the
// cure below it.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Position())
	b.WriteString(": ")
	if p.Plug != "" {
		fmt.Fprintf(&b, "plug %s: ", p.Plug)
	}
	b.WriteString(p.What)
	if p.Cure != "" {
		b.WriteString("\n    ")
		b.WriteString(p.Cure)
	}
	return b.String()
}

// Position gives a problem's place: "file:line:column".
func (p Problem) Position() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problems collects what is wrong with a file. Reading goes on after each, so
// that a person sees all of it at once. It is for one goroutine.
type Problems struct {
	file string
	plug id.InstanceName
	all  *[]Problem
}

// NewProblems makes the collection of a file, named as problems shall show it.
// What is reported concerns the whole config.
func NewProblems(file string) *Problems { return &Problems{file: file, all: new([]Problem)} }

// Of gives the same collection, in which what is reported concerns one plug.
func (p *Problems) Of(plug id.InstanceName) *Problems {
	return &Problems{file: p.file, plug: plug, all: p.all}
}

// Report adds a problem. At may be a zero Node: then it is of the whole file.
func (p *Problems) Report(at *Node, cure, what string, args ...any) {
	*p.all = append(*p.all, Problem{
		File: p.file, Line: at.Line, Column: at.Column,
		Plug: p.plug,
		What: fmt.Sprintf(what, args...), Cure: cure,
	})
}

// Len counts the problems so far.
func (p *Problems) Len() int { return len(*p.all) }

// Sorted gives the problems in the file's order.
func (p *Problems) Sorted() []Problem {
	slices.SortStableFunc(*p.all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return *p.all
}
