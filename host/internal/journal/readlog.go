package journal

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// ReadLog gives every record that is about a channel, to the log's present end and in
// order: an EventsRecord, an OperationsRecord, a PutRecord or a ParkedRecord. It is for
// those who look into what happened, and stops at yield's first error.
func (j *Journal) ReadLog(ctx context.Context, yield func(id.Channel, storage.Record, proto.Message) error) error {
	return j.read(ctx, ">", 1, func(r storage.Record) (bool, error) {
		kind, _, _ := strings.Cut(r.Subject, ".")
		channel := r.Subject
		var into proto.Message
		switch kind {
		case subject.Events:
			into = &journalv1.EventsRecord{}
		case subject.Out:
			into = &journalv1.OperationsRecord{}
		case subject.Put:
			into = &journalv1.PutRecord{}
		case subject.Parked:
			into = &journalv1.ParkedRecord{}
			channel = strings.TrimSuffix(channel, "."+subject.LastToken(channel))
		default:
			return true, nil
		}
		c, err := subject.ParseChannel(channel)
		if err != nil {
			return false, err
		}
		if into, err = decode(r, into); err != nil {
			return false, err
		}
		return true, yield(c, r, into)
	})
}
