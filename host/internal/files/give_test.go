package files

import (
	"context"
	"errors"
	"io"
	"testing"
)

// zeros are as many bytes as anyone wants; the context ends after some.
type zeros struct {
	read   int64
	cancel func()
}

func (z *zeros) Read(p []byte) (int, error) {
	if z.read += int64(len(p)); z.read > 2*giveChunk {
		z.cancel()
	}
	return len(p), nil
}

func TestContextEndsAPlainCopy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	z := &zeros{cancel: cancel}
	if err := copyChunks(ctx, io.Discard, z); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if z.read > 4*giveChunk {
		t.Errorf("%d bytes were copied", z.read)
	}
}
