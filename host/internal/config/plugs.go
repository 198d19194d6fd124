package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/catalog"
	"github.com/plughost/plughost/host/internal/config/document"
	"github.com/plughost/plughost/host/internal/config/schema"
	"github.com/plughost/plughost/host/internal/config/value"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxAsked is how many plugs are asked at a time what they are.
const maxAsked = 8

// maxName is the longest name of an instance, in bytes.
const maxName = 64

// instanceName is what an instance may be called: it stands before the "/" of a
// member and is a directory's name.
var instanceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

var plugKeys = document.Keys{
	Known: []string{"use", "label", "config"},
	Later: []string{"args", "env", "enabled", "limits", "sandbox", "route"},
}

// plug is one entry of "plugs:".
type plug struct {
	*document.Problems // its own

	name   id.InstanceName
	key    *document.Node // its name
	use    *document.Node // nil: missing
	config *document.Node // nil: missing

	label  string
	path   string // "": not found
	usable bool   // nothing is wrong with what was read so far
	facts  *plugv1.DescribeResponse
	json   json.RawMessage // nil: it cannot be started
}

// plugs reads "plugs:". A name that cannot be one concerns the whole config:
// nothing can refer to it.
func (r *reader) plugs(n *document.Node) {
	const example = "libera: {use: irc}"
	for _, e := range r.Entries(n, "plugs", example) {
		if !instanceName.MatchString(e.Key.Value) || len(e.Key.Value) > maxName {
			r.Report(e.Key, "use letters, digits, dashes, underscores and dots, 64 at most", "%q cannot be the name of a plug", e.Key.Value)
			continue
		}
		name, before := id.InstanceName(e.Key.Value), r.Len()
		p := &plug{Problems: r.Of(name), name: name, key: e.Key}
		r.entry(p, e.Value)
		p.usable = r.Len() == before
		r.all = append(r.all, p)
	}
	if len(r.all) == 0 && r.Len() == 0 {
		r.Report(r.root, "add them: plugs: {libera: {use: irc}}", "there are no plugs")
	}
}

// entry reads what "plugs:" says of one plug.
func (r *reader) entry(p *plug, n *document.Node) {
	example := "{use: irc}"
	if n.Kind == document.Scalar && !document.Null(n) {
		example = fmt.Sprintf("{use: %s}", n.Value)
	}
	if !document.Null(n) && !p.Expect(n, document.Mapping, "the plug's entry", "write it as a mapping, such as "+example) {
		return
	}
	fields := p.Fields(n, "the plug's entry", example, plugKeys)
	p.use, p.config = fields["use"], fields["config"]
	if label := fields["label"]; label != nil {
		p.label, _ = p.Text(label, "label", "IRC")
	}
	r.find(p)
}

// find looks up the binary of a plug.
func (r *reader) find(p *plug) {
	if p.use == nil {
		p.Report(p.key, "add the name of its binary, such as use: irc", `key "use" is missing`)
		return
	}
	name, ok := p.Text(p.use, "use", "irc")
	if !ok {
		return
	}
	path, err := catalog.Find(r.plugsDir, name)
	switch {
	case err == nil:
		p.path = path
	case errors.Is(err, fs.ErrInvalid):
		p.Report(p.use, fmt.Sprintf("put its binary into %s and write its name", r.plugsDir), "%q is not the name of a plug", name)
	case errors.Is(err, catalog.ErrNotExecutable):
		p.Report(p.use, "build it for this machine, then chmod +x it", "%s is not an executable file", filepath.Join(r.plugsDir, name))
	case errors.Is(err, fs.ErrNotExist):
		p.Report(p.use, r.whichPlugs(name), "there is no plug %q in %s", name, r.plugsDir)
	default:
		p.Report(p.use, "", "%v", err)
	}
}

// whichPlugs says what to do where a plug's binary is not there.
func (r *reader) whichPlugs(name string) string {
	names, err := catalog.List(r.plugsDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such directory: set plugs_dir to where the plugs are"
	case err != nil:
		return err.Error()
	case len(names) == 0:
		return "there is none at all: put its binary there, or set plugs_dir to where the plugs are"
	}
	return document.DidYouMean(name, names)
}

// ask asks every plug's binary what it is, each binary once.
func (r *reader) ask(ctx context.Context, describe Describe) {
	type answer struct {
		facts *plugv1.DescribeResponse
		err   error
	}
	answers := map[string]*answer{}
	var asking errgroup.Group
	asking.SetLimit(maxAsked)
	for _, p := range r.all {
		if p.path == "" || answers[p.path] != nil {
			continue
		}
		a := &answer{}
		answers[p.path] = a
		asking.Go(func() error {
			a.facts, a.err = describe(ctx, p.name, p.path)
			return nil // each plug's fault is its own
		})
	}
	_ = asking.Wait()
	for _, p := range r.all {
		a := answers[p.path]
		switch {
		case a == nil:
		case a.err != nil:
			p.Report(p.use, "see whether it is the plug for this machine and runs", "it does not say what it is: %s", oneLine(a.err))
		default:
			p.facts = a.facts
		}
	}
}

// check makes a plug's config and compares it with the plug's own schema. A plug
// that did not say what it is keeps an unchecked config: it checks it itself when
// it starts, if it ever does.
func (r *reader) check(p *plug) {
	before := r.Len()
	at := p.config
	if document.Null(at) {
		at = &document.Node{Kind: document.Mapping, Line: p.key.Line, Column: p.key.Column}
	}
	if document.Refused(at) {
		return
	}
	if at.Kind != document.Mapping {
		p.Report(at, "write it as a mapping, such as config: {server: irc.example.org}", "config is %s", document.Kind(at))
		return
	}
	values := value.Reader{Problems: p.Problems, Dir: r.dir, Unknown: map[*document.Node]bool{}}
	v := values.Read(at)
	if p.facts != nil {
		r.compare(p, at, v, values.Unknown)
	}
	if r.Len() > before || !p.usable {
		return
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		p.Report(at, "", "config cannot be written as JSON")
		return
	}
	p.json = encoded
}

// compare reports where a config breaks its plug's schema.
func (r *reader) compare(p *plug, at *document.Node, v any, unknown map[*document.Node]bool) {
	if p.facts.ConfigSchema == "" {
		if len(at.Content) > 0 {
			p.Report(at.Content[0], "remove config", "plug %s takes no config", p.facts.Name)
		}
		return
	}
	s, err := schema.Compile(p.facts.ConfigSchema)
	if err != nil {
		p.Report(p.use, "tell the plug's author", "the plug's config schema is broken: %s", oneLine(err))
		return
	}
	for _, broken := range schema.Violations(s, v) {
		n := document.At(at, broken.Path, broken.Key)
		if unknown[n] {
			continue
		}
		path := broken.Path
		if broken.Key {
			path = path[:len(path)-1]
		}
		p.Report(n, broken.Cure, "%s: %s", strings.Join(append([]string{"config"}, path...), "."), broken.What)
	}
}

// plugOptions are the plugs that can be started.
func (r *reader) plugOptions() []host.Plug {
	var all []host.Plug
	for _, p := range r.all {
		all = append(all, host.Plug{Name: p.name, Path: p.path, Label: p.label, Config: p.json})
	}
	return all
}

// oneLine makes an error fit a problem.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
