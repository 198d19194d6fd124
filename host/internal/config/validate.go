package config

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/config/document"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// Validate asks a plug's binary what is wrong with a config, by running it without
// starting the plug. It is called for several plugs at once; the error concerns one
// plug only.
type Validate func(ctx context.Context, plug id.InstanceName, path, configJSON string) ([]*plugv1.ConfigProblem, error)

// validate has every plug that can check its own config, and whose schema found
// nothing wrong in it. One that doesn't answer is told of and may start all the same:
// it checks its config then too.
func (r *reader) validate(ctx context.Context, validate Validate) {
	type answer struct {
		problems []*plugv1.ConfigProblem
		err      error
	}
	answers := make([]answer, len(r.all))
	var asking errgroup.Group
	asking.SetLimit(maxAsked)
	for i, p := range r.all {
		if p.json == nil || !slices.Contains(p.facts.GetServices(), plugv1.ConfigValidator_ServiceDesc.ServiceName) {
			continue
		}
		asking.Go(func() error {
			answers[i].problems, answers[i].err = validate(ctx, p.name, p.path, string(p.json))
			return nil // each plug's fault is its own
		})
	}
	_ = asking.Wait()
	for i, p := range r.all {
		a := answers[i]
		if a.err != nil {
			p.Report(p.use, "see the plug's documentation, or tell its author", "it could not check its config: %s",
				strings.TrimPrefix(oneLine(a.err), fmt.Sprintf("plug %s: ", p.name)))
		}
		for _, problem := range a.problems {
			p.at(problem)
			p.json = nil
		}
	}
}

// at reports what a plug says is wrong with a field of its config.
func (p *plug) at(problem *plugv1.ConfigProblem) {
	n, path := p.config, pointer(problem.Field)
	if document.Null(n) {
		n = p.key
	}
	p.Report(document.At(n, path, false), "", "%s: %s", strings.Join(append([]string{"config"}, path...), "."), problem.Message)
}

// pointer gives the keys of a JSON Pointer (RFC 6901).
func pointer(field string) []string {
	if field == "" {
		return nil
	}
	path := strings.Split(strings.TrimPrefix(field, "/"), "/")
	for i, key := range path {
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
	}
	return path
}
