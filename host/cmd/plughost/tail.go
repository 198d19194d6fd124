package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

type tailCommand struct {
	hostFlags
	Channels []string `arg:"" optional:"" name:"channel" help:"Only these channels, as plug/source; a plug's name alone is all of its channels."`
	JSON     bool     `help:"Print each entry as a line of JSON: a SubscribeResponse of the host's API."`
}

// Run prints what is said.
func (cmd tailCommand) Run() error {
	client, err := cmd.open()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := untilSignal()
	defer stop()
	r := &hostv1.SubscribeRequest{}
	for _, c := range cmd.Channels {
		if strings.Contains(c, "/") {
			r.Channels = append(r.Channels, c)
		} else {
			r.Plugs = append(r.Plugs, c)
		}
	}
	err = client.Tail(ctx, r, func(e *hostv1.SubscribeResponse) {
		if cmd.JSON {
			line, err := protojson.Marshal(e)
			if err == nil {
				fmt.Printf("%s\n", line)
			}
			return
		}
		if line := describeEntry(e); line != "" {
			fmt.Println(line)
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	return explain(ctx, err)
}

// describeEntry gives an entry for a person; empty if there is nothing to say of it.
func describeEntry(e *hostv1.SubscribeResponse) string {
	if op := e.GetPutSettled().GetOperation(); op != nil {
		switch op.State {
		case hostv1.OperationState_OPERATION_STATE_PARKED, hostv1.OperationState_OPERATION_STATE_EXPIRED:
			return printable(fmt.Sprintf("%s ! not delivered: %s", op.Channel, op.Reason))
		}
		return ""
	}
	d := e.GetDelivery()
	if d == nil {
		return ""
	}
	mark := ""
	if d.Ours {
		mark = "> " // sent by us
	}
	what := happened(d.Event)
	if what == "" {
		return ""
	}
	return printable(fmt.Sprintf("%s %s %s%s", d.Event.Time.AsTime().Local().Format("15:04:05"), d.Channel, mark, what))
}

// happened words an event.
func happened(e *plugv1.Event) string {
	author, actor := name(e.Author), name(e.Actor)
	if e.Actor == nil {
		actor = author
	}
	switch k := e.Kind.(type) {
	case *plugv1.Event_Message:
		return fmt.Sprintf("<%s> %s", author, words(k.Message))
	case *plugv1.Event_Edit:
		return fmt.Sprintf("* %s edited %s: %s", actor, e.MessageId, words(k.Edit.Content))
	case *plugv1.Event_Delete:
		return fmt.Sprintf("* %s deleted %s", actor, e.MessageId)
	case *plugv1.Event_ReactionAdded:
		return fmt.Sprintf("* %s reacted to %s: %s", actor, e.MessageId, reaction(k.ReactionAdded.Reaction))
	case *plugv1.Event_ReactionRemoved:
		return fmt.Sprintf("* %s took back a reaction to %s: %s", actor, e.MessageId, reaction(k.ReactionRemoved.Reaction))
	case *plugv1.Event_MembersJoined:
		return "* joined: " + people(k.MembersJoined.Users)
	case *plugv1.Event_MembersLeft:
		return "* left: " + people(k.MembersLeft.Users)
	case *plugv1.Event_ChannelChanged:
		return fmt.Sprintf("* %s changed the channel: %s %s", actor, k.ChannelChanged.GetTitle(), k.ChannelChanged.GetTopic())
	}
	return ""
}

func words(m *plugv1.Message) string {
	var b strings.Builder
	for _, s := range m.GetText().GetSegments() {
		b.WriteString(s.Text)
	}
	if n := len(m.GetAttachments()); n > 0 {
		fmt.Fprintf(&b, " [%s]", count(n, "attachment"))
	}
	return b.String()
}

func name(u *plugv1.User) string {
	for _, n := range []string{u.GetDisplayName(), u.GetUsername(), u.GetId()} {
		if n != "" {
			return n
		}
	}
	return "somebody"
}

func people(users []*plugv1.User) string {
	all := make([]string, len(users))
	for i, u := range users {
		all[i] = name(u)
	}
	return strings.Join(all, ", ")
}

func reaction(r *plugv1.Reaction) string {
	for _, n := range []string{r.GetEmoji(), r.GetName(), r.GetCustom()} {
		if n != "" {
			return n
		}
	}
	return "?"
}
