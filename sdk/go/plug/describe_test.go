package plug

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

type testConfig struct {
	Server struct {
		Host string `json:"host" jsonschema:"description=Name of the server."`
		Port int    `json:"port,omitempty" jsonschema:"description=Its port."`
	} `json:"server" jsonschema:"description=Where to connect."`
	Password string `json:"password" jsonschema:"description=Password of the account.,writeOnly=true"`
}

func definition(p Plug) Definition {
	return Definition{Name: "fake", Version: "1.0.0", Network: "Fake", New: func() Plug { return p }}
}

// What the author implemented is what Describe claims.
func TestDescribeIsComputed(t *testing.T) {
	message := []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_MESSAGE}
	for name, c := range map[string]struct {
		plug Plug
		want []plugv1.ActionKind
	}{
		"read only":     {receiver{&fake{}}, nil},
		"put":           {putter{&fake{}}, message},
		"put whole":     {wholePutter{&fake{}}, wholeActions},
		"put, receives": {full{putter: putter{&fake{}}}, message},
		"all of it":     {&chat{}, wholeActions},
		"delete only":   {deleteOnly{&fake{}}, []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_DELETE}},
	} {
		got, err := describe(definition(c.plug), c.plug)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.GetAccepts(), c.want) {
			t.Errorf("%s accepts %v", name, got.GetAccepts())
		}
		if !slices.Equal(got.GetEmits(), []plugv1.EventKind{plugv1.EventKind_EVENT_KIND_MESSAGE}) || got.GetMaxConcurrentPuts() != 1 || got.GetConfigSchema() != "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	d := definition(putter{&fake{}})
	d.Emits, d.MaxConcurrentPuts, d.PutScope = []plugv1.EventKind{}, 7, plugv1.PutScope_PUT_SCOPE_CHANNEL
	got, err := describe(d, d.New())
	if err != nil || len(got.GetEmits()) > 0 || got.GetMaxConcurrentPuts() != 7 || got.GetPutScope() != plugv1.PutScope_PUT_SCOPE_CHANNEL {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestConfigSchema(t *testing.T) {
	text, err := configSchema(testConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Schema               string `json:"$schema"`
		AdditionalProperties *bool
		Required             []string
		Properties           map[string]struct {
			Type, Description string
			WriteOnly         bool
		}
	}
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(schema.Schema, "2020-12") || schema.AdditionalProperties == nil || *schema.AdditionalProperties ||
		!slices.Equal(schema.Required, []string{"server", "password"}) {
		t.Errorf("got %s", text)
	}
	if p := schema.Properties["password"]; p.Type != "string" || !p.WriteOnly || p.Description != "Password of the account." {
		t.Errorf("password: %+v", p)
	}
	if schema.Properties["server"].Type != "object" {
		t.Errorf("server: %+v", schema.Properties["server"])
	}
}

func TestDefinitionErrors(t *testing.T) {
	for want, change := range map[string]func(*Definition){
		"New is missing":   func(d *Definition) { d.New = nil },
		"its New gave nil": func(d *Definition) { d.New = func() Plug { return nil } },
		"ACTION_KIND_EDIT is listed": func(d *Definition) {
			d.Abilities = &plugv1.Abilities{Actions: []plugv1.ActionKind{plugv1.ActionKind_ACTION_KIND_EDIT}}
		},
		"an Editor and no Putter":      func(d *Definition) { d.New = func() Plug { return editOnly{&fake{}} } },
		"lower case letters":           func(d *Definition) { d.Name = "No Name" },
		"version is missing":           func(d *Definition) { d.Version = "" },
		"network is missing":           func(d *Definition) { d.Network = "" },
		"is not a struct":              func(d *Definition) { d.Config = 5 },
		"/inner/port has no":           func(d *Definition) { d.Config = undescribed{} },
		"/list/port has no":            func(d *Definition) { d.Config = undescribedList{} },
		"/list/port has no descriptio": func(d *Definition) { d.Config = undescribedMap{} },
	} {
		d := definition(&fake{})
		change(&d)
		if _, err := NewServer(d, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

type deleteOnly struct{ *fake }

func (deleteOnly) Delete(context.Context, *Deletion) error { return nil }

type editOnly struct{ *fake }

func (editOnly) Edit(context.Context, *Part) (*plugv1.Receipt, error) { return nil, nil }

type port struct {
	Port int `json:"port"`
}
type undescribed struct {
	Inner port `json:"inner" jsonschema:"description=Inner."`
}
type undescribedList struct {
	List []port `json:"list" jsonschema:"description=List."`
}
type undescribedMap struct {
	List map[string]port `json:"list" jsonschema:"description=Map."`
}

func TestSessionConfig(t *testing.T) {
	var got testConfig
	s := &Session{config: `{"server": {"host": "chat.example", "port": 6697}, "password": "x"}`}
	if err := s.Config(&got); err != nil || got.Server.Host != "chat.example" || got.Server.Port != 6697 {
		t.Errorf("got %+v, %v", got, err)
	}
	for config, field := range map[string]string{
		`{"server": {"port": "x"}}`: "/server/port",
		`{"sever": {}}`:             "",
		`{} {}`:                     "",
		``:                          "",
	} {
		err := (&Session{config: config}).Config(&testConfig{})
		v, ok := errors.AsType[*verdictError](err)
		if !ok || v.start != plugv1.StartVerdict_START_VERDICT_BAD_CONFIG || v.field != field {
			t.Errorf("config %q: %v", config, err)
		}
	}
}
