package spool

import (
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// visitor is shown every place of an event or action where files can be, in
// order, as long as it returns no error.
type visitor struct {
	file func(*plugv1.File) error
	// user has an avatar.
	user func(*plugv1.User) error
}

func (v visitor) event(e *plugv1.Event) error {
	if err := v.users(e.GetAuthor(), e.GetActor()); err != nil {
		return err
	}
	switch kind := e.GetKind().(type) {
	case *plugv1.Event_Message:
		return v.message(kind.Message)
	case *plugv1.Event_Edit:
		return v.message(kind.Edit.GetContent())
	case *plugv1.Event_MembersJoined:
		return v.users(kind.MembersJoined.GetUsers()...)
	case *plugv1.Event_MembersLeft:
		return v.users(kind.MembersLeft.GetUsers()...)
	}
	return nil
}

func (v visitor) action(a *plugv1.Action) error {
	if err := v.users(a.GetAuthor().GetUser()); err != nil {
		return err
	}
	switch kind := a.GetKind().(type) {
	case *plugv1.Action_Message:
		return v.message(kind.Message)
	case *plugv1.Action_Edit:
		return v.message(kind.Edit.GetContent())
	}
	return nil
}

func (v visitor) message(m *plugv1.Message) error {
	if err := v.text(m.GetText()); err != nil {
		return err
	}
	if err := v.users(m.GetReplyTo().GetAuthor()); err != nil {
		return err
	}
	if err := v.text(m.GetReplyTo().GetText()); err != nil {
		return err
	}
	for _, a := range m.GetAttachments() {
		if f := a.GetFile(); f != nil {
			if err := v.file(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v visitor) text(t *plugv1.Text) error {
	for _, s := range t.GetSegments() {
		if err := v.users(s.GetMention().GetUser()); err != nil {
			return err
		}
	}
	return nil
}

func (v visitor) users(users ...*plugv1.User) error {
	for _, u := range users {
		if u.GetAvatar() != nil {
			if err := v.user(u); err != nil {
				return err
			}
		}
	}
	return nil
}
