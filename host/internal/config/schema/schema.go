package schema

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/plughost/plughost/host/internal/config/document"
)

// schemaURL is under what name a plug's schema is compiled.
const schemaURL = "plug:///config"

// noLoader keeps a plug's schema from having files read: it must be whole.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, outside of itself", url)
}

// Compile reads a plug's JSON Schema.
func Compile(schema string) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	if err := c.AddResource(schemaURL, document); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
}

// Violation is one place where a value breaks a schema.
type Violation struct {
	// Path is where in the value.
	Path []string
	// Key: the last key of Path is at fault, not its value.
	Key bool
	// What is wrong, and what to do about it where What does not say it.
	What, Cure string
}

// Violations lists where a value breaks a schema. It never shows a value: any may
// be a secret.
func Violations(schema *jsonschema.Schema, value any) []Violation {
	broken := (*jsonschema.ValidationError)(nil)
	if err := schema.Validate(value); !errors.As(err, &broken) {
		return nil
	}
	var all []Violation
	for _, leaf := range leaves(broken) {
		all = append(all, describe(schema, leaf)...)
	}
	return all
}

// leaves gives the errors that say something; an alternative of which nothing
// fits is one of them.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Contains, *kind.PropertyNames:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}

// describe says in words what is wrong. Several keys at fault are a violation
// each.
func describe(root *jsonschema.Schema, e *jsonschema.ValidationError) []Violation {
	at := e.InstanceLocation
	one := func(cure, what string, args ...any) []Violation {
		return []Violation{{Path: at, What: fmt.Sprintf(what, args...), Cure: cure}}
	}
	here := schemaAt(root, at)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var all []Violation
		for _, name := range k.Properties {
			all = append(all, Violation{
				Path: append(slices.Clone(at), name), Key: true,
				What: fmt.Sprintf("unknown key %q", name),
				Cure: document.DidYouMean(name, slices.Collect(maps.Keys(here.Properties))),
			})
		}
		return all
	case *kind.Required:
		var all []Violation
		for _, name := range k.Missing {
			all = append(all, Violation{Path: at, What: fmt.Sprintf("key %q is missing", name), Cure: meaning(here, name)})
		}
		return all
	case *kind.Type:
		cure := ""
		switch {
		case k.Got == "number" && slices.Contains(k.Want, "string"):
			cure = "put it in quotes"
		case k.Got == "string" && slices.Contains(k.Want, "boolean"):
			cure = "write true or false, without quotes"
		case k.Got == "string" && (slices.Contains(k.Want, "integer") || slices.Contains(k.Want, "number")):
			cure = "write the number, without quotes"
		}
		return one(cure, "it is %s and must be %s", article(k.Got), alternatives(k.Want))
	case *kind.Enum:
		return one("", "it must be one of %s", values(k.Want...))
	case *kind.Const:
		return one("", "it must be %s", values(k.Want))
	case *kind.Format:
		return one("", "it is not a valid %s", k.Want)
	case *kind.Pattern:
		return one("", "it does not match the pattern %s", k.Want)
	case *kind.Minimum:
		return one("", "it must be at least %s", number(k.Want))
	case *kind.ExclusiveMinimum:
		return one("", "it must be more than %s", number(k.Want))
	case *kind.Maximum:
		return one("", "it must be at most %s", number(k.Want))
	case *kind.ExclusiveMaximum:
		return one("", "it must be less than %s", number(k.Want))
	case *kind.MinLength:
		return one("", "it must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return one("", "it must have at most %d characters", k.Want)
	case *kind.MinItems:
		return one("", "it must have at least %d entries", k.Want)
	case *kind.MaxItems:
		return one("", "it must have at most %d entries", k.Want)
	case *kind.FalseSchema:
		return one("remove it", "it is not allowed here")
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return one("", "it fits several of the forms that there are, and must fit one")
		}
		return one("", "it fits none of the forms that there are: %s", ways(root, e))
	case *kind.AnyOf:
		return one("", "it fits none of the forms that there are: %s", ways(root, e))
	}
	return one("see the plug's documentation", "it breaks the rule %q of the plug's schema", strings.Join(e.ErrorKind.KeywordPath(), "/"))
}

// ways says why each of several forms does not fit.
func ways(root *jsonschema.Schema, e *jsonschema.ValidationError) string {
	var ways []string
	for _, c := range e.Causes {
		for _, leaf := range leaves(c) {
			for _, v := range describe(root, leaf) {
				ways = append(ways, v.What)
			}
		}
	}
	return strings.Join(ways, "; or ")
}

// schemaAt follows a path of a value through a schema, as far as that is plain;
// it never returns nil.
func schemaAt(s *jsonschema.Schema, path []string) *jsonschema.Schema {
	for s != nil && s.Ref != nil {
		s = s.Ref
	}
	switch {
	case s == nil:
		return &jsonschema.Schema{}
	case len(path) == 0:
		return s
	case s.Properties[path[0]] != nil:
		return schemaAt(s.Properties[path[0]], path[1:])
	case s.Items2020 != nil:
		return schemaAt(s.Items2020, path[1:])
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		return schemaAt(additional, path[1:])
	}
	return &jsonschema.Schema{}
}

// meaning says what a missing key is for, in the plug's own words.
func meaning(s *jsonschema.Schema, name string) string {
	description := schemaAt(s, []string{name}).Description
	if description == "" {
		return "add it"
	}
	return "add it: " + description
}

func article(jsonType string) string {
	switch jsonType {
	case "null":
		return "empty"
	case "array":
		return "a list"
	case "object":
		return "a mapping"
	case "string":
		return "a text"
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	}
	return "a " + jsonType
}

func alternatives(jsonTypes []string) string {
	words := make([]string, len(jsonTypes))
	for i, t := range jsonTypes {
		words[i] = article(t)
	}
	return strings.Join(words, " or ")
}

func values(allowed ...any) string {
	words := make([]string, len(allowed))
	for i, v := range allowed {
		if words[i] = fmt.Sprint(v); v == nil {
			words[i] = "nothing"
		}
	}
	return strings.Join(words, ", ")
}

func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'f', -1, 64)
}
