package contract

import (
	"errors"
	"fmt"
	"time"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// CheckLookup takes out of an answer of an optional service what breaks the
// contract, and completes the channels of SetChannels as CheckStart does. The error
// says that nothing is left of it; it may be a *SameChannelError.
func CheckLookup(request, answer any, now time.Time, refuse Refuse) error {
	switch a := answer.(type) {
	case *plugv1.GetUserResponse:
		return foundUser(a.User)
	case *plugv1.GetUserByUsernameResponse:
		return foundUser(a.User)
	case *plugv1.ListMembersResponse:
		a.Users = keep("user", a.Users, refuse, foundUser)
	case *plugv1.ListAdminsResponse:
		a.Users = keep("user", a.Users, refuse, foundUser)
	case *plugv1.ListChannelsResponse:
		a.Channels = keep("channel", a.Channels, refuse, checkChannel)
	case *plugv1.GetChannelResponse:
		return checkChannel(a.Channel)
	case *plugv1.GetDirectChannelResponse:
		return checkChannel(a.Channel)
	case *plugv1.SetChannelsResponse:
		var err error
		a.Channels, err = channelsOf(request.(*plugv1.SetChannelsRequest).Sources, a.Channels)
		return err
	case *plugv1.ListMessagesResponse:
		a.Events = keep("event", a.Events, refuse, func(e *plugv1.Event) error { return checkPast(e, now, refuse) })
	case *plugv1.GetMessageResponse:
		if a.Event == nil {
			return errors.New("there is no event in the answer")
		}
		return checkPast(a.Event, now, refuse)
	case *plugv1.FindOperationResponse:
		return checkFound(a.Parts, refuse)
	}
	return nil
}

// checkFound refuses the whole answer for one part that can't be used: what would be
// left of it says that the part was not sent.
func checkFound(parts []*plugv1.FoundPart, refuse Refuse) error {
	for _, p := range parts {
		if p.Receipt == nil {
			return fmt.Errorf("part %d has no receipt", p.Part)
		}
		if err := checkReceipt(p.Receipt, "", refuse); err != nil {
			return err
		}
	}
	return nil
}

func checkPast(e *plugv1.Event, now time.Time, refuse Refuse) error {
	e.History = true
	return checkEvent(e, now, refuse)
}

// foundUser is a user in an answer; names are as safe as in an action.
func foundUser(u *plugv1.User) error {
	if u == nil {
		return errors.New("there is no user in the answer")
	}
	u.Username, u.DisplayName = cleanName(u.Username), cleanName(u.DisplayName)
	return checkUser("user", u)
}

func checkChannel(c *plugv1.Channel) error {
	if c == nil {
		return errors.New("there is no channel in the answer")
	}
	c.Title, c.Topic, c.Link = CleanLine(c.Title), CleanLine(c.Topic), CleanLine(c.Link)
	return RequiredID("channel.source", c.Source)
}
