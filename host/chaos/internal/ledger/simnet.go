package ledger

import (
	"strings"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

var simnetKinds = map[simnettest.Kind]Kind{
	simnettest.Accepted: Said, simnettest.Emitted: Said, simnettest.Edited: Edited, simnettest.Deleted: Deleted,
	simnettest.Reacted: Reacted, simnettest.Unreacted: Unreacted, simnettest.Rejected: Refused,
	simnettest.Repeated: Repeated, simnettest.Shown: Shown,
	simnettest.Migrated:   Moved,
	simnettest.Subscribed: Online, simnettest.Disconnected: Offline,
}

// Simnet takes the lines of one plug, which is logged in as an account of its own
// name, out of a simnet's ledger. Each channel is of one plug, and
// sources are all that its channels have had.
func Simnet(entries []simnettest.Entry, plug string, sources []string) (lines []Line) {
	ours := map[string]bool{}
	for _, s := range sources {
		ours[s] = true
	}
	for _, e := range entries {
		kind, known := simnetKinds[e.Kind]
		life := kind == Online || kind == Offline
		if !known || life && e.Account != plug || !life && !ours[e.Channel] {
			continue
		}
		l := Line{
			N: int(e.N), Time: e.Time, Kind: kind, Member: Member{plug, e.Channel}, ID: e.ID, By: Stranger,
			Operation: base(e.OperationID), Author: e.Author, Text: e.Text, Reaction: e.Reaction, ReplyTo: e.ReplyTo,
			Detail: e.Detail, Connection: e.Connection,
		}
		switch {
		case e.Account != "" && e.Connection != "":
			l.By = Host
		case e.Account != "":
			l.By = Device
		}
		lines = append(lines, l)
	}
	return lines
}

// base is an operation's id without the number of a part.
func base(operation string) string {
	id, _, _ := strings.Cut(operation, "-")
	return id
}
