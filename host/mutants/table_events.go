package main

// events: how they are taken in, held, and yielded.
var events = []mutation{
	{
		name: "gate: a no-op",
		file: gateFile,
		old:  "if p.noted >= s || p.scope == Channel && p.channel != c {\n",
		new:  "if true {\n",
	},
	{
		name: "gate: later Puts delay too",
		file: gateFile,
		old:  "if p.noted >= s || p.scope == Channel",
		new:  "if p.scope == Channel",
	},
	{
		name: "gate: own events are not held for what is uncertain",
		file: gateFile,
		old:  "if own && time.Now().Before(p.until) {",
		new:  "if false {",
	},
	{
		name: "gate: a Put delays only its own channel",
		file: gateFile,
		old:  "p.scope == Channel && p.channel != c {",
		new:  "p.channel != c {",
	},
	{
		name: "gate: an uncertain Put holds strangers' events too",
		file: gateFile,
		old:  "if own && time.Now().Before(p.until) {",
		new:  "if time.Now().Before(p.until) {",
	},
	{
		name: "intake: acknowledgement before the append",
		file: intakeFile,
		old:  "		if err := in.take(ctx, answer, cursors); err != nil {\n",
		new:  "		s.Ack(answer.Sequence, true)\n		if err := in.take(ctx, answer, cursors); err != nil {\n",
	},
	{
		name: "intake: cursors before the events",
		file: intakeFile,
		old:  "	if err := in.append(ctx, events); err != nil {\n",
		new:  "	for _, c := range answer.Cursors {\n		_ = in.o.Journal.SaveCursors(ctx, in.o.Network, []journal.Cursor{{Cursor: c, Follows: in.last}})\n	}\n	if err := in.append(ctx, events); err != nil {\n",
	},
	{
		name: "intake: acknowledgement before the cursor",
		file: "host/internal/intake/cursors.go",
		old:  "		named, through := c.take()\n",
		new:  "		c.stream.Ack(c.through, true)\n		named, through := c.take()\n",
	},
	{
		name: "intake: an answer is stored beside the one before it",
		file: "host/internal/intake/beside.go",
		old:  "	<-b.ended\n",
		new:  "	select {\n	case <-b.ended:\n	default:\n		return nil\n	}\n",
	},
	{
		name: "intake: known events are forgotten on a restart",
		file: knownFile,
		old:  "			yield(id.ChannelSource(e.Channel), e)\n",
		new:  "			_ = e\n",
	},
	{
		name: "intake: what was not stored counts as known",
		file: appendFile,
		old:  "func (in *Intake) forgetKnown() { in.loaded, in.known = false, newKnowledge(in.limit) }\n",
		new:  "func (in *Intake) forgetKnown() {}\n",
	},
	{
		name: "intake: a lost answer counts as a refusal",
		file: appendFile,
		old:  "			s = r.Sequence\n",
		new:  "			s = 0\n",
	},
	{
		name: "intake: an unanswered look-up counts as not there",
		file: appendFile,
		old:  "		if err != nil {\n			return err\n		}\n		record, err := journal.EventsOf(r)\n		if err == nil && len(record.Events) > 0",
		new:  "		if err != nil {\n			return nil\n		}\n		record, err := journal.EventsOf(r)\n		if err == nil && len(record.Events) > 0",
	},
	{
		name: "intake: a second message of a known id is not withheld",
		file: appendFile,
		old:  "		if in.known.said(said.Source, e) {\n",
		new:  "		if in.known.said(said.Source, e) && false {\n",
	},
	{
		name: "drain: withheld events are yielded",
		file: drainFile,
		old:  "if slices.Contains(record.Withheld, uint32(i)) {",
		new:  "if false {",
	},
	{
		name: "drain: done before the last out",
		file: drainFile,
		old:  "	if len(b.accepted) > 0 {\n		b.origins.Accepting(b.accepted)\n",
		new:  "	if b.done != 0 {\n		_, _ = b.journal.SaveDone(ctx, b.hook.Name(), map[id.Channel]id.Sequence{b.channel: b.done})\n	}\n	if len(b.accepted) > 0 {\n		b.origins.Accepting(b.accepted)\n",
	},
	{
		name: "drain: what stands after a crash is accepted again",
		file: drainFile,
		old:  "	b.again = b.first <= d.end && d.give(c, len(records)) < mayStand\n",
		new:  "",
	},
	{
		name: "drain: what stands after a lost answer is accepted again",
		file: drainFile,
		old:  "			unsure = err != nil\n",
		new:  "",
	},
	{
		name: "drain: accepts again before it is known what stands",
		file: drainFile,
		old:  "				if err := b.drop(ctx); err != nil {\n					return err\n				}\n",
		new:  "				_ = b.drop(ctx)\n",
	},
	{
		name: "intake: what was refused is dropped",
		file: appendFile,
		old:  "			if runs = refused; len(runs) == 0 {\n				return nil\n			}\n			return err\n",
		new:  "			_, runs = err, refused\n			return nil\n",
	},
	{
		name: "drain: a record's events in the wrong order",
		file: drainFile,
		old:  "		for i, e := range record.GetEvents() {\n",
		new:  "		for i, e := range slices.Backward(record.GetEvents()) {\n",
	},
	{
		name: "drain: own events are given without their origin",
		file: drainFile,
		old:  "	d.Origin = origin\n",
		new:  "",
	},
}
