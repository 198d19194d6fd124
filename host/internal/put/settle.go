package put

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/gate"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// resume takes up an attempt that was begun before the host was started. The
// response is nil if the next thing to do is an attempt.
func (o *operation) resume(ctx context.Context) (*plugv1.PutResponse, journalv1.SettledBy, error) {
	a, pass := o.progress.attempt, o.progress.resumed
	o.progress.attempt, o.progress.resumed = nil, nil
	if a == nil {
		return nil, 0, nil
	}
	if o.record.Fallback != nil && a.OperationId == string(journal.FallbackID(o.id)) {
		o.fallBack()
	}
	if a.OperationId != string(o.id) {
		return nil, 0, nil
	}
	o.attempt = a
	o.age() // from here
	if err := o.recall(ctx); err != nil {
		return nil, 0, err
	}
	if a.Uncertain == 0 {
		return nil, 0, nil
	}
	o.passes = []*gate.Pass{pass}
	return o.await(ctx)
}

// await waits for what settles an attempt that may have been sent: an echo with
// the operation's id, a PutOutcome, or what the network's history finds. The response is nil once another attempt
// may begin (O5).
func (o *operation) await(ctx context.Context) (*plugv1.PutResponse, journalv1.SettledBy, error) {
	if err := o.search(ctx); err != nil {
		return nil, 0, err
	}
	var found time.Time // what the last look-up before its time was for
	for {
		if r, by := o.known(); r != nil {
			return r, by, nil
		}
		if err := o.noteCrash(ctx); err != nil {
			return nil, 0, err
		}
		at, changed := o.next()
		if !at.IsZero() && !time.Now().Before(at) {
			// Another attempt only with a view of all that is in the journal, and of what
			// the network keeps.
			if err := o.search(ctx); err != nil {
				return nil, 0, err
			}
			if err := o.lookUp(ctx); err != nil {
				return nil, 0, err
			}
			if r, by := o.known(); r != nil {
				return r, by, nil
			}
			return nil, 0, nil
		}
		var most time.Duration
		if !at.IsZero() {
			if !at.Equal(found) {
				// What is there now needs no wait.
				found = at
				o.find(ctx)
				continue
			}
			most = time.Until(at)
		}
		if err := o.wait(ctx, changed, most); err != nil {
			return nil, 0, err
		}
	}
}

// search reads the journal for echoes since the first attempt that may have been
// sent. It finds those that Appended was not told of: they came before the host
// was started, or their append was cut off as the plug died. Its error is the context's.
func (o *operation) search(ctx context.Context) error {
	return o.searchAs(ctx, o.id, id.Sequence(o.attempt.Noted))
}

// searchAs reads the journal for echoes with one of the operation's ids that came after a
// record. It looks in all channels, since a message may land elsewhere.
func (o *operation) searchAs(ctx context.Context, as id.OperationID, after id.Sequence) error {
	for {
		err := o.stage.Journal.ReadEvents(ctx, id.Channel{Network: o.channel.Network}, after+1, func(_ id.Channel, r storage.Record) bool {
			record, err := journal.EventsOf(r)
			if err != nil {
				o.log.Error("journal record not readable; passed over", "error", err)
			}
			for _, e := range record.GetEvents() {
				if base, part, ok := echoOf(e); ok && base == as {
					o.echoed(part, e)
				}
			}
			return true
		})
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		o.log.Error("the journal could not be searched for an echo; the channel waits", "error", err, "next_try", searchAgain)
		_ = await(ctx, nil, searchAgain)
	}
}

// searchAgain is the time between two tries to read the journal.
const searchAgain = time.Second

// known returns what the stream has told of the operation's end, nil if nothing.
func (o *operation) known() (*plugv1.PutResponse, journalv1.SettledBy) {
	if r := o.echo(); r != nil {
		response := &plugv1.PutResponse{}
		if r.Id != "" {
			response.Receipts = []*plugv1.Receipt{r}
		}
		return response, o.by()
	}
	if r := o.outcome(); r != nil {
		return r, journalv1.SettledBy_SETTLED_BY_PUT_OUTCOME
	}
	return nil, 0
}

func (o *operation) wait(ctx context.Context, changed <-chan struct{}, most time.Duration) error {
	var expired <-chan time.Time
	if most > 0 {
		t := time.NewTimer(most)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-o.news:
	case <-changed:
	case <-expired:
	}
	return nil
}

// next returns when another attempt may begin, zero if that depends on a change
// of the plug.
func (o *operation) next() (at time.Time, changed <-chan struct{}) {
	s := o.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plug(o.channel.Network)
	changed = p.changed
	if p.live == nil {
		return time.Time{}, changed
	}
	// A new process can't be running the last attempt any more; the same may,
	// until the RPC's own deadline.
	from := o.until
	if p.process != o.process {
		from = time.Unix(0, 1)
	}
	if p.live.Abilities.GetEcho() == plugv1.Echo_ECHO_NONE && !p.live.finds(o.record.Action) {
		return from, changed
	}
	// An echo may still come, or the network may still take what was sent: wait until the
	// plug has said all it knew.
	said := p.opened
	if p.live.Abilities.GetResumable() {
		said = p.caughtUp[o.channel.Source]
		if all := p.caughtUp[""]; said.IsZero() || !all.IsZero() && all.Before(said) {
			said = all
		}
	}
	if said.IsZero() {
		return time.Time{}, changed
	}
	if said.After(from) {
		from = said
	}
	return from.Add(s.SettleTimeout), changed
}

// due tells whether another attempt may begin now.
func (o *operation) due() bool {
	at, _ := o.next()
	return !at.IsZero() && !time.Now().Before(at)
}

// echoed notes an echo of the operation, of a part if part is not 0. A part that an
// edit removes is none that represents the message from now.
func (o *operation) echoed(part uint32, e *plugv1.Event) {
	if part > 0 && e.GetDelete() != nil {
		return
	}
	r := receiptOf(o.channel, e)
	o.mu.Lock()
	o.heard.note(part, r, journalv1.SettledBy_SETTLED_BY_ECHO)
	o.mu.Unlock()
	o.tell()
}

// reported notes an outcome that came on the stream.
func (o *operation) reported(outcome *plugv1.PutOutcome) {
	o.mu.Lock()
	o.heard.report(outcome)
	o.mu.Unlock()
	o.tell()
}

func (o *operation) tell() {
	select {
	case o.news <- struct{}{}:
	default:
	}
}

// echo returns the receipt that an echo of the whole operation gave.
func (o *operation) echo() *plugv1.Receipt {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.complete(o.heard.whole)
}

// by is what told of the whole operation.
func (o *operation) by() journalv1.SettledBy {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heard.by
}

// complete gives the receipt that the echo of an edit stands for what was known of the
// message before: a network tells its other names, and the plug its reference, when the
// message is new.
func (o *operation) complete(r *plugv1.Receipt) *plugv1.Receipt {
	i := slices.IndexFunc(o.edited, func(old *plugv1.Receipt) bool {
		return r != nil && (old.Id == r.Id || slices.Contains(old.Aliases, r.Id))
	})
	if i < 0 {
		return r
	}
	known := proto.CloneOf(o.edited[i])
	if r.Revision != "" {
		known.Revision = r.Revision
	}
	if len(r.Reference) > 0 {
		known.Reference = r.Reference
	}
	return known
}

// outcome takes a reported outcome that tells more than that it is uncertain: of
// any attempt that it sent, only of the last that it did not.
func (o *operation) outcome() *plugv1.PutResponse {
	o.mu.Lock()
	defer o.mu.Unlock()
	outcome := o.heard.outcome
	o.heard.outcome = nil
	if outcome == nil || outcome.Response == nil {
		return nil
	}
	f := outcome.Response.Failure
	if f == nil && len(outcome.Response.Receipts) == 0 && needsReceipt(o.record.Action) {
		return nil // it broke the contract: nothing is known
	}
	if f != nil && (uncertain(f) || outcome.Attempt != o.attempt.Number || o.attempt.NotSent) {
		return nil
	}
	response := proto.CloneOf(outcome.Response)
	o.landed(response, o.heard.asked[outcome.Attempt])
	return response
}

// needsReceipt tells whether an action that was carried out has receipts.
func needsReceipt(a *plugv1.Action) bool { return a.GetMessage() != nil || a.GetEdit() != nil }

// sent lists the parts known to have been sent, by answers and by echoes.
func (o *operation) sent() []*plugv1.SentPart {
	o.mu.Lock()
	defer o.mu.Unlock()
	parts := maps.Clone(o.heard.parts)
	if parts == nil {
		parts = map[uint32]*plugv1.Receipt{}
	}
	for _, s := range o.attempt.GetSent() {
		parts[s.Part] = s.Receipt
	}
	for part, r := range parts {
		parts[part] = o.complete(r)
	}
	var sent []*plugv1.SentPart
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		sent = append(sent, &plugv1.SentPart{Part: part, Receipt: parts[part]})
	}
	return sent
}

// receipts lists the same as receipts.
func (o *operation) receipts() []*plugv1.Receipt {
	var receipts []*plugv1.Receipt
	for _, s := range o.sent() {
		receipts = append(receipts, s.Receipt)
	}
	return receipts
}

// echoOf returns the operation, and the part if it is one of several, that an own
// event claims to be of.
func echoOf(e *plugv1.Event) (base id.OperationID, part uint32, ok bool) {
	if e.Own != plugv1.Own_OWN_YES || e.OperationId == "" {
		return "", 0, false
	}
	name, number, several := strings.Cut(e.OperationId, "-")
	if !several {
		return id.OperationID(name), 0, true
	}
	n, err := strconv.ParseUint(number, 10, 32)
	return id.OperationID(name), uint32(n), err == nil && n > 0
}

// receiptOf is the receipt that an echo stands for.
func receiptOf(asked id.Channel, e *plugv1.Event) *plugv1.Receipt {
	r := &plugv1.Receipt{Id: e.MessageId, Time: e.Time, Aliases: e.Aliases, Reference: e.Reference}
	switch k := e.Kind.(type) {
	case *plugv1.Event_Edit:
		r.Revision = k.Edit.Revision
	case *plugv1.Event_ReactionAdded:
		r = &plugv1.Receipt{Id: k.ReactionAdded.ReactionId, Time: e.Time} // what removes it, if anything
	case *plugv1.Event_ReactionRemoved, *plugv1.Event_ReactionsSet:
		r = &plugv1.Receipt{Time: e.Time} // nothing is left, or needed, to remove it by
	}
	if e.Channel != string(asked.Source) {
		r.Channel = e.Channel
	}
	return r
}
