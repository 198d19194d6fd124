package document_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plughost/plughost/host/internal/config/document"
)

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "f: the file is empty",
		"# nothing\n":               "f: the file is empty",
		"a: 1\n---\nb: 2\n":         "f:2:1: the file holds a second document",
		"a: &x 1\nb: *x\n":          "f:2:4: aliases (*x) are not supported",
		"a: !!str 1\n":              "f:1:4: tags (!!str) are not supported",
		"a: !x {b: 1}\n":            "f:1:4: tags (!x) are not supported",
		"<<: {b: 1}\n":              "f:1:1: merge keys (<<) are not supported",
		"? [a]\n: b\n":              "f:1:3: a key must be a plain text",
		"a: 1\nb: {c: 1, c: 2}\n":   `f:2:11: key "c" is there twice, first in line 2`,
		"a: [b, c\nd: e\n":          "f:2:2: not YAML: did not find expected ',' or ']'",
		"a: b: c\n":                 "f:1:5: not YAML: mapping values are not allowed in this context",
		"a:\n\t- b\n":               "f:2:1: not YAML: found character that cannot start any token",
		"a: 'x\n":                   "not YAML: found unexpected end of stream",
		"a: \xff\n":                 "not YAML:",
		"a: \x01\n":                 "not YAML:",
		strings.Repeat("[", 60):     "f:1:51: not YAML: exceeded max depth of 50",
		strings.Repeat("#", 2<<20):  "f: the file has 2097152 bytes; the most is 1048576",
		"a: [x/#b, x/ #c]\nd: e\n":  "# after a space starts a comment",
		"a: {x: <{name}> , y: 1}\n": "put a text",
	} {
		problems := document.NewProblems("f")
		problems.Parse([]byte(text))
		if problems.Len() != 1 || !strings.Contains(problems.Sorted()[0].String(), want) {
			t.Errorf("%.40q: %v, want one with %q", text, problems.Sorted(), want)
		}
	}
}

// What is refused is said once: later readers keep silent about it.
func TestRefusedNodesAreSaidOnce(t *testing.T) {
	problems := document.NewProblems("f")
	root := problems.Parse([]byte("a: &x [1]\nb: *x\nc: !t 1\n"))
	fields := problems.Fields(root, "it", "", document.Keys{Known: []string{"a", "b", "c"}})
	problems.Text(fields["b"], "b", "")
	problems.Entries(fields["c"], "c", "")
	d := time.Second
	problems.Duration(fields["b"], "b", 0, time.Hour, &d)
	if problems.Len() != 2 || d != time.Second {
		t.Errorf("problems: %v, duration %v", problems.Sorted(), d)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "0.5s": 500 * time.Millisecond,
		"5": 0, "": 0, "-1s": 0, "1d-1s": 0, "d": 0, "99999d": 0, "123456d": 0, "1w": 0, "[]": 0,
	} {
		problems := document.NewProblems("f")
		node := problems.Parse([]byte("a: " + text)).Content[1]
		got := time.Duration(0)
		problems.Duration(node, "it", 100*time.Millisecond, 30*document.Day, &got)
		if got != want || (problems.Len() > 0) != (want == 0) {
			t.Errorf("%q: %v, %v, want %v", text, got, problems.Sorted(), want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"members", "name", "at"}
	for word, want := range map[string]string{
		"member":  `did you mean "members"?`,
		"NAME":    `did you mean "name"?`,
		"nmae":    `did you mean "name"?`,
		"ta":      `did you mean "at"?`,
		"mebmers": `did you mean "members"?`,
		"zzzzzz":  "there are at, members, name",
	} {
		if got := document.DidYouMean(word, words); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	if got := document.DidYouMean("x", nil); got != "" {
		t.Errorf("of no words: %s", got)
	}
	if got := document.DidYouMean("zzzzzzz", []string{"irc"}); got != "there is only irc" {
		t.Errorf("of one word: %s", got)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := document.ReadFile(path, 5); err != nil || string(content) != "12345" {
		t.Errorf("ReadFile = %q, %v", content, err)
	}
	if _, err := document.ReadFile(path, 4); err == nil {
		t.Error("a file over the limit was read")
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir, filepath.Join(dir, "none")} {
		if _, err := document.ReadFile(path, 5); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}
