package plug

import (
	"context"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// emptied is what remains of a part that can't be removed.
const emptied = "…"

// editSteps brings the new parts of a message to where its old ones are: part n is
// edited where there is an old one, put where there is none; old ones that are left
// over are deleted, or emptied by a plug that can't delete. Together they are numbered
// as the parts of one operation.
func (s *server) editSteps(r *run, req *plugv1.PutRequest, deadline time.Time) []step {
	targets := req.GetAction().GetEdit().GetTarget().GetReceipts()
	if len(targets) == 0 {
		return nil
	}
	parts := s.parts(r, req, deadline)
	of := max(len(parts), len(targets))
	steps := make([]step, 0, of)
	for i, p := range parts {
		p.Of, p.OperationID = of, partID(req.GetOperationId(), i+1, of)
		if i < len(targets) {
			steps = append(steps, s.editStep(req, p, targets[i]))
		} else {
			steps = append(steps, s.putStep(p))
		}
	}
	_, deletes := s.plug.(Deleter)
	for i := len(parts); i < len(targets); i++ {
		if deletes {
			steps = append(steps, s.deleteStep(req, deadline, targets[i], i+1, of))
			continue
		}
		p := *parts[0]
		p.Text, p.Content, p.Attachments, p.ReplyTo = emptied, NewText(emptied), nil, nil
		p.Number, p.Of, p.OperationID = i+1, of, partID(req.GetOperationId(), i+1, of)
		steps = append(steps, s.editStep(req, &p, targets[i]))
	}
	return steps
}

// editStep edits one physical message. One that has this content already is what it
// was.
func (s *server) editStep(req *plugv1.PutRequest, p *Part, target *plugv1.Receipt) step {
	p.Target, p.Channel = target, channelOf(target, req)
	return step{
		number: p.Number, of: p.Of, method: "Edit", makes: true, already: target,
		call: func(ctx context.Context) (*plugv1.Receipt, error) { return s.plug.(Editor).Edit(ctx, p) },
	}
}
