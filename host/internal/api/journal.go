package api

import (
	"context"

	"github.com/plughost/plughost/host"
	hostv1 "github.com/plughost/plughost/proto/plughost/host/v1"
	"github.com/plughost/plughost/proto/plughost/host/v1/hostv1connect"
)

// journal implements JournalService.
type journal struct {
	server *Server
	host   Host
}

var _ hostv1connect.JournalServiceHandler = (*journal)(nil)

// GetJournal implements hostv1connect.JournalServiceHandler.
func (j *journal) GetJournal(ctx context.Context, request *hostv1.GetJournalRequest) (*hostv1.GetJournalResponse, error) {
	state, err := j.host.JournalState()
	if err != nil {
		return nil, failure(err)
	}
	response := &hostv1.GetJournalResponse{Status: &hostv1.JournalStatus{
		Reason: state.Reason, Bytes: uint64(state.Bytes), MaxBytes: uint64(state.MaxBytes),
		Entries: uint64(state.Entries), MaxEntries: uint64(state.MaxEntries), DiskFreeBytes: uint64(state.DiskFree),
		FileBytes: uint64(state.FileBytes), MaxFileBytes: uint64(state.MaxFileBytes),
	}}
	if !request.Contents {
		return response, nil
	}
	ctx, release := j.server.untilStop(ctx)
	defer release()
	contents, err := j.host.JournalContents(ctx)
	if err != nil {
		return nil, j.server.failure(ctx, err)
	}
	response.Contents = Contents(contents)
	return response, nil
}

// Contents makes the message of what a journal holds.
func Contents(c *host.JournalContents) *hostv1.JournalContents {
	m := &hostv1.JournalContents{
		Format: c.Format, Epoch: c.Epoch, Oldest: timestamp(c.Oldest), Newest: timestamp(c.Newest),
		Waiting: uint64(c.Waiting), Parked: uint64(c.Parked), Cursors: uint64(c.Cursors),
	}
	for _, n := range c.Counts {
		m.Counts = append(m.Counts, &hostv1.RecordCount{Kind: n.Kind, Records: n.Records})
	}
	return m
}
