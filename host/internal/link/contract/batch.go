package contract

import (
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// CheckBatch takes out of an answer of the stream what breaks the contract; the
// answer itself lives on. now stands in for times that are missing.
func CheckBatch(resp *plugv1.StreamMessagesResponse, now time.Time, refuse Refuse) {
	resp.Events = keep("event", resp.Events, refuse, func(e *plugv1.Event) error {
		return checkEvent(e, now, refuse)
	})
	resp.Cursors = keep("cursor", resp.Cursors, refuse, checkCursor)
	resp.CaughtUp = keep("caught_up", resp.CaughtUp, refuse, func(scope string) error {
		return optionalID("scope", scope)
	})
	resp.Gaps = keep("gap", resp.Gaps, refuse, func(g *plugv1.Gap) error { return checkGap(g, now) })
	resp.Outcomes = keep("outcome", resp.Outcomes, refuse, func(o *plugv1.PutOutcome) error {
		return checkOutcome(o, refuse)
	})
}

// keep refuses the parts that check refuses, and gives the others, in order.
func keep[T any](what string, parts []T, refuse Refuse, check func(T) error) []T {
	return slices.DeleteFunc(parts, func(p T) bool {
		err := check(p)
		if err != nil {
			refuse(what, err)
		}
		return err != nil
	})
}

// checkEvent refuses an event that cannot be kept. What can be read without
// harm is put right instead: no message is lost for the time it carries.
func checkEvent(e *plugv1.Event, now time.Time, refuse Refuse) error {
	err := first(
		atMost("it", proto.Size(e), plugv1.MaxEventBytes),
		eventID(e),
		RequiredID("channel", e.Channel),
		optionalID("message_id", e.MessageId),
		optionalID("operation_id", e.OperationId),
		optionalID("thread", e.Thread),
		checkUser("author", e.Author),
		checkUser("actor", e.Actor),
		checkAliases(e.Aliases),
		checkKind(e, refuse),
	)
	if err != nil {
		return err
	}
	if !e.Time.IsValid() {
		e.Time = timestamppb.New(now)
	}
	if _, known := plugv1.Own_name[int32(e.Own)]; !known {
		e.Own = plugv1.Own_OWN_UNSPECIFIED
	}
	e.Reference = reference(e.Reference, refuse)
	return nil
}

// eventID accepts the id of an event; what is best effort needs none.
func eventID(e *plugv1.Event) error {
	if plugv1.BestEffort(e) {
		return optionalID("event_id", e.EventId)
	}
	return RequiredID("event_id", e.EventId)
}

func checkCursor(c *plugv1.Cursor) error {
	if len(c.Value) == 0 {
		return errors.New("its value is empty")
	}
	return first(
		atMost("its value", len(c.Value), plugv1.MaxCursorBytes),
		optionalID("scope", c.Scope),
	)
}

func checkGap(g *plugv1.Gap, now time.Time) error {
	if err := optionalID("scope", g.Scope); err != nil {
		return err
	}
	if !g.Until.IsValid() {
		g.Until = timestamppb.New(now)
	}
	if !g.Since.IsValid() {
		g.Since = nil
	}
	g.Reason = CleanLine(g.Reason)
	return nil
}

func checkOutcome(o *plugv1.PutOutcome, refuse Refuse) error {
	if err := RequiredID("operation_id", o.OperationId); err != nil {
		return err
	}
	if o.Response == nil {
		return errors.New("it has no response")
	}
	// Whether a success needs a receipt is known only to who asked for the action.
	o.Response = CheckPut(o.Response, "", false, refuse)
	return nil
}
