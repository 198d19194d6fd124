package journal

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal/storage"
	"github.com/plughost/plughost/host/internal/journal/subject"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// SaveOriginal stores under a message's id and aliases what is needed to find it
// again.
func (j *Journal) SaveOriginal(ctx context.Context, c id.Channel, r *journalv1.OriginalRecord) error {
	for _, name := range append([]string{r.Id}, r.Aliases...) {
		if err := j.set(ctx, subject.Message(subject.Original, id.Message{Channel: c, ID: id.MessageID(name)}), r); err != nil {
			return err
		}
	}
	return nil
}

// Original finds a message by its id or an alias; ErrNotFound if it has no more
// than its id.
func (j *Journal) Original(ctx context.Context, m id.Message) (*journalv1.OriginalRecord, error) {
	r := &journalv1.OriginalRecord{}
	return r, j.get(ctx, subject.Message(subject.Original, m), r)
}

// SaveFelt stores what a reaction is, that its network removes by the reaction's
// own id.
func (j *Journal) SaveFelt(ctx context.Context, c id.Channel, reaction string, r *journalv1.FeltRecord) error {
	return j.set(ctx, subject.Message(subject.Felt, id.Message{Channel: c, ID: id.MessageID(reaction)}), r)
}

// Felt finds a reaction by its own id, or ErrNotFound.
func (j *Journal) Felt(ctx context.Context, c id.Channel, reaction string) (*journalv1.FeltRecord, error) {
	r := &journalv1.FeltRecord{}
	return r, j.get(ctx, subject.Message(subject.Felt, id.Message{Channel: c, ID: id.MessageID(reaction)}), r)
}

// SaveFeels stores one user's whole set of reactions to a message.
func (j *Journal) SaveFeels(ctx context.Context, m id.Message, user string, r *journalv1.FeelsRecord) error {
	return j.set(ctx, subject.Message(subject.Feels, m)+"."+subject.Token(user), r)
}

// Feels returns one user's set of reactions to a message; empty if there was none.
func (j *Journal) Feels(ctx context.Context, m id.Message, user string) (*journalv1.FeelsRecord, error) {
	r := &journalv1.FeelsRecord{}
	err := j.get(ctx, subject.Message(subject.Feels, m)+"."+subject.Token(user), r)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return r, err
}

// SaveReacted stores all reactions of ours in a channel to one message.
func (j *Journal) SaveReacted(ctx context.Context, c id.Channel, m *journalv1.MessageKey, r *journalv1.ReactedRecord) error {
	return j.set(ctx, reactedSubject(c, m), r)
}

// Reacted returns all reactions of ours in a channel to one message; empty if
// there are none.
func (j *Journal) Reacted(ctx context.Context, c id.Channel, m *journalv1.MessageKey) (*journalv1.ReactedRecord, error) {
	r := &journalv1.ReactedRecord{}
	err := j.get(ctx, reactedSubject(c, m), r)
	if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return r, err
}

func reactedSubject(c id.Channel, m *journalv1.MessageKey) string {
	return subject.Channel(subject.Reacted, c) + "." + keyTokens(m)
}

// SaveKnown stores whom a name means that we show on a network.
func (j *Journal) SaveKnown(ctx context.Context, n id.NetworkID, name string, r *journalv1.KnownRecord) error {
	return j.set(ctx, subject.Join(subject.Known, subject.Token(n), subject.Token(name)), r)
}

// Known tells whom a name means that we show on a network, or ErrNotFound.
func (j *Journal) Known(ctx context.Context, n id.NetworkID, name string) (*journalv1.KnownRecord, error) {
	r := &journalv1.KnownRecord{}
	return r, j.get(ctx, subject.Join(subject.Known, subject.Token(n), subject.Token(name)), r)
}

// SaveAvatar stores which file a plug gave for the hash of a picture.
func (j *Journal) SaveAvatar(ctx context.Context, n id.NetworkID, hash string, f *plugv1.SpoolFile) error {
	return j.set(ctx, subject.Join(subject.Avatar, subject.Token(n), subject.Token(hash)), f)
}

// Avatar returns the file that a plug gave for the hash of a picture, or ErrNotFound.
func (j *Journal) Avatar(ctx context.Context, n id.NetworkID, hash string) (*plugv1.SpoolFile, error) {
	f := &plugv1.SpoolFile{}
	return f, j.get(ctx, subject.Join(subject.Avatar, subject.Token(n), subject.Token(hash)), f)
}

func keyTokens(m *journalv1.MessageKey) string {
	return subject.Join(subject.Token(m.NetworkId), subject.Token(m.Channel), subject.Token(m.Id))
}

func (j *Journal) set(ctx context.Context, subject string, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message map: %w", err)
	}
	return j.store.Set(ctx, storage.Entry{Subject: subject, Data: data})
}

func (j *Journal) get(ctx context.Context, subject string, into proto.Message) error {
	records, err := j.store.Get(ctx, subject)
	if err != nil {
		return fmt.Errorf("look into the message map: %w", err)
	}
	if len(records) == 0 {
		return storage.ErrNotFound
	}
	_, err = decode(records[0], into)
	return err
}
