package value_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plughost/plughost/host/internal/config/document"
	"github.com/plughost/plughost/host/internal/config/value"
)

// read makes the JSON of a YAML text, and the problems.
func read(t *testing.T, dir, text string) (string, []document.Problem) {
	t.Helper()
	problems := document.NewProblems("f")
	root := problems.Parse([]byte(text))
	if root == nil {
		t.Fatalf("%q: %v", text, problems.Sorted())
	}
	r := value.Reader{Problems: problems, Dir: dir, Unknown: map[*document.Node]bool{}}
	encoded, err := json.Marshal(r.Read(root))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if len(r.Unknown) != problems.Len() {
		t.Errorf("%q: %d values are not known, for %d problems", text, len(r.Unknown), problems.Len())
	}
	return string(encoded), problems.Sorted()
}

func TestScalarsAreWhatTheyAreInJSON(t *testing.T) {
	for text, want := range map[string]string{
		"1":                     `1`,
		"-0":                    `-0`,
		"-12.50":                `-12.50`,
		"1e3":                   `1e3`,
		"18446744073709551616":  `18446744073709551616`,
		"0123":                  `"0123"`,
		"+1":                    `"+1"`,
		"1_000":                 `"1_000"`,
		"0x1F":                  `"0x1F"`,
		".5":                    `".5"`,
		"1e9999":                `"1e9999"`, // would take for ever
		".inf":                  `".inf"`,
		"12:30":                 `"12:30"`,
		"2001-01-01":            `"2001-01-01"`,
		"true":                  `true`,
		"True":                  `"True"`,
		"on":                    `"on"`,
		"no":                    `"no"`,
		"null":                  `null`,
		"~":                     `null`,
		`"1"`:                   `"1"`,
		`'true'`:                `"true"`,
		`"null"`:                `"null"`,
		`""`:                    `""`,
		"[1, [a], {b: }]":       `[1,["a"],{"b":null}]`,
		"|\n  two\n  lines\n":   `"two\nlines\n"`,
		`{1: 2, true: "$HOME"}`: `{"1":2,"true":"$HOME"}`,
	} {
		if got, problems := read(t, "", text); got != want || len(problems) > 0 {
			t.Errorf("%q = %s, %v, want %s", text, got, problems, want)
		}
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"plain": "s3cret", "line": "s3cret\n", "windows": "s3cret\r\n", "two": "a\nb\n", "empty": "\n",
		"binary": "\xff\xfe", "huge": strings.Repeat("x", 70_000), "nested": "${env:A}", "most": strings.Repeat("x", 64<<10),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("A", "alpha")
	t.Setenv("EMPTY", "")

	for text, want := range map[string]string{
		"${env:A}":                         "alpha",
		"x${env:A}y${env:A}":               "xalphayalpha",
		"${file:" + dir + "/plain}":        "s3cret",
		"${file:plain}":                    "s3cret", // beside the config
		"${file:line}":                     "s3cret",
		"${file:windows}":                  "s3cret",
		"${file:two}":                      "a\nb",
		"${file:nested}":                   "${env:A}", // what is filled in is not read again
		"${file:most}":                     strings.Repeat("x", 64<<10),
		"$${env:A}":                        "${env:A}",
		"$$${env:A}":                       "$${env:A}",
		"$A {env:A} $":                     "$A {env:A} $",
		"Bearer ${env:A}, $${x}, ${env:A}": "Bearer alpha, ${x}, alpha",
	} {
		quoted, _ := json.Marshal(text)
		wantJSON, _ := json.Marshal(want)
		if got, problems := read(t, dir, string(quoted)); got != string(wantJSON) || len(problems) > 0 {
			t.Errorf("%s = %.60s, %v, want %.60s", text, got, problems, wantJSON)
		}
	}

	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"${env:NO_SUCH}":    "environment variable NO_SUCH is not set",
		"${env:EMPTY}":      "environment variable EMPTY is empty",
		"${file:none}":      "there is no file " + dir + "/none",
		"${file:empty}":     "is empty",
		"${file:binary}":    "not valid UTF-8",
		"${file:huge}":      "more than 65536 bytes",
		"${file:folder}":    "not a regular file",
		"${env:}":           "neither",
		"${file:}":          "neither",
		"${vault:x}":        "neither",
		"${}":               "neither",
		"${env:A":           "has no }",
		"a ${env:A} ${oops": "has no }",
	} {
		quoted, _ := json.Marshal(text)
		_, problems := read(t, dir, "a: "+string(quoted))
		if len(problems) != 1 || !strings.Contains(problems[0].What, want) || problems[0].Cure == "" || problems[0].Position() != "f:1:4" {
			t.Errorf("%s: %v, want one with %q", text, problems, want)
		}
	}
}
