package verify

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

var (
	laneA = id.Channel{Network: "net.one", Source: "#a b"}
	laneB = id.Channel{Network: "net.one", Source: "*"}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func done(t *testing.T, j *journal.Journal, hook id.HookName, through map[id.Channel]id.Sequence) {
	t.Helper()
	_, err := j.SaveDone(t.Context(), hook, through)
	must(t, err)
}

// sound fills a journal with a little of everything, as the host does.
func sound(t *testing.T, j *journal.Journal) (event id.Sequence, operations []*journalv1.Operation, out id.Sequence) {
	t.Helper()
	ctx := t.Context()
	must(t, j.BindInstance(ctx, "left", &journalv1.InstanceRecord{NetworkId: "net"}))
	_, err := j.EventLanes(ctx, "hook")
	must(t, err)
	sequences, err := j.AppendEvents(ctx, []journal.Run{{Channel: laneA, Record: &journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: "e", Channel: string(laneA.Source)}}}}})
	must(t, err)
	event = sequences[0]
	must(t, j.SaveCursors(ctx, laneA.Network, []journal.Cursor{{Cursor: &plugv1.Cursor{Value: []byte("c")}}, {Cursor: &plugv1.Cursor{Scope: string(laneA.Source), Value: []byte("c")}}}))
	must(t, j.SaveGaps(ctx, laneA.Network, []*journalv1.GapRecord{{Gap: &plugv1.Gap{Reason: "away"}}}))
	for i := range 3 {
		operations = append(operations, &journalv1.Operation{Id: string(j.OperationID(event, 0, "hook", laneB, i)), Action: &plugv1.Action{}})
	}
	must(t, j.Accept(ctx, []journal.Accepted{{Channel: laneB, Operations: operations}}))
	done(t, j, "hook", map[id.Channel]id.Sequence{laneA: event})
	out, err = j.End(ctx)
	must(t, err)
	out--
	settled := &journalv1.Settled{Position: &journalv1.Position{Sequence: uint64(out)}, OperationId: operations[0].Id, Outcome: journalv1.Outcome_OUTCOME_SENT, Receipts: []*plugv1.Receipt{{Id: "m"}}}
	must(t, j.SavePut(ctx, laneB, &journalv1.PutRecord{Settled: settled}))
	must(t, j.SaveCopies(ctx, laneB, settled))
	must(t, j.SavePut(ctx, laneB, &journalv1.PutRecord{Settled: settled, Attempt: &journalv1.Attempt{Position: &journalv1.Position{Sequence: uint64(out), Index: 1}, OperationId: operations[1].Id}}))
	must(t, j.Park(ctx, laneB, &journalv1.ParkedRecord{Operation: operations[1]}))
	return event, operations, out
}

// What a host stores is found sound; each way in which it can be wrong is found, and
// said in words.
func TestVerify(t *testing.T) {
	verify := func(t *testing.T, store storage.Store) []string {
		t.Helper()
		var found []string
		v, err := Journal(t.Context(), store, func(f Finding) { found = append(found, f.String()) })
		must(t, err)
		if v.Records == 0 || v.Findings != len(found) {
			t.Errorf("%+v, and %d were told", v, len(found))
		}
		return found
	}
	record := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		must(t, err)
		return data
	}
	var epoch []byte
	put := func(m *journalv1.PutRecord) storage.Entry {
		return storage.Entry{Subject: subject.Channel(subject.Put, laneB), Data: record(m)}
	}
	position := func(s id.Sequence, i uint32) *journalv1.Position {
		return &journalv1.Position{Sequence: uint64(s), Index: i}
	}
	for want, wrong := range map[string]func(event id.Sequence, ops []*journalv1.Operation, out id.Sequence) storage.Entry{
		"": nil,
		"events, record 13: it can't be decoded": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Channel(subject.Events, laneA), Data: []byte("\xff")}
		},
		"is kept under channel": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Channel(subject.Events, laneA), Data: record(&journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: "e", Channel: "else"}}})}
		},
		"event 1 of 1 is withheld": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Channel(subject.Events, laneA), Data: record(&journalv1.EventsRecord{Events: []*plugv1.Event{{EventId: "e", Channel: string(laneA.Source)}}, Withheld: []uint32{1}})}
		},
		"its epoch was there before": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Meta, Data: record(&journalv1.Meta{Format: journal.Format, Epoch: epoch})}
		},
		"the cursor is of another scope": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Join(subject.Cursor, subject.Token(laneA.Network), "_"), Data: record(&journalv1.CursorRecord{Cursor: &plugv1.Cursor{Scope: "a"}})}
		},
		"goes back from": func(_ id.Sequence, ops []*journalv1.Operation, out id.Sequence) storage.Entry {
			return put(&journalv1.PutRecord{Settled: &journalv1.Settled{Position: position(out-3, 0), OperationId: ops[0].Id}})
		},
		"was settled before it was accepted": func(_ id.Sequence, ops []*journalv1.Operation, out id.Sequence) storage.Entry {
			return put(&journalv1.PutRecord{Settled: &journalv1.Settled{Position: position(out+1, 0), OperationId: ops[0].Id}})
		},
		"is not where it says": func(_ id.Sequence, ops []*journalv1.Operation, out id.Sequence) storage.Entry {
			return put(&journalv1.PutRecord{Settled: &journalv1.Settled{Position: position(out, 2), OperationId: ops[0].Id}})
		},
		"an attempt of what is settled": func(_ id.Sequence, ops []*journalv1.Operation, out id.Sequence) storage.Entry {
			return put(&journalv1.PutRecord{Settled: &journalv1.Settled{Position: position(out, 1), OperationId: ops[1].Id}, Attempt: &journalv1.Attempt{Position: position(out, 1), OperationId: ops[1].Id}})
		},
		"a hook goes back from": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Join(subject.Done, subject.Token("hook"), subject.Token(laneA.Network), subject.Token(laneA.Source)), Data: record(&journalv1.DoneRecord{Sequence: 1})}
		},
		"which was said later": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Join(subject.Done, subject.Token("hook"), subject.Token(laneA.Network), subject.Token(laneA.Source)), Data: record(&journalv1.DoneRecord{Sequence: 99})}
		},
		"is kept under another": func(_ id.Sequence, ops []*journalv1.Operation, _ id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Channel(subject.Parked, laneB) + ".else", Data: record(&journalv1.ParkedRecord{Operation: ops[2]})}
		},
		"has no id or no action": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: subject.Channel(subject.Out, laneB), Data: record(&journalv1.OperationsRecord{Operations: []*journalv1.Operation{{Id: "short"}}})}
		},
		"no such kind": func(id.Sequence, []*journalv1.Operation, id.Sequence) storage.Entry {
			return storage.Entry{Subject: "new.a"}
		},
	} {
		t.Run(want, func(t *testing.T) {
			m := storage.NewMemory()
			j, err := journal.Open(t.Context(), m)
			must(t, err)
			event, ops, out := sound(t, j)
			contents, err := j.Contents(t.Context())
			must(t, err)
			epoch = contents.Epoch
			store := storage.Store(m)
			if wrong != nil {
				store = damaged{m, wrong(event, ops, out)}
			}
			found := verify(t, store)
			if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.Contains(found[0], want)) {
				t.Errorf("found %q", found)
			}
		})
	}
}

// damaged is a store with a record that no host would have written.
type damaged struct {
	*storage.Memory
	entry storage.Entry
}

func (d damaged) End(ctx context.Context) (id.Sequence, error) {
	end, err := d.Memory.End(ctx)
	return end + 1, err
}

func (d damaged) Follow(ctx context.Context, from id.Sequence, yield func(storage.Record) error, filters ...string) error {
	end, err := d.Memory.End(ctx)
	if err != nil {
		return err
	}
	return d.Memory.Follow(ctx, from, func(r storage.Record) error {
		err := yield(r)
		if err == nil && r.Sequence == end {
			err = yield(storage.Record{Subject: d.entry.Subject, Sequence: end + 1, Data: d.entry.Data})
		}
		return err
	}, filters...)
}

// A list of copies that names one that is not there is found, unless the map may just
// have forgotten it; so is an entry that can't be decoded.
func TestVerifyMap(t *testing.T) {
	ctx := t.Context()
	s, err := storage.OpenJetStream(ctx, storage.Options{Dir: t.TempDir(), Logger: hclog.New(&hclog.LoggerOptions{Output: t.Output(), Level: hclog.Warn})})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	_, err = journal.Open(ctx, s)
	must(t, err)
	set := func(subject string, m proto.Message) {
		t.Helper()
		data, err := proto.Marshal(m)
		must(t, err)
		must(t, s.Set(ctx, storage.Entry{Subject: subject, Data: data}))
	}
	lost := func(operation string) {
		set(subject.Join(subject.From, subject.Token(operation), operation), &journalv1.FromRecord{OperationId: operation, NetworkId: "net", Channel: "a", Receipts: []*plugv1.Receipt{{Id: "m-" + operation}}})
	}
	lost("forgotten")
	for i := range besideOldest {
		set(subject.Message(subject.Original, id.Message{Channel: laneA, ID: id.MessageID(fmt.Sprint(i))}), &journalv1.OriginalRecord{Id: "x"})
	}
	lost("lost")
	must(t, s.Set(ctx, storage.Entry{Subject: subject.Message(subject.Copy, id.Message{Channel: laneA, ID: "x"}), Data: []byte("\xff")}))
	var found []string
	v, err := Journal(ctx, s, func(f Finding) { found = append(found, f.String()) })
	must(t, err)
	if text := strings.Join(found, "\n"); v.Findings != 2 || !strings.Contains(text, "it can't be decoded") || !strings.Contains(text, `lists message "m-lost"`) {
		t.Errorf("found\n%s", text)
	}
}
