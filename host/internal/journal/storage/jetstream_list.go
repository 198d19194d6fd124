package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/plughost/plughost/host/id"
)

// Bounds of one listing. The server answers none of more than 1,024 subjects;
// 400 of the longest that there are (three tokens of 512 bytes each) fit into a
// request of 1 MiB. An answer comes in pages, well below the 64 MiB at which the
// server takes a connection for stuck.
const (
	listSubjects = 400
	listBytes    = 8 << 20
)

var (
	errTooMany = errors.New("too many subjects for one listing")
	errPageEnd = errors.New("end of a page")
)

// list returns the last record of each subject under a filter: by one request,
// or where that is too much, by the subjects' names in parts. The server reads
// each page at one instant, so no append and no purge can hide a subject, as it
// could from a consumer that delivers last records one by one.
func (s *jetStream) list(ctx context.Context, stream, filter string) ([]Record, error) {
	found := map[string]Record{}
	err := s.listInto(ctx, found, stream, filter)
	if errors.Is(err, errTooMany) {
		var subjects []string
		if subjects, err = s.subjects(ctx, stream, filter); err != nil {
			return nil, err
		}
		for part := range slices.Chunk(subjects, listSubjects) {
			if err = s.listInto(ctx, found, stream, part...); err != nil {
				break
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list the journal: %w", err)
	}
	return slices.Collect(maps.Values(found)), nil
}

// subjects returns the names of the subjects under a filter.
func (s *jetStream) subjects(ctx context.Context, stream, filter string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// A handle of its own, since a handle keeps the last answer.
	handle, err := s.js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("list the journal's subjects: %w", err)
	}
	info, err := handle.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("list the journal's subjects: %w", err)
	}
	return slices.Collect(maps.Keys(info.State.Subjects)), nil
}

// Counts is Store's.
func (s *jetStream) Counts(ctx context.Context) (map[string]uint64, error) {
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	counts := map[string]uint64{}
	for _, stream := range []jetstream.Stream{s.log, s.copies} {
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
		if err != nil {
			return nil, fmt.Errorf("count the journal's records: %w", err)
		}
		for subject, n := range info.State.Subjects {
			kind, _, _ := strings.Cut(subject, ".")
			counts[kind] += n
		}
	}
	return counts, nil
}

// listRequest is a multi-subject direct get (ADR-31 of NATS); the client library
// has no call for it.
type listRequest struct {
	Filters  []string    `json:"multi_last"`
	From     id.Sequence `json:"seq,omitempty"`
	MaxBytes int         `json:"max_bytes"`
}

// listInto adds the last records under filters to found, page by page in the
// order of their sequences.
func (s *jetStream) listInto(ctx context.Context, found map[string]Record, stream string, filters ...string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	inbox := s.conn.NewInbox()
	answers, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = answers.Unsubscribe() }()
	request := listRequest{Filters: filters, MaxBytes: listBytes}
	for left := 1; left > 0; {
		data, err := json.Marshal(request)
		if err != nil {
			return err
		}
		if err := s.conn.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, data); err != nil {
			return err
		}
		if left, err = readPage(ctx, answers, func(r Record) {
			found[r.Subject] = r
			request.From = r.Sequence + 1
		}); err != nil {
			return err
		}
	}
	return nil
}

// readPage gives the records of one page and returns how many are left.
func readPage(ctx context.Context, answers *nats.Subscription, give func(Record)) (left int, err error) {
	for {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return 0, err
		}
		r, err := listed(m)
		switch {
		case errors.Is(err, errPageEnd):
			return strconv.Atoi(m.Header.Get("Nats-Num-Pending"))
		case errors.Is(err, ErrNotFound):
			return 0, nil
		case err != nil:
			return 0, err
		}
		give(r)
	}
}

// listed reads one answer to a listRequest.
func listed(m *nats.Msg) (Record, error) {
	status, description := m.Header.Get("Status"), m.Header.Get("Description")
	switch {
	case status == "":
	case status == "204":
		return Record{}, errPageEnd
	case status == "404" && description == "No Results":
		return Record{}, ErrNotFound
	case status == "413":
		return Record{}, errTooMany
	default:
		return Record{}, fmt.Errorf("the server answers %s %s", status, description)
	}
	sequence, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("read a sequence: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return Record{}, fmt.Errorf("read a time: %w", err)
	}
	return Record{Subject: m.Header.Get(jetstream.SubjectHeader), Sequence: id.Sequence(sequence), Time: at, Data: m.Data}, nil
}
