package plan

import (
	"time"

	"github.com/plughost/plughost/plugins/simnet/simnettest"
)

// Once is what a network's way of telling lets the host promise of each message (D3).
type Once int

const (
	// AtLeast once, and no more.
	AtLeast Once = iota
	// ByEcho: exactly once, since echoes carry the operation id.
	ByEcho
	// Idempotent: exactly once inside the window of its idempotent_put.
	Idempotent
)

// Network is one plug instance and what it can do.
type Network struct {
	Plug string
	Use  string // the plug's binary
	Once Once
	// Replays: it gives again what was not acknowledged.
	Replays bool
	// Edits, Deletes and Reacts are actions, Replies and Files parts of messages.
	Edits, Deletes, Reacts, Replies, Files bool
	// Devices: what the account says elsewhere is shown to it as its own.
	Devices bool
	// LosesEchoes: nothing that is promised of it depends on an echo.
	LosesEchoes bool
	// Forgets: what was deleted is no more there to be told of, not even that it was said.
	Forgets bool
	// HeardAgain: what is on it once may be heard there twice.
	HeardAgain bool
	// Calm: it has no faults of its own but answers that come late.
	Calm bool
	// Net is which of the simulated networks it is on, Account how it is known there;
	// nil for others.
	Net     int
	Account *simnettest.Account
}

// putTimeout is short, so that a run sees many of them pass.
const putTimeout = 2 * time.Second

// Networks are all networks of a run. Each simulated one is another kind of access.
func Networks() []Network {
	all := []Network{
		{Plug: "alpha", Use: "simnet", Once: Idempotent, Devices: true, LosesEchoes: true,
			Account: &simnettest.Account{Idempotent: hour}},
		{Plug: "beta", Use: "simnet", Net: 1, Once: ByEcho, Devices: true,
			Account: &simnettest.Account{CursorScope: simnettest.CursorAccount}},
		{Plug: "gamma", Use: "simnet", Once: AtLeast, LosesEchoes: true,
			Account: &simnettest.Account{Echo: simnettest.EchoOwn, Aliases: true}},
		{Plug: "delta", Use: "simnet", Net: 1, Once: AtLeast, LosesEchoes: true,
			Account: &simnettest.Account{Echo: simnettest.EchoNone, TwoCallSend: true, References: true}},
		{Plug: "epsilon", Use: "simnet", Once: ByEcho, Devices: true,
			Account: &simnettest.Account{IDsByEcho: true, TwoCallFetch: true}},
		{Plug: "zeta", Use: "simnet-plugscope", Net: 1, Once: Idempotent, LosesEchoes: true,
			Account: &simnettest.Account{Idempotent: hour, Echo: simnettest.EchoOwn, Own: simnettest.OwnUnknown, Reactions: simnettest.ReactionsWhole}},
		{Plug: "eta", Use: "simnet", Once: Idempotent, Devices: true, LosesEchoes: true,
			Account: &simnettest.Account{Idempotent: hour, TextAuthors: true, Lacks: []simnettest.Ability{
				simnettest.CanEdit, simnettest.CanDelete, simnettest.CanReact, simnettest.CanReply}}},
		{Plug: "theta", Use: "simnet", Net: 1, Once: AtLeast, LosesEchoes: true,
			Account: &simnettest.Account{Echo: simnettest.EchoNone, Resume: simnettest.ResumeNo}},
		{Plug: "iota", Use: "simnet", Net: 1, Once: AtLeast, Calm: true,
			Account: &simnettest.Account{Echo: simnettest.EchoOwn}},
	}
	for i := range all {
		n := &all[i]
		n.Account.Name, n.Account.PutTimeout = n.Plug, simnettest.Duration(putTimeout)
		n.Replays = n.Account.Resume != simnettest.ResumeNo
		n.Edits, n.Deletes = n.Account.Can(simnettest.CanEdit), n.Account.Can(simnettest.CanDelete)
		n.Reacts, n.Replies = n.Account.Can(simnettest.CanReact), n.Account.Can(simnettest.CanReply)
	}
	for _, name := range []string{"north", "south"} {
		all = append(all, Network{Plug: name, Use: "webchat", Once: Idempotent, Replays: true, Forgets: true,
			Edits: true, Deletes: true, Reacts: true, Replies: true, Files: true})
	}
	return append(all, Network{Plug: "house", Use: "mqtt", Once: AtLeast, Replays: true, HeardAgain: true})
}

const hour = simnettest.Duration(time.Hour)
