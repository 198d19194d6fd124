package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/plughost/plughost/host/internal/config/schema"
)

// Each violation says in words what is wrong and where, and never shows the
// value: "SECRET" or 4242 in all of these.
func TestViolations(t *testing.T) {
	for _, test := range []struct{ schema, value, want string }{
		{`{"type": "string"}`, `4242`, ": it is a number and must be a text [put it in quotes]"},
		{`{"type": "integer"}`, `"SECRET"`, ": it is a text and must be a whole number [write the number, without quotes]"},
		{`{"type": ["boolean", "null"]}`, `"SECRET"`, ": it is a text and must be empty or true or false [write true or false, without quotes]"},
		{`{"type": "object"}`, `["SECRET"]`, ": it is a list and must be a mapping []"},
		{`{"type": "array"}`, `{"a": "SECRET"}`, ": it is a mapping and must be a list []"},
		{`{"enum": ["a", 1, null]}`, `"SECRET"`, ": it must be one of a, 1, nothing []"},
		{`{"const": "a"}`, `"SECRET"`, ": it must be a []"},
		{`{"format": "uri"}`, `"SECRET"`, ": it is not a valid uri []"},
		{`{"format": "date-time"}`, `"SECRET"`, ": it is not a valid date-time []"},
		{`{"pattern": "^a$"}`, `"SECRET"`, ": it does not match the pattern ^a$ []"},
		{`{"minimum": 5000}`, `4242`, ": it must be at least 5000 []"},
		{`{"exclusiveMinimum": 5000}`, `4242`, ": it must be more than 5000 []"},
		{`{"maximum": 2.5}`, `4242`, ": it must be at most 2.5 []"},
		{`{"exclusiveMaximum": 7}`, `4242`, ": it must be less than 7 []"},
		{`{"multipleOf": 10}`, `4242`, `: it breaks the rule "multipleOf" of the plug's schema [see the plug's documentation]`},
		{`{"minLength": 9}`, `"SECRET"`, ": it must have at least 9 characters []"},
		{`{"maxLength": 2}`, `"SECRET"`, ": it must have at most 2 characters []"},
		{`{"minItems": 2}`, `["SECRET"]`, ": it must have at least 2 entries []"},
		{`{"maxItems": 1}`, `["SECRET", 2]`, ": it must have at most 1 entries []"},
		{`{"uniqueItems": true}`, `["SECRET", "SECRET"]`, `: it breaks the rule "uniqueItems" of the plug's schema [see the plug's documentation]`},
		{`{"not": {}}`, `"SECRET"`, `: it breaks the rule "" of the plug's schema [see the plug's documentation]`},
		{`{"properties": {"a": false}}`, `{"a": "SECRET"}`, "a: it is not allowed here [remove it]"},
		{`{"properties": {"a": {}}, "unevaluatedProperties": false}`, `{"b": "SECRET"}`, "b: it is not allowed here [remove it]"},
		{
			`{"properties": {"nick": {}, "port": {}}, "additionalProperties": false}`, `{"nik": "SECRET", "zzzzzz": 4242}`,
			"nik!: unknown key \"nik\" [did you mean \"nick\"?]\nzzzzzz!: unknown key \"zzzzzz\" [there are nick, port]",
		},
		{
			`{"properties": {"a": {"description": "What a is."}}, "required": ["a", "b"]}`, `{}`,
			": key \"a\" is missing [add it: What a is.]\n: key \"b\" is missing [add it]",
		},
		{
			`{"$ref": "#/$defs/C", "$defs": {"C": {"properties": {"list": {"items": {"$ref": "#/$defs/D"}}}}, "D": {"additionalProperties": false, "properties": {"deep": {"type": "string"}}}}}`,
			`{"list": [{}, {"deep": 4242, "dep": 1}]}`,
			"list.1.deep: it is a number and must be a text [put it in quotes]\nlist.1.dep!: unknown key \"dep\" [did you mean \"deep\"?]",
		},
		{
			`{"additionalProperties": {"properties": {"x": {"description": "X."}}, "required": ["x"]}}`, `{"any": {}}`,
			"any: key \"x\" is missing [add it: X.]",
		},
		{
			`{"oneOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "maximum": 5}]}`, `4242`,
			": it fits none of the forms that there are: it is a number and must be a text; or it must be at most 5 []",
		},
		{`{"oneOf": [{"type": "integer"}, {"minimum": 1}]}`, `4242`, ": it fits several of the forms that there are, and must fit one []"},
		{`{"anyOf": [{"minLength": 9}, {"const": "a"}]}`, `"SECRET"`, ": it fits none of the forms that there are: it must have at least 9 characters; or it must be a []"},
		{`{"allOf": [{"minLength": 9}, {"pattern": "^a"}]}`, `"SECRET"`, ": it does not match the pattern ^a []\n: it must have at least 9 characters []"},
		{`{"type": "object"}`, `{"a": "SECRET"}`, ""},
	} {
		s, err := schema.Compile(test.schema)
		if err != nil {
			t.Errorf("%s: %v", test.schema, err)
			continue
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(test.value))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, v := range schema.Violations(s, value) {
			path := strings.Join(v.Path, ".")
			if v.Key {
				path += "!"
			}
			lines = append(lines, fmt.Sprintf("%s: %s [%s]", path, v.What, v.Cure))
		}
		slices.Sort(lines)
		got := strings.Join(lines, "\n")
		if got != test.want {
			t.Errorf("%s with %s:\n got %s\nwant %s", test.schema, test.value, got, test.want)
		}
		if strings.Contains(got, "SECRET") || strings.Contains(got, "4242") {
			t.Errorf("%s: shows the value: %s", test.schema, got)
		}
	}
}

// A schema is foreign: it must not have files read or anything fetched.
func TestCompileRefusesWhatIsNotWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		`{"$ref": "file://` + file + `"}`, `{"$ref": "http://localhost/x"}`, `{"$ref": "other.json"}`,
		`{"type": 7}`, `{`, `[]`, ``, `{"pattern": "(" }`, `{"$schema": "http://localhost/schema"}`,
	} {
		if _, err := schema.Compile(s); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
}
