package main

import (
	"os"
	"strings"
	"testing"
)

// The table is of the code as it is.
func TestTexts(t *testing.T) {
	for _, m := range mutations {
		code, err := os.ReadFile("../../" + m.file)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := strings.Count(string(code), m.old); n != 1 || m.old == m.new {
			t.Errorf("%s: its text is %d times in %s:\n%s", m.name, n, m.file, m.old)
		}
	}
}
