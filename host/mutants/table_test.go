package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The table is of the code as it is: each text is there once, and what stands in its
// place compiles.
func TestTable(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	for i, m := range mutations {
		code, err := os.ReadFile(m.file)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(string(code), m.old); n != 1 || m.old == m.new {
			t.Errorf("%s: its text is %d times in %s:\n%s", m.name, n, m.file, m.old)
			continue
		}
		own := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		overlay, err := m.overlay(own)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "./"+filepath.Dir(m.file)).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
