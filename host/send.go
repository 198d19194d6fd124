package host

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/accept"
	"github.com/plughost/plughost/host/internal/journal"
	"github.com/plughost/plughost/host/internal/journal/storage"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// maxRequestID is the longest id of a request, in bytes.
const maxRequestID = 256

// clientPrefix stands before the names of clients where those of hooks stand.
const clientPrefix = "api"

// bestEffortName is the operation id of what is never stored.
const bestEffortName = "00000000000000000000"

var clientName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Client gives an embedder what a hook has: sending, receipts, look-ups. What it
// sends has the hook name "api:" and the name, or "api" without one; a name is 1 to
// 64 of A-Z a-z 0-9 . _ -. Its methods may be called while Run runs; before and
// after that their error is UNAVAILABLE.
func (h *Host) Client(name string) (hook.Host, error) {
	full, err := clientHook(name)
	if err != nil {
		return nil, err
	}
	return &client{h, full}, nil
}

// clientHook is the hook name of a client.
func clientHook(name string) (id.HookName, error) {
	switch {
	case name == "":
		return clientPrefix, nil
	case !clientName.MatchString(name):
		return "", invalid("%q can't be a client's name: it has 1 to 64 of A-Z a-z 0-9 . _ -", name)
	}
	return id.HookName(clientPrefix + ":" + name), nil
}

// client sends and looks up in the name of a hook, or of a client.
type client struct {
	host *Host
	name id.HookName
}

func (c *client) Users(plug id.InstanceName) hook.Users       { return c.host.Users(plug) }
func (c *client) Channels(plug id.InstanceName) hook.Channels { return c.host.Channels(plug) }
func (c *client) History(plug id.InstanceName) hook.History   { return c.host.History(plug) }

// Wait implements hook.Host.
func (c *client) Wait(ctx context.Context, operation id.OperationID) (*hook.Operation, error) {
	return c.host.Wait(ctx, operation)
}

// Send implements hook.Host.
func (c *client) Send(ctx context.Context, r hook.Request) (id.OperationID, error) {
	run, err := c.host.run()
	if err != nil {
		return "", err
	}
	if err := checkRequest(r); err != nil {
		return "", err
	}
	target, err := c.host.resolve(ctx, r.Channel)
	if err != nil {
		return "", err
	}
	if has, lacks := c.host.directory.lacks(r.Channel); lacks {
		return "", &hook.Error{Code: codes.NotFound, Text: fmt.Sprintf("plug %s has no channel %q; it has: %s; a channel is in use once a conversation has it as a member",
			r.Channel.Plug, r.Channel.Source, strings.Join(has, ", "))}
	}
	switch r.Action.Kind.(type) {
	case *plugv1.Action_Typing:
		c.host.put.BestEffort(ctx, target, bestEffortName, r.Action, nil)
		return "", nil
	case *plugv1.Action_ReadMarker:
		key, err := c.host.key(ctx, r.Target)
		if err == nil {
			c.host.put.BestEffort(ctx, target, bestEffortName, r.Action, key)
		}
		return "", err
	case *plugv1.Action_Message:
		if r.ReplyTo != nil && r.Action.GetMessage().ReplyTo == nil {
			r.Action = proto.CloneOf(r.Action)
			r.Action.GetMessage().ReplyTo = &plugv1.Reply{}
		}
	}
	// A client is an operator's: it may change what others wrote through us.
	op := &journalv1.Operation{Hook: string(c.name), Action: r.Action, ActorId: string(c.name), Moderation: true}
	if !r.Expiry.IsZero() {
		op.Expiry = timestamppb.New(r.Expiry)
	}
	for _, named := range []struct {
		ref *hook.Ref
		key **journalv1.MessageKey
	}{{r.Target, &op.Target}, {r.ReplyTo, &op.ReplyTo}, {r.Thread, &op.Thread}} {
		if named.ref == nil {
			continue
		}
		if *named.key, err = c.host.key(ctx, named.ref); err != nil {
			return "", err
		}
	}
	operation, err := run.accept.Accept(ctx, target, op, r.ID)
	if err != nil {
		return "", explain(fmt.Errorf("channel %s: the action could not be stored: %w", r.Channel, err))
	}
	return operation, nil
}

// checkRequest refuses what can never be carried out.
func checkRequest(r hook.Request) error {
	if r.Action == nil || r.Action.Kind == nil {
		return invalid("channel %s: there is nothing to do: the action has no kind", r.Channel)
	}
	if r.Channel.Source == "" {
		return invalid("channel %q has no source; write it as plug/source", r.Channel)
	}
	if n := proto.Size(r.Action); n > plugv1.MaxEventBytes {
		return invalid("channel %s: the action has %d bytes, allowed are %d", r.Channel, n, plugv1.MaxEventBytes)
	}
	if _, err := proto.Marshal(r.Action); err != nil {
		return invalid("channel %s: the action can't be encoded: %v", r.Channel, err)
	}
	if len(r.ID) > maxRequestID || !utf8.ValidString(r.ID) {
		return invalid("channel %s: the request's id has %d bytes, allowed are %d of UTF-8", r.Channel, len(r.ID), maxRequestID)
	}
	if what := lacking(r.Action); what != "" {
		return invalid("channel %s: %s", r.Channel, what)
	}
	needs := false
	switch r.Action.Kind.(type) {
	case *plugv1.Action_Edit, *plugv1.Action_Delete, *plugv1.Action_ReactionAdded, *plugv1.Action_ReactionRemoved, *plugv1.Action_ReadMarker:
		needs = true
	}
	switch {
	case needs && r.Target == nil:
		return invalid("channel %s: this action is about a message; name it as the target", r.Channel)
	case !needs && r.Target != nil:
		return invalid("channel %s: this action has no target; what a message answers is named by reply_to", r.Channel)
	case r.ReplyTo != nil && r.Action.GetMessage() == nil:
		return invalid("channel %s: only a message answers another; leave reply_to out", r.Channel)
	}
	return nil
}

// lacking says what is missing in an action; empty if nothing is.
func lacking(a *plugv1.Action) string {
	switch k := a.Kind.(type) {
	case *plugv1.Action_Message:
		if empty(k.Message) {
			return "the message is empty; give it a text or a file"
		}
	case *plugv1.Action_Edit:
		if empty(k.Edit.GetContent()) {
			return "the edit has no new content; give it a text, or delete the message"
		}
	case *plugv1.Action_ReactionAdded:
		return lackingKey(k.ReactionAdded.GetReaction())
	case *plugv1.Action_ReactionRemoved:
		return lackingKey(k.ReactionRemoved.GetReaction())
	case *plugv1.Action_ChannelChanged:
		if k.ChannelChanged.Title == nil && k.ChannelChanged.Topic == nil {
			return "the change has neither a title nor a topic; give one of them"
		}
	}
	return ""
}

func lackingKey(r *plugv1.Reaction) string {
	if r.GetEmoji() == "" && r.GetCustom() == "" {
		return "the reaction is empty; give an emoji, or the network's own key of one"
	}
	return ""
}

// empty tells whether a message has nothing that could be shown.
func empty(m *plugv1.Message) bool {
	return len(m.GetAttachments()) == 0 && !slices.ContainsFunc(m.GetText().GetSegments(), func(s *plugv1.Segment) bool { return s.Text != "" })
}

// resolve finds the channel under which operations are kept.
func (h *Host) resolve(ctx context.Context, c hook.Channel) (id.Channel, error) {
	if err := h.known(c.Plug); err != nil {
		return id.Channel{}, err
	}
	channel, ok := h.directory.Resolve(ctx, c)
	switch {
	case ok:
		return channel, nil
	case ctx.Err() != nil:
		return id.Channel{}, &hook.Error{Code: codes.Unavailable, Text: fmt.Sprintf("plug %s starts for the first time, and is not ready yet; try again", c.Plug)}
	}
	return id.Channel{}, &hook.Error{Code: codes.FailedPrecondition, Text: fmt.Sprintf(
		"plug %s was never started with success, so it isn't known which network it is; correct what plughost status says of it, then try again", c.Plug)}
}

// known refuses the name of a plug that the options don't have.
func (h *Host) known(plug id.InstanceName) error {
	var names []string
	for _, p := range h.o.Plugs {
		if p.Name == plug {
			return nil
		}
		names = append(names, string(p.Name))
	}
	return &hook.Error{Code: codes.NotFound, Text: fmt.Sprintf("there is no plug %q; there are: %s", plug, strings.Join(names, ", "))}
}

// key names a message for good.
func (h *Host) key(ctx context.Context, ref *hook.Ref) (*journalv1.MessageKey, error) {
	if ref.Operation != "" {
		if ref.ID != "" || ref.Channel != (hook.Channel{}) {
			return nil, invalid("a message is named by its operation or by its channel and id, not by both")
		}
		p, err := h.journal.Find(ctx, ref.Operation)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, notFound(ref.Operation)
		}
		if err != nil {
			return nil, explain(err)
		}
		return journal.SourceKey(p.Operation.Source, p.Operation.Id), nil
	}
	if ref.ID == "" || ref.Channel.Source == "" {
		return nil, invalid("a message is named by its channel and its id, or by its operation; one of them is missing")
	}
	c, err := h.resolve(ctx, ref.Channel)
	if err != nil {
		return nil, err
	}
	named, _, _ := h.directory.literal(ref.Channel) // its ids are those of this name
	c.Source = named.Source
	key, err := h.put.Canonical(ctx, id.Message{Channel: c, ID: ref.ID})
	return key, explain(err)
}

// Operation tells what became of an accepted action, also of one that a hook made.
func (h *Host) Operation(ctx context.Context, operation id.OperationID) (*hook.Operation, error) {
	run, err := h.run()
	if err != nil {
		return nil, err
	}
	result, err := run.accept.Find(ctx, operation)
	return h.operation(operation, result, err)
}

// Wait returns when it is known what became of an operation. If ctx ends before,
// its error is the context's, and the operation is given as it is then; nil if the
// journal had not told of it yet.
func (h *Host) Wait(ctx context.Context, operation id.OperationID) (*hook.Operation, error) {
	run, err := h.run()
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(run.ctx, func() { cancel(errStopped) })
	defer stop()
	result, err := run.accept.Wait(waiting, operation)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		err = context.Cause(waiting)
	}
	return h.operation(operation, result, err)
}

// operation makes a result public.
func (h *Host) operation(asked id.OperationID, r *accept.Result, err error) (*hook.Operation, error) {
	switch {
	case accept.IsNotFound(err):
		return nil, notFound(asked)
	case r == nil:
		return nil, explain(err)
	}
	return h.public(r), explain(err)
}

func (h *Host) public(r *accept.Result) *hook.Operation {
	return &hook.Operation{ID: r.ID, Channel: h.Label(r.Channel), State: states[r.Outcome], Receipts: r.Receipts, Reason: r.Reason,
		Attempts: int(r.Attempts), Hook: r.Hook, Accepted: r.Accepted.AsTime(), PutBack: r.PutBack}
}

var states = map[journalv1.Outcome]hook.OperationState{
	journalv1.Outcome_OUTCOME_UNSPECIFIED: hook.Waiting,
	journalv1.Outcome_OUTCOME_SENT:        hook.Sent,
	journalv1.Outcome_OUTCOME_PARKED:      hook.Parked,
	journalv1.Outcome_OUTCOME_DROPPED:     hook.Expired,
}

// Label gives a channel as an operator names it; of a plug that the config no longer
// has, with the network in place of the name.
func (h *Host) Label(c id.Channel) hook.Channel {
	if facts, ok := h.directory.Instance(c.Network); ok {
		return hook.Channel{Plug: facts.Name, Source: c.Source}
	}
	return hook.Channel{Plug: id.InstanceName(c.Network), Source: c.Source}
}
