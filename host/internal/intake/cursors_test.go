package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// ticking gives an answer with a cursor each millisecond, and notes what is
// acknowledged.
type ticking struct {
	left, said int
	log        *order
}

func (s *ticking) Recv() (*plugv1.StreamMessagesResponse, error) {
	if s.said == s.left {
		return nil, io.EOF
	}
	time.Sleep(time.Millisecond)
	s.said++
	return &plugv1.StreamMessagesResponse{Sequence: uint64(s.said), Cursors: []*plugv1.Cursor{{Value: fmt.Append(nil, s.said)}}}, nil
}

func (s *ticking) Ack(through uint64, _ bool) { s.log.note(fmt.Sprint("ack ", through)) }

type order struct {
	mu    sync.Mutex
	lines []string
}

func (o *order) note(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
}

// noting notes which cursors are stored.
type noting struct {
	*journal.Journal
	log *order
}

func (n *noting) SaveCursors(ctx context.Context, network id.NetworkID, cursors []journal.Cursor) error {
	err := n.Journal.SaveCursors(ctx, network, cursors)
	n.log.note("cursor " + string(cursors[0].Value))
	return err
}

// D1: cursors are stored before the answers that named them are acknowledged, the
// last one in any case; and a busy plug costs a record each cursorGap, not each answer.
func TestCursorsAreStoredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answers = 100
		log := &order{}
		j := &noting{Journal: open(t), log: log}
		in := New(Options{Network: "n", Journal: j, Watcher: &watcher{}, Appended: func(id.NetworkID, id.Sequence) {}, Logger: hclog.NewNullLogger()})
		if _, err := in.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := in.Run(t.Context(), &ticking{left: answers, log: log}, nil); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		stored, acknowledged, writes := 0, 0, 0
		for _, line := range log.lines {
			if _, err := fmt.Sscanf(line, "cursor %d", &stored); err == nil {
				writes++
			} else if _, err := fmt.Sscanf(line, "ack %d", &acknowledged); err != nil || acknowledged > stored {
				t.Errorf("%s when cursor %d was stored", line, stored)
			}
		}
		if stored != answers || acknowledged != answers {
			t.Errorf("of %d, %d stored and %d acknowledged", answers, stored, acknowledged)
		}
		if most := int(time.Since(begun)/cursorGap) + 2; writes > most {
			t.Errorf("%d records for %d answers, want at most %d", writes, answers, most)
		}
	})
}
