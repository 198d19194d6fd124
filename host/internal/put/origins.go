package put

import (
	"context"
	"errors"
	"sync"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// recentReceipts is how many receipts are kept in memory, so that an echo that
// comes soon after its Put, as most do, costs no look-up in the message map.
const recentReceipts = 10_000

// origins remembers the newest receipts.
type origins struct {
	mu         sync.Mutex
	messages   map[id.Message]*hook.Origin
	operations map[id.OperationID]*hook.Origin
	ring       []receiptKey // grows up to limit, then wraps
	next       int
	limit      int
}

type receiptKey struct {
	message   id.Message
	operation id.OperationID
}

func newOrigins(limit int) *origins {
	return &origins{messages: map[id.Message]*hook.Origin{}, operations: map[id.OperationID]*hook.Origin{}, limit: limit}
}

// add remembers the receipt of an operation's part, the first of which is 1.
func (os *origins) add(c id.Channel, op *journalv1.Operation, part uint32, r *plugv1.Receipt) {
	os.mu.Lock()
	defer os.mu.Unlock()
	origin := originOf(op.Id, op.Hook, op.Source, part == 1)
	for _, name := range append([]string{r.Id}, r.Aliases...) {
		key := receiptKey{id.Message{Channel: journal.ReceiptChannel(c, r), ID: id.MessageID(name)}, origin.Operation}
		if os.messages[key.message] == nil {
			os.keep(key)
		}
		os.messages[key.message] = origin
		if origin.Primary {
			os.operations[key.operation] = origin
		}
	}
}

// act remembers an operation that makes no message.
func (os *origins) act(op *journalv1.Operation) {
	os.mu.Lock()
	defer os.mu.Unlock()
	name := id.OperationID(op.Id)
	if os.operations[name] == nil {
		os.keep(receiptKey{operation: name})
	}
	os.operations[name] = originOf(op.Id, op.Hook, op.Source, true)
}

// operation returns the origin of an echo that has an operation's id.
func (os *origins) operation(name id.OperationID) *hook.Origin {
	os.mu.Lock()
	defer os.mu.Unlock()
	return os.operations[name]
}

// find returns the origin of a message by its names.
func (os *origins) find(c id.Channel, names ...string) *hook.Origin {
	os.mu.Lock()
	defer os.mu.Unlock()
	for _, name := range names {
		if o := os.messages[id.Message{Channel: c, ID: id.MessageID(name)}]; o != nil {
			return o
		}
	}
	return nil
}

// keep takes a key into the ring, in the place of the oldest if that is full.
func (os *origins) keep(key receiptKey) {
	if len(os.ring) < os.limit {
		os.ring = append(os.ring, key)
		return
	}
	oldest := os.ring[os.next]
	delete(os.messages, oldest.message)
	if oldest.operation != key.operation {
		delete(os.operations, oldest.operation)
	}
	os.ring[os.next] = key
	os.next = (os.next + 1) % os.limit
}

func originOf(operation, h string, source *journalv1.MessageKey, primary bool) *hook.Origin {
	o := &hook.Origin{Operation: id.OperationID(operation), Hook: id.HookName(h), Primary: primary}
	if source != nil {
		o.Source = &id.Message{Channel: id.Channel{Network: id.NetworkID(source.NetworkId), Source: id.ChannelSource(source.Channel)}, ID: id.MessageID(source.Id)}
	}
	return o
}

// Origin implements drain.Origins: an own event is matched by its operation id,
// if we issued it, else by its message id or an alias against receipts.
func (s *Stage) Origin(ctx context.Context, c id.Channel, e *plugv1.Event) (*hook.Origin, error) {
	base, part, echo := echoOf(e)
	if echo && s.echoedLate(c.Network, base, part, e) {
		// Whoever is given the echo knows what became of its operation (O1).
		if err := s.settleLate(ctx, base); err != nil {
			return nil, err
		}
	}
	o, err := s.origin(ctx, c, e, base, echo)
	if o != nil && o.Source != nil && o.Source.Channel.Network == "" {
		// Nothing that was said caused it: the source is an operation of ours.
		of := *o
		of.Source = nil
		o = &of
	}
	if o != nil && o.Operation == base && part > 0 {
		// Of an operation sent in part, the receipts known may lack the first.
		of := *o
		of.Primary = part == 1
		o = &of
	}
	return o, err
}

// Canonical implements drain.Origins.
func (s *Stage) Canonical(ctx context.Context, m id.Message) (*journalv1.MessageKey, error) {
	if o := s.origins.find(m.Channel, string(m.ID)); o != nil {
		return originKey(o), nil
	}
	copied, err := s.Journal.CopyOf(ctx, m)
	if err == nil {
		return journal.SourceKey(copied.Source, copied.OperationId), nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	// The map may have been asked just before it was told.
	if o := s.origins.find(m.Channel, string(m.ID)); o != nil {
		return originKey(o), nil
	}
	original, err := s.Journal.Original(ctx, m)
	if err == nil {
		m.ID = id.MessageID(original.Id)
	} else if !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return &journalv1.MessageKey{NetworkId: string(m.Channel.Network), Channel: string(m.Channel.Source), Id: string(m.ID)}, nil
}

func originKey(o *hook.Origin) *journalv1.MessageKey {
	if o.Source == nil || o.Source.ID == "" {
		return &journalv1.MessageKey{Id: string(o.Operation)}
	}
	return &journalv1.MessageKey{NetworkId: string(o.Source.Channel.Network), Channel: string(o.Source.Channel.Source), Id: string(o.Source.ID)}
}

func (s *Stage) origin(ctx context.Context, c id.Channel, e *plugv1.Event, base id.OperationID, echo bool) (*hook.Origin, error) {
	if o := s.origins.operation(base); echo && o != nil {
		return o, nil
	}
	// What is done to a message of ours has the message's id, and is not its echo.
	if act := e.GetMessage() == nil; echo && act {
		if o, err := s.issued(ctx, c, base); o != nil || err != nil {
			return o, err
		}
	}
	names := append([]string{e.MessageId}, e.Aliases...)
	if o := s.origins.find(c, names...); o != nil {
		return o, nil
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		copied, err := s.Journal.CopyOf(ctx, id.Message{Channel: c, ID: id.MessageID(name)})
		if err == nil {
			return originOf(copied.OperationId, copied.Hook, copied.Source, copied.Primary), nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
	}
	// The map may have been asked just before it was told: what settles is in
	// memory before it is in the map.
	if o := s.origins.operation(base); echo && o != nil {
		return o, nil
	}
	if o := s.origins.find(c, names...); o != nil || !echo {
		return o, nil
	}
	// Not settled yet, or settled without it: parked, or sent more than once.
	return s.issued(ctx, c, base)
}

// issued returns the origin of an echo by the operation of ours; nil if it is none.
func (s *Stage) issued(ctx context.Context, c id.Channel, base id.OperationID) (*hook.Origin, error) {
	op, err := s.Journal.Issued(ctx, c.Network, base)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return originOf(op.Id, op.Hook, op.Source, true), nil
}
