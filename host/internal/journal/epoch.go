package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// Format is the number of the stored format.
const Format = 1

// epoch is random, and counts for what has its sequence or a later one.
type epoch struct {
	from  id.Sequence
	value []byte
	boot  string
}

// epoch returns the epoch that counts for a sequence.
func (j *Journal) epoch(s id.Sequence) []byte {
	for _, e := range slices.Backward(j.epochs) {
		if e.from <= s {
			return e.value
		}
	}
	return j.epochs[0].value
}

// Open reads the journal's meta records, or makes the first in an empty store. Where
// the machine was booted since, it makes another: a power loss may have taken records
// after which the network knows operations, and their sequences are given again (D6).
func Open(ctx context.Context, store storage.Store) (*Journal, error) {
	// Without a name of the boot there is never another one.
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return open(ctx, store, strings.TrimSpace(string(boot)))
}

func open(ctx context.Context, store storage.Store, boot string) (*Journal, error) {
	j, err := Inspect(ctx, store)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		j = &Journal{store: store, resolving: make(chan struct{}, 1)}
	case err != nil:
		return nil, err
	case j.epochs[len(j.epochs)-1].boot == boot:
		return j, nil
	}
	meta := &journalv1.Meta{Format: Format, Epoch: make([]byte, 16), Boot: boot}
	if _, err := rand.Read(meta.Epoch); err != nil {
		return nil, fmt.Errorf("make journal epoch: %w", err)
	}
	s, err := j.append(ctx, subject.Meta, meta)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.epochs = append(j.epochs, epoch{s, meta.Epoch, boot})
	return j, nil
}

// Inspect is Open for a journal that is there: ErrNotFound if its meta record is not.
// Nothing is written.
func Inspect(ctx context.Context, store storage.Store) (*Journal, error) {
	j := &Journal{store: store, resolving: make(chan struct{}, 1)}
	err := j.read(ctx, subject.Meta, 1, func(r storage.Record) (bool, error) {
		meta := &journalv1.Meta{}
		if err := proto.Unmarshal(r.Data, meta); err != nil {
			return false, fmt.Errorf("its meta record can't be decoded: %w", err)
		}
		if meta.Format != Format {
			return false, fmt.Errorf("it has format %d and this version of plughost knows format %d; run the version that wrote it, or start with an empty data directory", meta.Format, Format)
		}
		j.epochs = append(j.epochs, epoch{r.Sequence, meta.Epoch, meta.Boot})
		return true, nil
	})
	if err == nil && len(j.epochs) == 0 {
		err = fmt.Errorf("it has no meta record: %w", storage.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return j, nil
}
