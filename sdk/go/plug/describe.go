package plug

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/invopop/jsonschema"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

var validName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)

// describe computes the facts about a binary from its definition and from what its
// Plug implements.
func describe(d Definition, plug Plug) (*plugv1.DescribeResponse, error) {
	switch {
	case plug == nil:
		return nil, errors.New("its New gave nil")
	case !validName.MatchString(d.Name):
		return nil, fmt.Errorf("name %q is not 1 to 64 lower case letters, digits and dashes", d.Name)
	case d.Version == "":
		return nil, errors.New("version is missing")
	case d.Network == "":
		return nil, errors.New("network is missing")
	}
	schema, err := configSchema(d.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	emits := d.Emits
	if emits == nil {
		emits = []plugv1.EventKind{plugv1.EventKind_EVENT_KIND_MESSAGE}
	}
	abilities := d.Abilities
	if abilities == nil {
		abilities = &plugv1.Abilities{}
	}
	accepted := accepts(plug)
	if _, err := allowed(accepted, abilities); err != nil {
		return nil, err
	}
	_, edits := plug.(Editor)
	_, puts := plug.(Putter)
	_, whole := plug.(WholePutter)
	if edits && !puts && !whole {
		return nil, errors.New("it is an Editor and no Putter: an edit may have more parts than the message had")
	}
	return &plugv1.DescribeResponse{
		Name:              d.Name,
		Version:           d.Version,
		Network:           d.Network,
		ConfigSchema:      schema,
		Emits:             emits,
		Accepts:           accepted,
		Abilities:         abilities,
		PutScope:          d.PutScope,
		MaxConcurrentPuts: max(d.MaxConcurrentPuts, 1),
		Services:          services(plug),
	}, nil
}

// configSchema gives the JSON Schema of a config's struct; "" for nil.
func configSchema(config any) (string, error) {
	if config == nil {
		return "", nil
	}
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true}
	schema := reflector.Reflect(config)
	if schema.Type != "object" {
		return "", fmt.Errorf("%T is not a struct", config)
	}
	if err := checkDescriptions("", schema); err != nil {
		return "", err
	}
	b, err := json.Marshal(schema)
	if err != nil {
		return "", fmt.Errorf("encode its schema: %w", err)
	}
	return string(b), nil
}

// checkDescriptions finds a field that nobody could fill in without the source.
func checkDescriptions(path string, schema *jsonschema.Schema) error {
	if schema == nil {
		return nil
	}
	if schema.Properties != nil {
		for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
			field := path + "/" + pair.Key
			if pair.Value.Description == "" {
				return fmt.Errorf(`field %s has no description: add a tag like jsonschema:"description=..."`, field)
			}
			if err := checkDescriptions(field, pair.Value); err != nil {
				return err
			}
		}
	}
	if err := checkDescriptions(path, schema.Items); err != nil {
		return err
	}
	return checkDescriptions(path, schema.AdditionalProperties)
}
