package simplug

import (
	"context"
	"errors"
	"fmt"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"

	"github.com/plughost/plughost/plugins/simnet/internal/client"
	"github.com/plughost/plughost/plugins/simnet/internal/script"
	"github.com/plughost/plughost/plugins/simnet/internal/wire"
	"github.com/plughost/plughost/sdk/go/plug"
)

// listen is how long a Put waits for its answer after its deadline: nothing is
// left that would send, so a late answer does no harm and tells the outcome.
const listen = 4 * time.Second

// Put sends one part: in one call, or in two if the account is set so.
func (p *Plug) Put(ctx context.Context, part *plug.Part) (*plugv1.Receipt, error) {
	p.orders.at(script.BeforeSend, part.Channel)
	l := p.live()
	if l == nil {
		return nil, plug.NotSent(errors.New("there is no connection to the network"))
	}
	send := &wire.Send{
		Channel: l.wireName(part.Channel), OperationID: part.OperationID, Text: part.Text,
	}
	content, err := rich(part)
	if err != nil {
		return nil, plug.Refused(err)
	}
	if len(content) > 0 || len(part.ReplyTo) > 0 || len(part.Thread) > 0 {
		send.What = &wire.What{Rich: content}
		if send.What.ReplyTo, err = primary(part.ReplyTo, part.Channel); err != nil {
			return nil, err
		}
		if send.What.Thread, err = primary(part.Thread, part.Channel); err != nil {
			return nil, err
		}
	}
	if !l.login.Settings.TextAuthors {
		send.Author = part.Author.GetFormattedName()
	}
	var echo *plug.Expected
	if l.login.Settings.IDsByEcho {
		echo = p.echoes.Expect(l.echoKey(part.OperationID, part.Channel, part.Text))
		defer echo.Cancel()
	}
	if l.login.Settings.TwoCallSend {
		handle, err := l.upload(ctx, send)
		if err != nil {
			return nil, err
		}
		send.Upload, send.Text = handle, ""
	}
	answer, err := l.post(ctx, send)
	if err != nil {
		return nil, err
	}
	p.orders.at(script.AfterAccept, part.Channel)
	receipt := receiptOf(answer, part.Channel)
	if echo != nil {
		if receipt, err = echo.Wait(ctx); err != nil {
			return nil, err
		}
	}
	p.orders.at(script.BeforeAnswer, part.Channel)
	return receipt, nil
}

// upload is the first call of two. Nothing is sent by it, so whatever goes wrong,
// the message is not sent.
func (l *line) upload(ctx context.Context, send *wire.Send) (handle string, err error) {
	a, err := l.Ask(ctx, &wire.Upload{Channel: send.Channel, Text: send.Text})
	if err != nil {
		return "", plug.NotSent(fmt.Errorf("upload: %w", err))
	}
	return a.Content, putVerdict(a)
}

// post is the call that sends.
func (l *line) post(ctx context.Context, send *wire.Send) (*wire.Answer, error) {
	pending, err := l.Begin(ctx, send)
	if errors.Is(err, client.ErrNotSent) {
		return nil, plug.NotSent(err)
	}
	if err != nil {
		return nil, plug.Uncertain(err)
	}
	defer pending.Forget()
	answer, err := pending.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		late, cancel := context.WithTimeout(l.session, listen)
		defer cancel()
		answer, err = pending.Wait(late)
	}
	if err != nil {
		return nil, plug.Uncertain(err)
	}
	return answer, putVerdict(answer)
}

// putVerdict is the network's verdict in the SDK's words; nil if it was done.
func putVerdict(a *wire.Answer) error {
	reason := errors.New(a.Reason)
	var err error
	switch script.Verdict(a.Verdict) {
	case "":
		return nil
	case script.NotSent:
		err = plug.NotSent(reason)
	case script.RateLimited:
		err = plug.RateLimited(reason, a.RetryAfter)
	case script.Refused:
		err = plug.Refused(reason)
	case script.Already:
		err = plug.Already()
	case script.TargetGone:
		err = plug.TargetGone(reason)
	case script.Unsupported:
		err = plug.Unsupported(reason)
	case script.LoggedOut:
		err = plug.LoggedOut(reason)
	default:
		err = plug.Uncertain(reason)
	}
	if a.WholePlug {
		err = plug.PlugWide(err)
	}
	return err
}

// startVerdict is the network's refusal of a login in the SDK's words.
func startVerdict(r *script.Logins) error {
	message := r.Message
	if message == "" {
		message = "the script says so"
	}
	err := fmt.Errorf("log in to account %q: %s", r.Account, message)
	switch r.Verdict {
	case script.LoginLoggedOut:
		return plug.LoggedOut(err)
	case script.LoginBadConfig:
		return plug.BadConfig(r.Field, err)
	default:
		return plug.Unreachable(err, time.Duration(r.RetryAfter))
	}
}
