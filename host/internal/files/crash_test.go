package files_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/plughost/plughost/host/internal/files"
)

// A host that is killed while it takes files leaves whole blobs only, and every
// one that Take had returned.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	o := plenty(dir)
	unfinished := 0
	for range 8 {
		taken := runUntilKilled(t, dir, 40)
		left, err := os.ReadDir(filepath.Join(o.Dir, "tmp"))
		check(t, err)
		unfinished += len(left)

		s := open(t, o)
		checkWhole(t, s, o.Dir)
		for _, h := range taken {
			if !s.Has(h) {
				t.Errorf("%s was taken and is lost", h)
			}
		}
	}
	if unfinished == 0 {
		t.Error("no kill came in the middle: nothing was tested")
	}
}

// runUntilKilled runs a process that takes files, kills it after some, and gives
// the hashes that it had said.
func runUntilKilled(t *testing.T, dir string, count int) []files.Hash {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), killedDir+"="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	var taken []files.Hash
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		sum, err := hex.DecodeString(lines.Text())
		check(t, err)
		h, err := files.ParseHash(sum)
		check(t, err)
		if taken = append(taken, h); len(taken) == count {
			check(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the process was not killed: %v", err)
	}
	return taken
}

// takeUntilKilled takes files of many sizes, several at once, and writes a line
// for each.
func takeUntilKilled(dir string) {
	s, err := files.Open(plenty(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var taking sync.WaitGroup
	for w := range 4 {
		taking.Go(func() {
			out, err := os.MkdirTemp(dir, "out")
			for i := 0; err == nil; i++ {
				name := strconv.Itoa(i)
				content := make([]byte, rand.IntN(1<<20))
				_, _ = rand.NewChaCha8([32]byte{byte(w), byte(rand.Int()), byte(rand.Int())}).Read(content)
				if err = os.WriteFile(filepath.Join(out, name), content, 0o600); err == nil {
					var b files.Blob
					if b, err = s.Take(context.Background(), out, name); err == nil {
						s.Forget(out, name)
						fmt.Println(b.Hash)
					}
				}
			}
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		})
	}
	taking.Wait()
}
