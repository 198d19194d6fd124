package contract

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"google.golang.org/protobuf/proto"
)

// EventID derives the id of an event that has none. What the network would name the
// same way again gives the same id on every replay:
//
//   - a message, a delete: the message's id
//   - an edit: the message's id with the revision, or where there is none with the
//     time, if the network told it, and the content
//   - a reaction, added or removed: the reaction's own id
//   - a migrated channel: where it goes
//
// Everything else gets a random one: that somebody joins, or reacts again without an
// id, is another event each time, and to drop one of two would be worse than to
// show one twice. Typing and read markers have none.
func EventID(e *plugv1.Event) string {
	switch k := e.GetKind().(type) {
	case *plugv1.Event_Message:
		return named("message", e.GetMessageId())
	case *plugv1.Event_Edit:
		if k.Edit.GetRevision() != "" {
			return hashed("edit", e.GetMessageId(), k.Edit.GetRevision())
		}
		return hashed("edit-content", e.GetMessageId(), when(e), content(k.Edit.GetContent()))
	case *plugv1.Event_Delete:
		return named("delete", e.GetMessageId())
	case *plugv1.Event_ReactionAdded:
		if id := k.ReactionAdded.GetReactionId(); id != "" {
			return named("reaction-added", id)
		}
	case *plugv1.Event_ReactionRemoved:
		if id := k.ReactionRemoved.GetReactionId(); id != "" {
			return named("reaction-removed", id)
		}
	case *plugv1.Event_ChannelMigrated:
		return named("migrated", k.ChannelMigrated.GetTo())
	case *plugv1.Event_Typing, *plugv1.Event_ReadMarker:
		return ""
	}
	return "random:" + rand.Text()
}

// named gives an id that a person can read; one that is too long for it is hashed.
func named(kind, id string) string {
	if len(kind)+1+len(id) <= plugv1.MaxIDBytes {
		return kind + ":" + id
	}
	return hashed(kind, id)
}

// hashed gives an id of several parts. Each is hashed with its length, so that no
// two lists of parts are the same bytes.
func hashed(kind string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	return kind + "-sha256:" + hex.EncodeToString(h.Sum(nil))
}

func when(e *plugv1.Event) string {
	if e.GetTime() == nil {
		return ""
	}
	return e.GetTime().AsTime().Format("2006-01-02T15:04:05.999999999")
}

// content is what was written, as bytes. The names of files in the spool are left
// out: they are new whenever the plug fetches them.
func content(m *plugv1.Message) string {
	m = proto.CloneOf(m)
	for _, a := range m.GetAttachments() {
		if f := a.GetFile(); f != nil {
			f.Spool = nil
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return rand.Text() // it is refused all the same
	}
	return string(b)
}
