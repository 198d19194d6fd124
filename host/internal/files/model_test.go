package files_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/plughost/plughost/host/internal/files"
)

// model is what a store is promised to be: a map with an age and a bound.
type model struct {
	o       files.Options
	blobs   map[files.Hash]modelBlob
	inUse   map[files.Hash]bool
	retryAt time.Time
}

type modelBlob struct {
	content []byte
	used    time.Time
}

func blocks(n int) int64 { return max(1, (int64(n)+4095)/4096) * 4096 }

func (m *model) bytes() (n int64) {
	for _, b := range m.blobs {
		n += blocks(len(b.content))
	}
	return n
}

// shrink removes the oldest that may go until the rest is no more than target.
func (m *model) shrink(target int64) {
	byAge := slices.SortedFunc(maps.Keys(m.blobs), func(a, b files.Hash) int { return m.blobs[a].used.Compare(m.blobs[b].used) })
	for _, h := range byAge {
		if m.bytes() > target && !m.inUse[h] && time.Since(m.blobs[h].used) >= time.Minute {
			delete(m.blobs, h)
		}
	}
}

func (m *model) take(content []byte) error {
	need := blocks(len(content))
	if int64(len(content)) > m.o.MaxFileBytes {
		return files.ErrTooLarge
	}
	if m.bytes()+need > m.o.MaxBytes {
		if time.Now().Before(m.retryAt) {
			return files.ErrFull
		}
		m.shrink(m.o.MaxBytes - m.o.MaxBytes/16 - need)
	}
	if m.bytes()+need > m.o.MaxBytes {
		m.retryAt = time.Now().Add(10 * time.Second)
		return files.ErrFull
	}
	m.blobs[sha256.Sum256(content)] = modelBlob{content, time.Now()}
	return nil
}

func (m *model) give(h files.Hash) ([]byte, error) {
	b, ok := m.blobs[h]
	if !ok {
		return nil, files.ErrGone
	}
	m.blobs[h] = modelBlob{b.content, time.Now()}
	return b.content, nil
}

func (m *model) retain() {
	maps.DeleteFunc(m.blobs, func(h files.Hash, b modelBlob) bool { return time.Since(b.used) > m.o.Keep && !m.inUse[h] })
	m.shrink(m.o.MaxBytes)
}

// Any series of calls does to the store what it does to the model.
func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, run := t.TempDir(), 0
		out := filepath.Join(dir, "out")
		check(t, os.Mkdir(out, 0o700))
		var contents [][]byte
		for i, size := range []int{0, 1, 4096, 4097, 5000, 8192, 10_000, 12_288, 12_288, 16_384, 16_384, 16_385} {
			contents = append(contents, random(uint64(i), size))
			write(t, out, strconv.Itoa(i), contents[i])
		}
		// Wrapped, since a bubble has no deadline that it could ask for.
		rapid.Check(struct{ *testing.T }{t}, func(rt *rapid.T) {
			run++
			in := filepath.Join(dir, "in"+strconv.Itoa(run))
			check(t, os.Mkdir(in, 0o700))
			m := &model{blobs: map[files.Hash]modelBlob{}, inUse: map[files.Hash]bool{}}
			m.o = files.Options{Dir: filepath.Join(dir, strconv.Itoa(run)), MaxFileBytes: 16_384, MaxBytes: 8 * 4096, Keep: 10 * time.Minute}
			m.o.InUse = func(context.Context) (func(files.Hash) bool, error) {
				return func(h files.Hash) bool { return m.inUse[h] }, nil
			}
			s := open(t, m.o)
			any := func() int { return rapid.IntRange(0, len(contents)-1).Draw(rt, "content") }
			take := func(rt *rapid.T) {
				i := any()
				want := m.take(contents[i])
				if _, err := s.Take(t.Context(), out, strconv.Itoa(i)); !errors.Is(err, want) {
					rt.Fatalf("take %d: %v, want %v", i, err, want)
				}
			}
			rt.Repeat(map[string]func(*rapid.T){
				"take":  take,
				"take2": take, // more often than the rest: it should be full at times
				"give": func(rt *rapid.T) {
					i := any()
					want, wantErr := m.give(sha256.Sum256(contents[i]))
					name, err := s.Give(t.Context(), sha256.Sum256(contents[i]), in, "x")
					if !errors.Is(err, wantErr) {
						rt.Fatalf("give %d: %v, want %v", i, err, wantErr)
					}
					if err == nil {
						if got, err := os.ReadFile(filepath.Join(in, name)); err != nil || !bytes.Equal(got, want) {
							rt.Fatalf("gave other bytes: %v", err)
						}
						s.Forget(in, name)
					}
				},
				"retain":  func(*rapid.T) { m.retain(); retain(t, s) },
				"use":     func(*rapid.T) { m.inUse[sha256.Sum256(contents[any()])] = true },
				"release": func(*rapid.T) { delete(m.inUse, sha256.Sum256(contents[any()])) },
				"wait": func(rt *rapid.T) {
					time.Sleep(time.Duration(rapid.SampledFrom([]int{1, 5, 30, 61}).Draw(rt, "seconds")) * time.Second)
				},
				"restart": func(*rapid.T) { m.retryAt = time.Time{}; s = open(t, m.o) },
				"": func(rt *rapid.T) {
					time.Sleep(time.Millisecond) // no two are as old
					if got := s.Stats(); got.Blobs != int64(len(m.blobs)) || got.Bytes != m.bytes() || got.Bytes > m.o.MaxBytes {
						rt.Fatalf("stats %+v, want %d blobs of %d bytes", got, len(m.blobs), m.bytes())
					}
					for i, content := range contents {
						if _, want := m.blobs[sha256.Sum256(content)]; s.Has(sha256.Sum256(content)) != want {
							rt.Fatalf("%d is there: %v", i, !want)
						}
					}
				},
			})
			checkWhole(rt, s, m.o.Dir)
			if left := tree(t, in); len(left) > 0 {
				rt.Fatalf("left in the spool are %q", left)
			}
			check(t, os.RemoveAll(m.o.Dir))
			check(t, os.Remove(in))
		})
	})
}
