package plug

import (
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// contentOf is what a message or an edit says; nil for other kinds.
func contentOf(action *plugv1.Action) *plugv1.Message {
	if edit := action.GetEdit(); edit != nil {
		return edit.GetContent()
	}
	return action.GetMessage()
}

// parts makes the physical parts of a message or an edit: those of its text, and
// more where one message of the network takes fewer attachments. The same request
// and limits give the same parts, so that a part keeps its number over all attempts.
func (s *server) parts(r *run, req *plugv1.PutRequest, deadline time.Time) []*Part {
	content := contentOf(req.GetAction())
	parts := newParts(r, asMessage(req, content), deadline)
	limits := r.abilities.GetLimits()
	groups := groupFiles(content.GetAttachments(), int(limits.GetFiles()))
	if most := int(limits.GetParts()); most > 0 && len(groups) > max(most, len(parts)) {
		s.log.Warn("leaving out attachments that take more parts than a message may have",
			"operation", req.GetOperationId(), "parts", len(groups), "allowed", most)
		groups = groups[:max(most, len(parts))]
	}
	for len(parts) < len(groups) {
		parts = append(parts, newParts(r, asMessage(req, &plugv1.Message{}), deadline)[0])
	}
	thread := req.GetAction().GetThread().GetReceipts()
	for i, p := range parts {
		p.Number, p.Of, p.OperationID = i+1, len(parts), partID(req.GetOperationId(), i+1, len(parts))
		p.Action = req.GetAction()
		p.Emote, p.Thread = content.GetEmote(), thread
		if i < len(groups) {
			p.Attachments = groups[i]
		}
	}
	parts[0].ReplyTo = content.GetReplyTo().GetTarget().GetReceipts()
	return parts
}

// asMessage is the request with its action made the message of a content: that of an
// edit, or an empty one, whose one part has nothing but its author's name.
func asMessage(req *plugv1.PutRequest, content *plugv1.Message) *plugv1.PutRequest {
	return &plugv1.PutRequest{
		OperationId: req.GetOperationId(), Channel: req.GetChannel(), Attempt: req.GetAttempt(), FirstAttemptTime: req.GetFirstAttemptTime(),
		Action: &plugv1.Action{Author: req.GetAction().GetAuthor(), Kind: &plugv1.Action_Message{Message: content}},
	}
}

// groupFiles spreads attachments over parts, in order, at most so many files in
// each (0: no limit known). A kind of attachment that is not known is left out.
func groupFiles(attachments []*plugv1.Attachment, most int) [][]*plugv1.Attachment {
	var groups [][]*plugv1.Attachment
	files := 0
	for _, a := range attachments {
		if a.GetKind() == nil {
			continue
		}
		isFile := a.GetFile() != nil
		if len(groups) == 0 || (isFile && files == most && most > 0) {
			groups = append(groups, nil)
			files = 0
		}
		if isFile {
			files++
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], a)
	}
	return groups
}
