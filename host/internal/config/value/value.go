package value

import (
	"encoding/json"
	"regexp"

	"github.com/plughost/plughost/host/internal/config/document"
)

// jsonNumber is what JSON takes as a number, short of exponents and lengths that
// no plug can mean and that take for ever to compute.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,63})(\.[0-9]{1,64})?([eE][-+]?[0-9]{1,3})?$`)

// Reader makes JSON values of a plug's config. All fields are required.
type Reader struct {
	Problems *document.Problems
	// Dir is what relative paths of secrets are relative to.
	Dir string
	// Unknown takes the nodes whose value could not be made, so that nothing is
	// said of a value that nobody knows.
	Unknown map[*document.Node]bool
}

// Read makes what encoding/json would, with json.Number for numbers.
func (r *Reader) Read(n *document.Node) any {
	switch {
	case document.Refused(n):
		r.Unknown[n] = true
		return nil
	case n.Kind == document.Mapping:
		object := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			object[n.Content[i].Value] = r.Read(n.Content[i+1])
		}
		return object
	case n.Kind == document.List:
		array := make([]any, len(n.Content))
		for i, c := range n.Content {
			array[i] = r.Read(c)
		}
		return array
	case n.Style == 0: // a scalar without quotes
		switch {
		case n.Value == "true", n.Value == "false":
			return n.Value == "true"
		case document.Null(n):
			return nil
		case jsonNumber.MatchString(n.Value):
			return json.Number(n.Value)
		}
	}
	text, err := expand(n.Value, r.Dir)
	if err != nil {
		r.Problems.Report(n, err.cure, "%s", err.what)
		r.Unknown[n] = true
	}
	return text
}
