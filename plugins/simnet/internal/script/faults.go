package script

import "errors"

// Verdict is what the network answers to a message that it was not, or not
// certainly, sent.
type Verdict string

// Verdicts: those of the contract with plugs, and two ways of giving none.
const (
	NotSent     Verdict = "not_sent"
	RateLimited Verdict = "rate_limited"
	Uncertain   Verdict = "uncertain"
	Refused     Verdict = "refused"
	Already     Verdict = "already"
	TargetGone  Verdict = "target_gone"
	Unsupported Verdict = "unsupported"
	LoggedOut   Verdict = "logged_out"
	// NoAnswer never answers.
	NoAnswer Verdict = "no_answer"
	// Disconnect drops the connection in place of an answer.
	Disconnect Verdict = "disconnect"
	// Accept is no fault: with Puts it lets one through between others.
	Accept Verdict = "accept"
)

// Puts decides the next messages sent to a channel. Those of several commands
// come one after another, except that one with the count -1 ends with the next.
type Puts struct {
	Channel string `json:"channel"`
	// Account limits it to messages of one account; empty: any.
	Account string  `json:"account,omitempty"`
	Verdict Verdict `json:"verdict"`
	// Accepted accepts the message all the same: for Uncertain, NoAnswer and
	// Disconnect.
	Accepted   bool     `json:"accepted,omitempty"`
	RetryAfter Duration `json:"retry_after,omitempty"`
	// WholePlug makes the verdict one about all channels.
	WholePlug bool `json:"whole_plug,omitempty"`
	// Count is how many messages; 0: one, -1: all, until the next Puts for the
	// channel.
	Count int `json:"count,omitempty"`
}

func (p *Puts) validate() error {
	err := join(
		need("channel", p.Channel), need("verdict", string(p.Verdict)),
		oneOf("verdict", p.Verdict, NotSent, RateLimited, Uncertain, Refused, Already, TargetGone,
			Unsupported, LoggedOut, NoAnswer, Disconnect, Accept),
		notNegative("retry_after", p.RetryAfter),
		counted(p.Count),
	)
	certain := p.Verdict != Uncertain && p.Verdict != NoAnswer && p.Verdict != Disconnect
	if p.Accepted && certain {
		err = join(err, errors.New(`"accepted" goes with uncertain, no_answer and disconnect`))
	}
	return err
}

// LoginVerdict is why a login is refused.
type LoginVerdict string

// Verdicts on a login.
const (
	LoginUnreachable LoginVerdict = "unreachable"
	LoginLoggedOut   LoginVerdict = "logged_out"
	LoginBadConfig   LoginVerdict = "bad_config"
	LoginAccept      LoginVerdict = "accept"
)

// Logins decides the next logins of an account, as Puts does messages.
type Logins struct {
	Account    string       `json:"account"`
	Verdict    LoginVerdict `json:"verdict"`
	RetryAfter Duration     `json:"retry_after,omitempty"`
	Message    string       `json:"message,omitempty"`
	// Field is with bad_config the JSON Pointer of the field at fault.
	Field string `json:"field,omitempty"`
	Count int    `json:"count,omitempty"`
}

func (l *Logins) validate() error {
	return join(
		need("account", l.Account), need("verdict", string(l.Verdict)),
		oneOf("verdict", l.Verdict, LoginUnreachable, LoginLoggedOut, LoginBadConfig, LoginAccept),
		notNegative("retry_after", l.RetryAfter),
		counted(l.Count),
	)
}

// EchoFault is what goes wrong with an echo.
type EchoFault string

// Faults of echoes.
const (
	// EchoLost is never shown, not even on resuming.
	EchoLost EchoFault = "lost"
	// EchoTwice shows the same event twice.
	EchoTwice EchoFault = "twice"
	// EchoNewEvent shows it a second time as another event of the same message.
	EchoNewEvent EchoFault = "new_event"
	// EchoSwapped shows it behind the next echo of its channel, which is then no
	// more at fault.
	EchoSwapped EchoFault = "swapped"
	// EchoRight is no fault: it lets one through between others.
	EchoRight EchoFault = "right"
)

// Echoes decides the next echoes of a channel, as Puts does messages.
type Echoes struct {
	Channel string    `json:"channel"`
	Account string    `json:"account,omitempty"`
	Fault   EchoFault `json:"fault"`
	Count   int       `json:"count,omitempty"`
}

func (e *Echoes) validate() error {
	return join(
		need("channel", e.Channel), need("fault", string(e.Fault)),
		oneOf("fault", e.Fault, EchoLost, EchoTwice, EchoNewEvent, EchoSwapped, EchoRight),
		counted(e.Count),
	)
}

func counted(n int) error {
	if n < -1 {
		return errors.New(`"count" is less than -1`)
	}
	return nil
}
