package main

// moving: how what is kept of a channel follows it to another source.
var moving = []mutation{
	{
		name: "moves: followed and not stored",
		file: "host/internal/moves/moves.go",
		old:  "	if err := m.journal.SaveMove(ctx, move); err != nil {\n		return err\n	}\n",
		new:  "",
	},
	{
		name: "moves: those of earlier lives are forgotten",
		file: "host/internal/moves/moves.go",
		old:  "	for _, move := range made {\n",
		new:  "	for _, move := range made[:0] {\n",
	},
	{
		name: "moves: a move that was refused is not tried again",
		file: completeFile,
		old:  "		return err\n	})\n	if err == nil && in.o.Moved != nil {\n",
		new:  "		return nil\n	})\n	if err == nil && in.o.Moved != nil {\n",
	},
	{
		name: "moves: what is said under a new source is kept there",
		file: appendFile,
		old:  "		c := in.o.Moves.Home(said)\n",
		new:  "		c := said\n",
	},
	{
		name: "moves: an id is the same under all sources of a channel",
		file: appendFile,
		old:  "		if in.known.repeats(said.Source, e) {\n",
		new:  "		if in.known.repeats(c.Source, e) {\n",
	},
	{
		name: "moves: an event stands if one of another source has its id",
		file: appendFile,
		old:  "a.EventId == b.EventId && a.Channel == b.Channel && ",
		new:  "a.EventId == b.EventId && ",
	},
	{
		name: "moves: the cursor of an old source is kept",
		file: "host/internal/intake/cursors.go",
		old:  "			if c.in.dropOlder(ctx, named) != nil {\n				return // likewise\n			}\n",
		new:  "",
	},
	{
		name: "moves: what waits is sent to the first source",
		file: attemptFile,
		old:  "	source := o.stage.Moves.Now(o.channel).Source\n",
		new:  "	source := o.channel.Source\n",
	},
	{
		name: "moves: the first source's state counts after it was left",
		file: plugFile,
		old:  "			if s.Moves.Now(at) == at { // else it has gone on from there\n",
		new:  "			if true {\n",
	},
	{
		name: "moves: what waits for the state of the old source waits on",
		file: stageFile,
		old:  "		s.change(c.Network, func(p *plug) { delete(p.waits, c.Source) }) // of where it was\n",
		new:  "",
	},
	{
		name: "moves: a catch-up under the new source is not the channel's",
		file: stageFile,
		old:  "	scope = s.Moves.Home(id.Channel{Network: n, Source: scope}).Source\n",
		new:  "",
	},
	{
		name: "moves: late word is of the first source",
		file: settleFile,
		old:  "	o.landed(response, o.heard.asked[outcome.Attempt])\n",
		new:  "",
	},
	{
		name: "moves: parts sent before are of the source asked for now",
		file: attemptFile,
		old:  "		Sent:             o.sentTo(source),\n",
		new:  "		Sent:             o.sent(),\n",
	},
	{
		name: "moves: the history is asked under the present source only",
		file: historyFile,
		old:  "	sources := []id.ChannelSource{cmp.Or(id.ChannelSource(o.attempt.Channel), o.channel.Source)}\n",
		new:  "	sources := []id.ChannelSource{s.Moves.Now(o.channel).Source}\n",
	},
	{
		name: "moves: an own message is looked for under the first source",
		file: drainFile,
		old:  "			origin, err = b.origins.Origin(ctx, d.In(), e)\n",
		new:  "			origin, err = b.origins.Origin(ctx, b.channel, e)\n",
	},
}
