package main

import "slices"

// mutation replaces a piece of text, which is in the file exactly once.
type mutation struct {
	name     string
	file     string
	old, new string
}

const (
	gateFile       = "host/internal/gate/gate.go"
	intakeFile     = "host/internal/intake/intake.go"
	appendFile     = "host/internal/intake/append.go"
	completeFile   = "host/internal/intake/complete.go"
	knownFile      = "host/internal/intake/known.go"
	drainFile      = "host/internal/drain/drain.go"
	operationFile  = "host/internal/put/operation.go"
	attemptFile    = "host/internal/put/attempt.go"
	decideFile     = "host/internal/put/decide.go"
	settleFile     = "host/internal/put/settle.go"
	stageFile      = "host/internal/put/stage.go"
	historyFile    = "host/internal/put/history.go"
	backfillFile   = "host/internal/backfill/backfill.go"
	plugFile       = "host/internal/put/plug.go"
	receiptFile    = "host/internal/put/receipt.go"
	originsFile    = "host/internal/put/origins.go"
	lanesFile      = "host/internal/journal/lanes.go"
	subjectFile    = "host/internal/journal/subject/subject.go"
	operationsFile = "host/internal/journal/operations.go"
)

var mutations = slices.Concat(events, puts, records, moving)

// puts: what is sent, and what becomes of it.
var puts = []mutation{
	{
		name: "put: receipt record skipped",
		file: receiptFile,
		old:  "	return p.unsaved.operation.save(ctx, nil)\n",
		new:  "	p.unsaved.operation.finish(p.settled)\n	p.unsaved = nil\n	return nil\n",
	},
	{
		name: "put: message map skipped",
		file: decideFile,
		old:  "		return o.stage.Journal.SaveCopies(ctx, o.channel, settled)\n",
		new:  "		return nil\n",
	},
	{
		name: "put: the gate's pass ends before the receipt's record",
		file: receiptFile,
		old:  "	charted := make(chan error, 1)\n",
		new:  "	for _, pass := range o.passes {\n		pass.End()\n	}\n	charted := make(chan error, 1)\n",
	},
	{
		name: "put: no attempt record",
		file: attemptFile,
		old:  "	if err := o.save(ctx, a); err != nil {\n		pass.End()\n		return nil, 0, err\n	}\n",
		new:  "",
	},
	{
		name: "put: the deadline counts from before the attempt's record",
		file: attemptFile,
		old:  "	o.until = time.Now().Add(timeout + rpcMargin)\n",
		new:  "	o.until = now.Add(timeout + rpcMargin)\n",
	},
	{
		name: "put: parts that were sent are forgotten",
		file: attemptFile,
		old:  "			o.attempt.Sent = append(o.attempt.Sent, &plugv1.SentPart{Part: part, Receipt: r})\n",
		new:  "			_ = r\n",
	},
	{
		name: "put: each attempt has a first time of its own",
		file: attemptFile,
		old:  "		a.Number, a.FirstTime = last.Number+1, last.FirstTime\n",
		new:  "		a.Number = last.Number + 1\n",
	},
	{
		name: "put: an uncertain attempt counts as not sent",
		file: operationFile,
		old:  "			response, by, err = o.await(ctx)\n",
		new:  "			if err = o.notSent(ctx); err == nil {\n				err = o.pause(ctx, failure, delay)\n			}\n			response = nil\n",
	},
	{
		name: "put: that nothing was sent is not recorded",
		file: attemptFile,
		old:  "its RPC has ended\n	if err := o.save(",
		new:  "its RPC has ended\n	if err := func(context.Context, *journalv1.Attempt) error { return nil }(",
	},
	{
		name: "put: parked without its record",
		file: "host/internal/put/park.go",
		old:  "		return o.stage.Journal.Park(ctx, o.channel, &journalv1.ParkedRecord{Operation: record, ",
		new:  "		return func(_ context.Context, _ id.Channel, _ *journalv1.ParkedRecord) error { return nil }(ctx, o.channel, &journalv1.ParkedRecord{Operation: record, ",
	},
	{
		name: "put: a channel is written to as fast as may be",
		file: "host/internal/put/slot.go",
		old:  "				takeTokens(channel, parts)\n",
		new:  "				takeTokens(channel, 0)\n",
	},
	{
		name: "put: a plug is written to as fast as may be",
		file: "host/internal/put/slot.go",
		old:  "				takeTokens(pace.plug, parts)\n",
		new:  "",
	},
	{
		name: "put: buckets are full when the host starts",
		file: "host/internal/put/pace.go",
		old:  "	l.AllowN(since, burst)\n",
		new:  "",
	},
	{
		name: "put: a new process has new buckets",
		file: plugFile,
		old:  "		if p.pace == nil || !proto.Equal(p.pace.limits, live.Abilities.GetLimits()) {\n			p.pace = newPace(live.Abilities.GetLimits(), s.since)\n		}\n",
		new:  "		_ = proto.Equal\n		p.pace = newPace(live.Abilities.GetLimits(), s.since)\n",
	},
	{
		name: "put: the network's history is not asked",
		file: historyFile,
		old:  "	if !live.finds(o.record.Action) {\n		return false, false\n	}\n",
		new:  "	return true, false\n",
	},
	{
		name: "put: what the history finds is asked for at once only",
		file: settleFile,
		old:  "			if err := o.lookUp(ctx); err != nil {\n				return nil, 0, err\n			}\n",
		new:  "			o.certain = true\n",
	},
	{
		name: "put: the history may be asked while something may still be sent",
		file: settleFile,
		old:  "	if p.live.Abilities.GetEcho() == plugv1.Echo_ECHO_NONE && !p.live.finds(o.record.Action) {\n",
		new:  "	if p.live.Abilities.GetEcho() == plugv1.Echo_ECHO_NONE {\n",
	},
	{
		name: "backfill: a gap is closed before it is filled",
		file: backfillFile,
		old:  "	for part := range slices.Chunk(messages, plugv1.MaxBatchEvents) {\n",
		new:  "	for part := range slices.Chunk(messages[:0], plugv1.MaxBatchEvents) {\n",
	},
	{
		name: "backfill: only the newest page is read",
		file: backfillFile,
		old:  "		before = &plugv1.Receipt{Id: page[0].MessageId",
		new:  "		return messages, \"\", nil\n		before = &plugv1.Receipt{Id: page[0].MessageId",
	},
	{
		name: "put: what is parked stays so, whatever turns out later",
		file: "host/internal/put/late.go",
		old:  "	if p == nil || p.channel.Network != n {\n",
		new:  "	if true {\n",
	},
	{
		name: "put: what the stream told while a new attempt waited is not heard",
		file: attemptFile,
		old:  "	if r, by := o.known(); r != nil {\n		return r, by, nil\n	}\n	if last",
		new:  "	if last",
	},
	{
		name: "put: settled by a stranger's id",
		file: settleFile,
		old:  "if e.Own != plugv1.Own_OWN_YES || e.OperationId == \"\" {",
		new:  "if e.OperationId == \"\" {",
	},
	{
		name: "put: a new attempt doesn't wait for the deadline",
		file: settleFile,
		old:  "	if p.process != o.process {\n",
		new:  "	if true {\n",
	},
	{
		name: "put: a new attempt doesn't wait for the catch-up",
		file: settleFile,
		old:  "	if p.live.Abilities.GetResumable() {\n",
		new:  "	if false {\n",
	},
	{
		name: "put: a new attempt doesn't wait for an echo",
		file: settleFile,
		old:  "	return from.Add(s.SettleTimeout), changed\n",
		new:  "	return from, changed\n",
	},
	{
		name: "put: attempts without end",
		file: attemptFile,
		old:  "last != nil && int(last.Uncertain) > slot.retries(o.age(), o.certain) {\n		return nil, 0, o.unconfirmed() // the network's memory may have ended meanwhile\n",
		new:  "last != nil && false {\n		return nil, 0, o.unconfirmed() // the network's memory may have ended meanwhile\n",
	},
	{
		name: "put: an attempt after a crash doesn't run alone",
		file: "host/internal/put/crash.go",
		old:  "return o.attempt.GetCrashes() > 0 }\n",
		new:  "return false }\n",
	},
	{
		name: "put: others begin beside an attempt after a crash",
		file: "host/internal/put/slot.go",
		old:  "		n, best = live.concurrent(), maxBestEffort\n",
		new:  "		n, best = 1, maxBestEffort\n",
	},
	{
		name: "put: a crash is forgotten with the next attempt",
		file: attemptFile,
		old:  "		a.Crashes = last.Crashes\n",
		new:  "",
	},
	{
		name: "put: the journal is not searched for an echo",
		file: settleFile,
		old:  "				if base, part, ok := echoOf(e); ok && base == as {\n",
		new:  "				if base, part, ok := echoOf(e); ok && base == o.id && false {\n",
	},
	{
		name: "put: an echo in another channel is not found",
		file: settleFile,
		old:  "o.stage.Journal.ReadEvents(ctx, id.Channel{Network: o.channel.Network}, ",
		new:  "o.stage.Journal.ReadEvents(ctx, o.channel, ",
	},
	{
		name: "put: PutOutcome is not heard",
		file: settleFile,
		old:  "	o.heard.report(outcome)\n",
		new:  "",
	},
	{
		name: "put: receipts of a part are not known as ours",
		file: operationFile,
		old:  "		o.know(response.Receipts) // also those of a late outcome\n",
		new:  "",
	},
	{
		name: "put: a PutOutcome that comes twice counts twice",
		file: settleFile,
		old:  " || o.attempt.NotSent) {",
		new:  ") {",
	},
	{
		name: "put: what was settled before a crash is carried out again",
		file: stageFile,
		old:  "			if !after(position, p.settled.GetPosition()) {\n				continue\n			}\n",
		new:  "",
	},
	{
		name: "put: own events are not held after a restart",
		file: stageFile,
		old:  "			p.resumed = s.Gate.Resume(c, gate.Plug, id.Sequence(a.Noted), s.SettleTimeout)\n",
		new:  "			p.resumed = s.Gate.Begin(c, gate.Plug)\n			p.resumed.End()\n",
	},
	{
		name: "put: the message map is not completed after a crash",
		file: stageFile,
		old:  "		if record.Settled != nil {\n",
		new:  "		if false {\n",
	},
	{
		name: "put: an attempt from before a crash is forgotten",
		file: stageFile,
		old:  "		if a := record.Attempt; a != nil && a.Uncertain > 0 {\n",
		new:  "		if a := (*journalv1.Attempt)(nil); a != nil && a.Uncertain > 0 {\n",
	},
	{
		name: "put: a stream opened anew forgets what was caught up with",
		file: plugFile,
		old:  "		for scope := range p.caughtUp {\n			p.caughtUp[scope] = p.opened\n		}\n",
		new:  "		clear(p.caughtUp)\n",
	},
	{
		name: "put: origins only of what is settled",
		file: originsFile,
		old:  "	op, err := s.Journal.Issued(ctx, c.Network, base)\n",
		new:  "	op, err := (*journalv1.Operation)(nil), error(storage.ErrNotFound)\n",
	},
	{
		name: "put: every part is the primary one",
		file: originsFile,
		old:  "		of.Primary = part == 1\n",
		new:  "		of.Primary = true\n",
	},
	{
		name: "put: a Put of a channel holds the whole plug's events",
		file: plugFile,
		old:  "		return gate.Channel\n",
		new:  "		return gate.Plug\n",
	},
	{
		name: "put: a channel's rate limit pauses the whole plug",
		file: attemptFile,
		old:  "		if f.Scope == plugv1.FailureScope_FAILURE_SCOPE_PLUG {\n",
		new:  "		if true {\n",
	},
	{
		name: "put: an uncertain Put keeps its slot",
		file: attemptFile,
		old:  "	defer release()\n",
		new:  "	defer func() {\n		if o.attempt == nil || o.attempt.NotSent || len(o.passes) == 0 {\n			release()\n		}\n	}()\n",
	},
	{
		name: "put: one operation at a time in all channels",
		file: stageFile,
		old:  "func (s *Stage) handle(ctx context.Context, c id.Channel, records []storage.Record) {\n	s.mu.Lock()\n",
		new:  "var ones sync.Map // made where it is used, so that it is of the bubble\n\nfunc (s *Stage) handle(ctx context.Context, c id.Channel, records []storage.Record) {\n	made, _ := ones.LoadOrStore(s, make(chan struct{}, 1))\n	one := made.(chan struct{})\n	select {\n	case one <- struct{}{}:\n		defer func() { <-one }()\n	case <-ctx.Done():\n		return\n	}\n	s.mu.Lock()\n",
	},
}
