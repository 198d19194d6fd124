package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Command is one instruction; exactly one field is set.
type Command struct {
	Network  *Network  `json:"network,omitempty"`
	Account  *Account  `json:"account,omitempty"`
	Channel  *Channel  `json:"channel,omitempty"`
	Say      *Say      `json:"say,omitempty"`
	Act      *Act      `json:"act,omitempty"`
	Generate *Generate `json:"generate,omitempty"`
	Logins   *Logins   `json:"logins,omitempty"`
	Puts     *Puts     `json:"puts,omitempty"`
	Echoes   *Echoes   `json:"echoes,omitempty"`
	Hold     *Hold     `json:"hold,omitempty"`
	Release  *Release  `json:"release,omitempty"`
	Mark     *Mark     `json:"mark,omitempty"`
	Forget   *Forget   `json:"forget,omitempty"`
	Drop     *Drop     `json:"drop,omitempty"`
	Freeze   *Freeze   `json:"freeze,omitempty"`
	Plug     *Plug     `json:"plug,omitempty"`
	Wait     *Wait     `json:"wait,omitempty"`
	Flush    *Flush    `json:"flush,omitempty"`
}

// Result is what a Command gives back.
type Result struct {
	// IDs of the messages that Say made, or of the event that Act made.
	IDs []string `json:"ids,omitempty"`
	// Count of what Release released, Drop dropped, Freeze froze, Plug ordered.
	Count int `json:"count,omitempty"`
}

// Validate says whether exactly one field is set and its values are known.
func (c *Command) Validate() error {
	var set []validator
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if field := v.Field(i); !field.IsNil() {
			set = append(set, field.Interface().(validator))
		}
	}
	if len(set) != 1 {
		return fmt.Errorf("a command does one thing; this one has %d", len(set))
	}
	return set[0].validate()
}

// Parse reads a list of commands, as a script file has it. It stops at the first
// fault, which names the command by its number, from 1.
func Parse(r io.Reader) ([]Command, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("read script: it must be a JSON list of commands: %w", err)
	}
	commands := make([]Command, len(raw))
	for i := range raw {
		d := json.NewDecoder(bytes.NewReader(raw[i]))
		d.DisallowUnknownFields()
		if err := d.Decode(&commands[i]); err != nil {
			return nil, fmt.Errorf("command %d of the script: %w", i+1, err)
		}
		if err := commands[i].Validate(); err != nil {
			return nil, fmt.Errorf("command %d of the script: %w", i+1, err)
		}
	}
	return commands, nil
}

type validator interface{ validate() error }

// need says that a field is empty which must not be.
func need(field, value string) error {
	if value == "" {
		return fmt.Errorf("%q is missing", field)
	}
	return nil
}

// oneOf says that a field has a value that is not in the list. Empty is always
// allowed: it means the first one.
func oneOf[S ~string](field string, value S, known ...S) error {
	if value == "" {
		return nil
	}
	for _, k := range known {
		if value == k {
			return nil
		}
	}
	return fmt.Errorf("%q is %q; it may be one of %q", field, value, known)
}

func notNegative[N ~int | ~int64 | ~float64](field string, value N) error {
	if value < 0 {
		return fmt.Errorf("%q is negative", field)
	}
	return nil
}

var join = errors.Join
