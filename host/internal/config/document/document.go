package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// MaxFile is the largest file, in bytes.
	MaxFile = 1 << 20
	// maxDepth is how deep lists and mappings may be nested.
	maxDepth = 50
	// refused is the tag of a node that was reported already.
	refused = "!refused"
)

// CommentHint is the cure of what happens when a "#" turned out to be a comment.
const CommentHint = `in YAML a # after a space starts a comment: write the channel as one word, like libera/#dev, or put it in quotes: "libera/#dev"`

// Node is a node of the tree. Its Value is a scalar's literal text.
type Node = yaml.Node

// Kinds of nodes.
const (
	Scalar  = yaml.ScalarNode
	Mapping = yaml.MappingNode
	List    = yaml.SequenceNode
)

// Parse reads the one document of a file. It returns nil if there is none, having
// reported why.
func (p *Problems) Parse(data []byte) *Node {
	whole := &Node{}
	if len(data) > MaxFile {
		p.Report(whole, "split off what is not a config", "the file has %d bytes; the most is %d", len(data), MaxFile)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		p.Report(whole, "", "read YAML: %v", err)
		return nil
	}
	var document, second Node
	switch err := loader.Load(&document); {
	case err == io.EOF || err == nil && len(document.Content) == 0:
		p.Report(whole, "write at least version, plugs and conversations", "the file is empty")
		return nil
	case err != nil:
		p.syntax(err)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		p.Report(&second, `remove what follows the "---"`, "the file holds a second document")
	case err != io.EOF:
		p.syntax(err)
	}
	root := document.Content[0]
	p.vet(root)
	return root
}

// syntax reports what isn't YAML.
func (p *Problems) syntax(err error) {
	load := (*yaml.LoadError)(nil)
	if !errors.As(err, &load) {
		p.Report(&Node{}, "", "not YAML: %v", err)
		return
	}
	at := &Node{Line: load.Mark.Line, Column: load.Mark.Column}
	if load.ContextMsg == "" {
		p.Report(at, syntaxCure(load.Message), "not YAML: %s", load.Message)
		return
	}
	p.Report(at, syntaxCure(load.Message), "not YAML: %s, %s that began in line %d", load.Message, load.ContextMsg, load.ContextMark.Line)
}

func syntaxCure(message string) string {
	switch {
	case strings.Contains(message, "',' or ']'"):
		return "close the bracket; " + CommentHint
	case strings.Contains(message, "',' or '}'"):
		return "close the bracket, and put a text that holds { or } or a comma in quotes"
	case strings.Contains(message, "cannot start any token"):
		return `indent with spaces, not tabs, and put a text that begins with @, % or ` + "`" + ` in quotes`
	case strings.Contains(message, "mapping values are not allowed"):
		return `see whether the line is indented like its neighbours, and put a text that holds ": " in quotes`
	}
	return ""
}

// vet reports and refuses what YAML knows and a config doesn't need: anchors and
// aliases, tags, keys that are no scalars, and keys that come twice.
func (p *Problems) vet(n *Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		p.Report(n, "write the value out", "aliases (*%s) are not supported", n.Value)
		n.Tag = refused
		return
	case n.Style&yaml.TaggedStyle != 0:
		p.Report(n, "remove the tag; put a text in quotes", "tags (%s) are not supported", n.Tag)
		n.Tag = refused
		return
	}
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			p.vet(c)
		}
		return
	}
	lines := map[string]int{}
	n.Content = slices.Clone(n.Content)
	kept := n.Content[:0]
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch line, twice := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0:
			p.Report(key, "write a word", "a key must be a plain text")
		case key.Value == "<<":
			p.Report(key, "write the keys out", "merge keys (<<) are not supported")
		case twice:
			p.Report(key, "remove one of them", "key %q is there twice, first in line %d", key.Value, line)
		default:
			lines[key.Value] = key.Line
			p.vet(value)
			kept = append(kept, key, value)
		}
	}
	n.Content = kept
}

// Refused says whether a node was reported already: whoever meets it says nothing
// more of it.
func Refused(n *Node) bool { return n.Tag == refused }

// Null says whether a node is an empty value.
func Null(n *Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// Kind names what a node is, for a person.
func Kind(n *Node) string {
	switch {
	case Null(n):
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return "a text"
}

// Expect says whether a node is of a kind, and reports if it is of another.
func (p *Problems) Expect(n *Node, want yaml.Kind, what, cure string) bool {
	switch {
	case Refused(n):
		return false
	case n.Kind == want && !Null(n):
		return true
	}
	p.Report(n, cure, "%s is %s", what, Kind(n))
	return false
}

// Text gives a scalar's literal text.
func (p *Problems) Text(n *Node, what, example string) (string, bool) {
	if !p.Expect(n, yaml.ScalarNode, what, "write a text, such as "+example) {
		return "", false
	}
	return n.Value, true
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key, Value *Node
}

// Entries gives a mapping's entries in the file's order, whatever their keys.
func (p *Problems) Entries(n *Node, what, example string) []Entry {
	if Null(n) || !p.Expect(n, yaml.MappingNode, what, "write it as a mapping, such as "+example) {
		return nil
	}
	var all []Entry
	for i := 0; i < len(n.Content); i += 2 {
		all = append(all, Entry{Key: n.Content[i], Value: n.Content[i+1]})
	}
	return all
}

// Keys are the keys that a mapping may have, and those of other versions of this
// program, for which a typing mistake would be the wrong guess.
type Keys struct {
	Known, Later []string
}

// Fields gives a mapping's values by key, having reported the unknown ones.
func (p *Problems) Fields(n *Node, what, example string, k Keys) map[string]*Node {
	values := map[string]*Node{}
	for _, e := range p.Entries(n, what, example) {
		switch name := e.Key.Value; {
		case slices.Contains(k.Known, name):
			values[name] = e.Value
		case slices.Contains(k.Later, name):
			p.Report(e.Key, "remove it", "unknown key %q in %s: this version of plughost has no such thing", name, what)
		default:
			p.Report(e.Key, DidYouMean(name, k.Known), "unknown key %q in %s", name, what)
		}
	}
	return values
}

// At finds the node of a path in a config, or the last one on the way; key
// asks for the last key instead of its value.
func At(n *Node, path []string, key bool) *Node {
	for i, token := range path {
		var next *Node
		switch n.Kind {
		case yaml.MappingNode:
			for j := 0; j < len(n.Content); j += 2 {
				if n.Content[j].Value == token {
					if next = n.Content[j+1]; key && i == len(path)-1 {
						next = n.Content[j]
					}
				}
			}
		case yaml.SequenceNode:
			for j, c := range n.Content {
				if fmt.Sprint(j) == token {
					next = c
				}
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}
