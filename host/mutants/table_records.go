package main

// records: what the journal keeps and finds.
var records = []mutation{
	{
		name: "journal: operations of a channel that has settled none are lost",
		file: lanesFile,
		old:  "if from := max(1, start(c)); r.Sequence >= from {",
		new:  "if from := start(c); r.Sequence >= from {",
	},
	{
		name: "journal: a full lane drops what doesn't fit",
		file: lanesFile,
		old:  "	default:\n		l.behind = r.Sequence\n",
		new:  "	default:\n",
	},
	{
		name: "journal: a hook begins after what it had not done",
		file: lanesFile,
		old:  "		return max(done[c], registered) + 1\n",
		new:  "		return max(done[c], registered, end) + 1\n",
	},
	{
		name: "journal: the message map has one key for all channels",
		file: subjectFile,
		old:  "Token(m.Channel.Network), Token(m.Channel.Source), Token(m.ID))",
		new:  "Token(m.Channel.Network), Token(\"\"), Token(m.ID))",
	},
	{
		name: "journal: operation ids change when a hook runs again",
		file: operationsFile,
		old:  "	_ = binary.Write(h, binary.BigEndian, uint32(ordinal))\n",
		new:  "	_ = binary.Write(h, binary.BigEndian, uint32(ordinal))\n	fmt.Fprintf(h, \"%p\", h)\n",
	},
	{
		name: "journal: what is not finished expires",
		file: "host/internal/journal/retain.go",
		old:  "		return min(old+1, settled[c], undone), nil\n",
		new:  "		return old + 1, nil\n",
	},
}
