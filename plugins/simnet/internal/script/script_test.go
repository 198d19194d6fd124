package script_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plughost/plughost/plugins/simnet/internal/script"
)

func TestParse(t *testing.T) {
	commands, err := script.Parse(strings.NewReader(`[
		{"account": {"name": "alice", "echo": "own", "idempotent": "1h"}},
		{"puts": {"channel": "left", "verdict": "no_answer", "accepted": true, "count": -1}}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []script.Command{
		{Account: &script.Account{Name: "alice", Echo: script.EchoOwn, Idempotent: script.Duration(time.Hour)}},
		{Puts: &script.Puts{Channel: "left", Verdict: script.NoAnswer, Accepted: true, Count: -1}},
	}
	if !reflect.DeepEqual(commands, want) {
		t.Fatalf("got %+v", commands)
	}
	data, err := json.Marshal(commands)
	if err != nil {
		t.Fatal(err)
	}
	again, err := script.Parse(strings.NewReader(string(data)))
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Fatalf("%s came back as %+v, %v", data, again, err)
	}
}

func TestFaultsInScripts(t *testing.T) {
	for text, words := range map[string]string{
		`{}`:                         "a JSON list",
		`[{}]`:                       "does one thing; this one has 0",
		`[{"flush":{},"drop":{}}]`:   "this one has 2",
		`[{"flush":{}},{"flsh":{}}]`: `command 2 of the script: json: unknown field "flsh"`,
		`[{"account":{}}]`:           `"name" is missing`,
		`[{"account":{"nam":"a"}}]`:  `unknown field "nam"`,
		`[{"channel":{"name":"c","echo":"nver"}}]`:                       `"echo" is "nver"; it may be one of ["after" "at" "before" "never"]`,
		`[{"channel":{"name":"c","echo_delay":"soon"}}]`:                 "invalid duration",
		`[{"channel":{"name":"c","echo_delay":"-1s"}}]`:                  "negative",
		`[{"puts":{"channel":"c","verdict":"refused","accepted":true}}]`: `"accepted" goes with`,
		`[{"puts":{"channel":"c"}}]`:                                     `"verdict" is missing`,
		`[{"echoes":{"channel":"c","fault":"lost","count":-2}}]`:         "less than -1",
		`[{"generate":{"count":1,"size":9}}]`:                            `"channels" is missing`,
		`[{"generate":{"channels":["c"],"count":0,"size":9}}]`:           "at least 1",
		`[{"generate":{"channels":["c"],"count":1,"size":8}}]`:           "at least 9",
		`[{"plug":{"account":"a","fault":"panic"}}]`:                     `set "at"`,
		`[{"hold":{"channel":"c","stage":"all"}}]`:                       `"stage" is "all"`,
		`[{"say":{"text":"hi"}}]`:                                        `"channel" is missing`,
		`[{"mark":{}}]`:                                                  `"account" is missing`,
		`[{"forget":{}}]`:                                                `"account" is missing`,
		`[{"drop":{}}]`:                                                  `"account" is missing`,
		`[{"freeze":{}}]`:                                                `"account" is missing`,
		`[{"wait":{"count":1}}]`:                                         `"kind" is missing`,
		`[{"logins":{"account":"a","verdict":"maybe"}}]`:                 `"verdict" is "maybe"`,
		`[{"release":{"channel":"c","stage":"echoes","count":-1}}]`:      "negative",
	} {
		if _, err := script.Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v\nwant it to say %q", text, err, words)
		}
	}
}

// Every script in the README can be run, and its table names every command and
// every field of one.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 {
		t.Fatal("the README has no script")
	}
	for _, b := range blocks {
		if _, err := script.Parse(strings.NewReader(b[1])); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
	commands := reflect.TypeFor[script.Command]()
	for i := range commands.NumField() {
		command := name(commands.Field(i))
		section := regexp.MustCompile("(?m)^\\| `" + command + "` \\|.*(\n\\| +\\|.*)*").FindString(string(readme))
		if section == "" {
			t.Errorf("the table has no row for %q", command)
			continue
		}
		fields := commands.Field(i).Type.Elem()
		for j := range fields.NumField() {
			if field := name(fields.Field(j)); !strings.Contains(section, "`"+field+"`") {
				t.Errorf("the table does not name %q of %q", field, command)
			}
		}
	}
}

func name(f reflect.StructField) string {
	n, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return n
}
