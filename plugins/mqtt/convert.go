package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/plugins/mqtt/internal/memory"
	"github.com/plughost/plughost/plugins/mqtt/internal/topic"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

const (
	// maxPayload is the largest payload that is shown, in bytes.
	maxPayload = 256 << 10
	// maxText is the longest text that we publish, in bytes: as JSON, which may double it,
	// another plug of this kind still takes it.
	maxText = 128 << 10
	// envelope is what a packet may have beside the text: topic, operation id, author.
	envelope = 4 << 10
	// maxName bounds an author's name, in bytes.
	maxName = 256
	// eventHeader is what an event may get before it reaches the host (its derived id).
	eventHeader = 2 << 10
)

// User properties of what we publish; those of an author are read too.
const (
	propertyOperation = "operation_id"
	propertyAuthor    = "author"
	propertyAuthorID  = "author_id"
)

// payload is a payload in the format "json".
type payload struct {
	ID          word    `json:"id,omitempty"`
	Text        *string `json:"text"`
	Author      *author `json:"author,omitempty"`
	Time        string  `json:"time,omitempty"` // RFC 3339
	OperationID string  `json:"operation_id,omitempty"`
}

type author struct {
	ID   word   `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// word is a string; a device may also write it as a number.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	var number json.Number
	if len(b) > 0 && b[0] != '"' && json.Unmarshal(b, &number) == nil {
		*w = word(number)
		return nil
	}
	return json.Unmarshal(b, (*string)(w))
}

// repeated is the reason to skip what the host has been given already.
const repeated = "it came again"

// event is a message as the host knows it, or nil and the reason why it is none.
func (m *mqtt) event(p *paho.Publish) (*plugv1.Event, string) {
	c := m.route(p.Topic)
	switch {
	case c == nil:
		return nil, "its topic is not in use"
	case p.Retain: // we ask not to be sent these; live ones come without the mark
		return nil, "it is old: the broker had retained it"
	case len(p.Payload) == 0: // so a retained one is removed
		return nil, "it is empty"
	}
	read, err := read(c, p)
	if err != nil {
		read = &payload{Text: new(fmt.Sprintf("(a message of %d bytes that can't be shown: %v)", len(p.Payload), err))}
	}
	if read.ID == "" {
		id, known := m.makeID(p)
		if known {
			return nil, repeated
		}
		read.ID = word(id)
	}
	e := plug.NewMessage(c.source, string(read.ID), *read.Text, plugv1.Own_OWN_NO)
	e.Author = writer(p, read.Author)
	if t, err := time.Parse(time.RFC3339, read.Time); err == nil {
		e.Time = timestamppb.New(t)
	}
	return e, ""
}

// makeID makes the id of a message that has none of its own; known says that it has been
// queued under it.
func (m *mqtt) makeID(p *paho.Publish) (id string, known bool) {
	if p.QoS == 0 { // it has no packet id, and never comes again
		return memory.NewID(), false
	}
	id, known, err := m.memory.ID(p.PacketID, p.Duplicate(), []byte(p.Topic), p.Payload)
	if err != nil {
		m.log.Warn("a message may come twice if the plug is killed now", "error", err)
	}
	return id, known
}

// read reads a payload. Foreign bytes: whatever they are, the result fits into an event.
func read(c *channel, p *paho.Publish) (*payload, error) {
	switch {
	case len(p.Payload) > maxPayload:
		return nil, errors.New("it is too long")
	case !utf8.Valid(p.Payload):
		return nil, errors.New("it is not UTF-8 text")
	}
	read := &payload{Text: new(string(p.Payload))}
	if c.json {
		read = &payload{}
		if err := json.Unmarshal(p.Payload, read); err != nil {
			return nil, errors.New("it is not JSON of the agreed shape")
		}
	}
	switch {
	case read.Text == nil || *read.Text == "":
		return nil, errors.New("it has no text")
	case len(read.ID) > plugv1.MaxIDBytes:
		return nil, errors.New("its id is too long")
	}
	probe := plug.NewMessage(c.source, string(read.ID), *read.Text, plugv1.Own_OWN_NO)
	probe.Author = writer(p, read.Author)
	if proto.Size(probe) > plugv1.MaxEventBytes-eventHeader {
		return nil, errors.New("it is too long")
	}
	return read, nil
}

// writer is who wrote a message: who the payload says, else who its user properties say,
// else the topic; MQTT itself doesn't tell.
func writer(p *paho.Publish, a *author) *plugv1.User {
	u := &plugv1.User{}
	if a != nil {
		u.Id, u.DisplayName = string(a.ID), a.Name
	}
	if p.Properties != nil && u.Id == "" && u.DisplayName == "" {
		u.Id, u.DisplayName = p.Properties.User.Get(propertyAuthorID), p.Properties.User.Get(propertyAuthor)
	}
	if u.Id == "" && u.DisplayName == "" {
		u.DisplayName = p.Topic
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Id
	}
	if u.Id == "" {
		u.Id = u.DisplayName
	}
	u.Id, u.DisplayName = shortID(strings.ToValidUTF8(u.Id, "\uFFFD")), shortened(strings.ToValidUTF8(u.DisplayName, "\uFFFD"), maxName)
	return u
}

// shortID is an id within the contract's size.
func shortID(id string) string {
	if len(id) <= plugv1.MaxIDBytes {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// shortened is the beginning of a string, in whole characters.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// publish is what we are asked to put, as MQTT knows it.
func (m *mqtt) publish(c *channel, p *plug.Part) (*paho.Publish, error) {
	if strings.TrimSpace(p.Text) == "" {
		return nil, errors.New("there is no text in it") // and an empty payload would remove what is retained
	}
	text := byte(1) // MQTT 5.0, section 3.3.2.3.2: the payload is UTF-8
	message := &paho.Publish{
		Topic: c.publish, QoS: c.qos, Retain: c.retain, Payload: []byte(p.Text),
		Properties: &paho.PublishProperties{PayloadFormat: &text, ContentType: "text/plain; charset=utf-8"},
	}
	properties := &message.Properties.User
	properties.Add(propertyOperation, p.OperationID)
	var by *author
	if p.Author != nil {
		by = &author{ID: word(topic.Clean(p.Author.GetUser().GetId())), Name: shortened(topic.Clean(p.Author.GetFormattedName()), maxName)}
		properties.Add(propertyAuthor, by.Name)
		if by.ID != "" {
			properties.Add(propertyAuthorID, string(by.ID))
		}
	}
	if !c.json {
		return message, nil
	}
	said := payload{ID: word(p.OperationID), Text: &p.Text, Author: by, OperationID: p.OperationID}
	if !p.FirstAttempt.IsZero() { // the same on every attempt
		said.Time = p.FirstAttempt.UTC().Format(time.RFC3339Nano)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(said); err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	message.Payload, message.Properties.ContentType = bytes.TrimSpace(b.Bytes()), "application/json"
	return message, nil
}

// textLength is how long a text may be at a broker that takes packets of a size (0: any),
// in bytes. Escaping is how many times longer it may become. At a broker that takes very
// little an author with long names may not fit; then the Put is refused.
func textLength(maxPacket uint32, escaping int) uint32 {
	if maxPacket == 0 {
		return maxText
	}
	room := max(int(maxPacket)-envelope, int(maxPacket)/4) / escaping
	return uint32(max(1, min(room, maxText)))
}
