package journal

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
)

// ReadLog gives every record that is about a channel, to the log's present end and in
// order: an EventsRecord, an OperationsRecord, a PutRecord or a ParkedRecord. It is for
// those who look into what happened, and stops at yield's first error.
func (j *Journal) ReadLog(ctx context.Context, yield func(id.Channel, Record, proto.Message) error) error {
	return j.read(ctx, ">", 1, func(r Record) (bool, error) {
		kind, _, _ := strings.Cut(r.Subject, ".")
		channel := r.Subject
		var into proto.Message
		switch kind {
		case kindEvents:
			into = &journalv1.EventsRecord{}
		case kindOut:
			into = &journalv1.OperationsRecord{}
		case kindPut:
			into = &journalv1.PutRecord{}
		case kindParked:
			into = &journalv1.ParkedRecord{}
			channel = strings.TrimSuffix(channel, "."+lastToken(channel))
		default:
			return true, nil
		}
		c, err := parseChannel(channel)
		if err != nil {
			return false, err
		}
		if into, err = decode(r, into); err != nil {
			return false, err
		}
		return true, yield(c, r, into)
	})
}
