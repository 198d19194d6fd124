package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	pkg = "./host/internal/proof"
	// schedules is how many schedules may pass until a mutation is noticed.
	schedules = "60000"
	// unmutated is how many schedules the code as it is must pass.
	unmutated = "2000"
	// seed makes the draws the same each time. What the draws lead to is not
	// wholly the same: goroutines that are ready at once run in any order.
	seed = "1"
	// limit is the time for one mutation's test.
	limit = 4 * time.Minute
)

func main() {
	only := flag.String("only", "", "try only the mutations whose name matches this regular expression")
	flag.Parse()
	if err := run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(only string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("flag -only: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	start := time.Now()
	if r, err := try(ctx, filepath.Join(dir, "unmutated"), nil); err != nil {
		return err
	} else if r.noticed {
		return fmt.Errorf("the code as it is does not pass; run go test %s", pkg)
	}
	fmt.Printf("%-10s %-12s the code as it is\n", "passes", "")

	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	results := make([]chan result, len(mutations))
	for i, m := range mutations {
		results[i] = make(chan result, 1)
		if !pattern.MatchString(m.name) {
			close(results[i])
			continue
		}
		group.Go(func() error {
			defer close(results[i])
			r, err := try(ctx, filepath.Join(dir, fmt.Sprint(i)), &m)
			if err == nil {
				results[i] <- r
			}
			return err
		})
	}
	tried, survived := 0, 0
	for i, m := range mutations {
		r, ok := <-results[i]
		if !ok {
			continue
		}
		tried++
		word := "noticed"
		if !r.noticed {
			word = "SURVIVED"
			survived++
		}
		fmt.Printf("%-10s %-12s %s\n", word, r.how, m.name)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Printf("%d mutations in %v\n", tried, time.Since(start).Round(time.Second))
	if survived > 0 {
		return fmt.Errorf("%d mutations were not noticed", survived)
	}
	return nil
}

// result is what a test said of a mutation.
type result struct {
	noticed bool
	how     string // the guarantee, and after how many schedules
}

var failed = regexp.MustCompile(`(?:failed after (\d+) tests: |Original traceback \()broken: (\w+)`)

// try builds the test with a mutation, or with none, and runs it.
func try(ctx context.Context, dir string, m *mutation) (result, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return result{}, err
	}
	binary := filepath.Join(dir, "proof.test")
	build := []string{"test", "-c", "-o", binary}
	checks, name := unmutated, "the code as it is"
	if m != nil {
		overlay, err := m.overlay(dir)
		if err != nil {
			return result{}, err
		}
		build = append(build, "-overlay", overlay)
		checks, name = schedules, m.name
	}
	if out, err := exec.CommandContext(ctx, "go", append(build, pkg)...).CombinedOutput(); err != nil {
		return result{}, fmt.Errorf("build %q: %w\n%s", name, err, out)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	test := exec.CommandContext(limited, binary, "-test.run", "^TestSchedules$", "-test.v",
		"-schedules", checks, "-rapid.seed", seed, "-rapid.shrinktime", "0s")
	out, err := test.CombinedOutput()
	if ctx.Err() != nil {
		return result{}, ctx.Err()
	}
	if err == nil {
		return result{}, nil
	}
	if found := failed.FindSubmatch(out); found != nil {
		return result{noticed: true, how: strings.TrimSpace(fmt.Sprintf("%s %s", found[2], found[1]))}, nil
	}
	if m != nil && bytes.Contains(out, []byte("[recovered, repanicked]")) {
		return result{noticed: true, how: "panics"}, nil // the stage itself can't go on
	}
	if limited.Err() != nil {
		return result{how: "time limit"}, nil
	}
	return result{}, fmt.Errorf("the test of %q failed in another way: %w\n%s", name, err, tail(out))
}

func tail(out []byte) []byte {
	lines := bytes.Split(out, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-40):], []byte("\n"))
}

// overlay writes the mutated copy of the file and the compiler's list of it.
func (m *mutation) overlay(dir string) (string, error) {
	original, err := filepath.Abs(filepath.FromSlash(m.file))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("mutation %q: %w", m.name, err)
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return "", fmt.Errorf("mutation %q: its text is %d times in %s, not once; bring the table up to date", m.name, n, m.file)
	}
	mutated := filepath.Join(dir, filepath.Base(m.file))
	if err := os.WriteFile(mutated, bytes.Replace(text, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutated}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}
