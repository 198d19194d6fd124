package host_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/plughost/plughost/"

// stages meet through interfaces that their users declare; only package host
// knows their order.
var stages = []string{"intake", "drain", "put", "gate", "link", "supervisor", "process", "hook/conversation"}

// allowed are the exceptions: a stage may know the types of the gate's pass.
var allowed = map[[2]string]bool{{"put", "gate"}: true}

// wrapped are dependencies that are imported where they are wrapped, and nowhere
// else.
var wrapped = map[string][]string{
	"github.com/hashicorp/go-plugin": {"host/internal/process", "sdk/go/plug"},
	"github.com/nats-io/":            {"host/internal/journal/storage", "host/bench"},
	"connectrpc.com/connect":         {"host/internal/api", "proto/plughost/host/v1"},
	"modernc.org/sqlite":             {"plugins/webchat/internal/history", "host/e2e", "host/chaos/internal/ledger"},
}

// TestImports keeps the house a house: it reads the imports of every file.
func TestImports(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "bin" || name == "testdata" || path != ".." && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			check(t, filepath.ToSlash(dir), strings.HasSuffix(name, "_test.go"), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were read", files)
	}
}

func check(t *testing.T, dir string, test bool, imported string) {
	t.Helper()
	for library, where := range wrapped {
		if strings.HasPrefix(imported, library) && !slices.ContainsFunc(where, func(w string) bool { return dir == w || strings.HasPrefix(dir, w+"/") }) {
			t.Errorf("%s imports %s, which belongs in %v", dir, imported, where)
		}
	}
	from, to := stageOf(dir), stageOf(strings.TrimPrefix(imported, module))
	if from != "" && to != "" && from != to && !test && !allowed[[2]string{from, to}] {
		t.Errorf("stage %s imports stage %s", from, to)
	}
	if strings.HasPrefix(imported, module+"host/internal/") && strings.HasPrefix(dir, "sdk/") {
		t.Errorf("%s, which plug authors import, imports %s", dir, imported)
	}
	if strings.HasPrefix(imported, module+"plugins/") && !test && !strings.HasPrefix(dir, "plugins/") && dir != "host/bench" && dir != "host/internal/proof" && !strings.HasPrefix(dir, "host/chaos/") {
		t.Errorf("%s imports the plug %s", dir, imported)
	}
}

func stageOf(dir string) string {
	rest, inside := strings.CutPrefix(dir, "host/internal/")
	if !inside {
		return ""
	}
	for _, s := range stages {
		if rest == s || strings.HasPrefix(rest, s+"/") {
			return s
		}
	}
	return ""
}

// The tests that sdk/README.md names for each sentence, and proto/README.md for each
// message, are there.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, path := range []string{"../sdk/README.md", "../proto/README.md"} {
		readme, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`((?:Test|Example)[A-Za-z]*)`").FindAllSubmatch(readme, -1)
		for _, name := range named {
			names[string(name[1])] = false
		}
		if len(named) < 20 {
			t.Errorf("%s names only %d tests", path, len(named))
		}
	}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Example)[A-Za-z]*)\(`)
	for _, dir := range []string{"../sdk", "../host", "../plugins"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := os.ReadFile(path)
			for _, name := range declared.FindAllSubmatch(code, -1) {
				names[string(name[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, there := range names {
		if !there {
			t.Errorf("%s is named and is not there", name)
		}
	}
}
