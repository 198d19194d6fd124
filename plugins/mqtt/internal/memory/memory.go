// Package memory is what the plug keeps in its state directory: who it is for the
// broker, what it has subscribed to, and which packets it has already been given.
//
// Takes: facts about connections, and packets as they come.
//
// Gives: the client id; whether the broker has forgotten our session; for a packet
// without an id of its own, one that stays the same when the packet comes again.
//
// Order and bounds: a Memory is used by one goroutine at a time. It remembers the last
// 1,024 packets, more than a broker has unacknowledged on one connection. What is
// written survives a kill of the process, and a power loss only if the system had the
// time: then a packet that comes again gets a new id.
//
// How it stops: Close closes the one open file.
package memory

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Memory is the plug's memory, opened for one client of one broker.
type Memory struct {
	dir     string
	facts   facts
	packets packets
}

// facts is what identity.json holds.
type facts struct {
	// Made is the client id that was made for want of a configured one.
	Made string `json:"made,omitempty"`
	// Broker and Client say whose session the rest is about.
	Broker string `json:"broker"`
	Client string `json:"client"`
	// Session is true once the broker has had a session of ours.
	Session bool `json:"session"`
	// Forgotten is true while the broker has forgotten one and the host doesn't know.
	Forgotten bool `json:"forgotten,omitempty"`
	// Subscriptions holds the topics that the session may be subscribed to.
	Subscriptions []string `json:"subscriptions,omitempty"`
}

// Open opens the memory in a directory, for a broker's address and a client id; an
// empty one is made once and kept. What is known of another broker's or client's
// session is forgotten.
func Open(dir, broker, client string) (*Memory, error) {
	m := &Memory{dir: dir}
	b, err := os.ReadFile(m.identity())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read what is kept: %w", err)
	default:
		if err := json.Unmarshal(b, &m.facts); err != nil {
			return nil, fmt.Errorf("read what is kept in %s: %w", m.identity(), err)
		}
	}
	if client == "" {
		if m.facts.Made == "" {
			// 23 bytes of letters and digits is what every broker must take (MQTT 5.0,
			// section 3.1.3.1); 15 of them are 75 random bits.
			m.facts.Made = "plughost" + rand.Text()[:15]
		}
		client = m.facts.Made
	}
	same := m.facts.Broker == broker && m.facts.Client == client
	if err := m.packets.open(filepath.Join(dir, "packets.log")); err != nil {
		return nil, err
	}
	if same {
		return m, nil
	}
	// The packets go first: with the facts gone nobody would know whose they were.
	if err := m.packets.forget(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	m.facts = facts{Made: m.facts.Made, Broker: broker, Client: client}
	if err := m.save(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// Close closes the memory.
func (m *Memory) Close() error { return m.packets.close() }

// Client is the client id.
func (m *Memory) Client() string { return m.facts.Client }

// Begin notes a new connection, and whether the broker still had our session. It says
// whether the broker has forgotten one that it had, and with it what waited there: at
// each connection, until Told.
func (m *Memory) Begin(present bool) (forgotten bool, err error) {
	if present && m.facts.Session {
		return m.facts.Forgotten, nil
	}
	m.facts.Forgotten = m.facts.Forgotten || m.facts.Session && !present
	if !present { // its packet ids begin anew, and mean other packets
		if err := m.packets.forget(); err != nil {
			return m.facts.Forgotten, err
		}
		m.facts.Subscriptions = nil
	}
	m.facts.Session = true
	return m.facts.Forgotten, m.save()
}

// Told says that the host knows that the broker has forgotten the session, and that the
// subscriptions stand again.
func (m *Memory) Told() error {
	m.facts.Forgotten = false
	return m.save()
}

// Subscriptions lists the topics that the session may be subscribed to.
func (m *Memory) Subscriptions() []string { return m.facts.Subscriptions }

// SetSubscriptions replaces that list. A topic is noted before it is subscribed to, and
// dropped after it was unsubscribed from.
func (m *Memory) SetSubscriptions(topics []string) error {
	m.facts.Subscriptions = topics
	return m.save()
}

// ID gives the id of a packet that has none of its own. One that is marked as a repeat
// (DUP) gets the id that it had before, if the same content came with the same packet
// id; known is true if this process gave that id, and not an earlier one. Not being
// marked, it is another message, however alike (MQTT 5.0, section 3.3.1.1), and gets
// a new id.
//
// With an error the id is good, but would be another one after a restart.
func (m *Memory) ID(packet uint16, repeat bool, content ...[]byte) (id string, known bool, err error) {
	return m.packets.id(packet, repeat, digest(content))
}

func (m *Memory) identity() string { return filepath.Join(m.dir, "identity.json") }

func (m *Memory) save() error {
	b, err := json.MarshalIndent(m.facts, "", "  ")
	if err != nil {
		return fmt.Errorf("encode what is kept: %w", err)
	}
	return replace(m.identity(), b)
}

// replace writes a file so that a kill leaves the old one or the new one.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("keep what has to survive a restart: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keep what has to survive a restart: %w", err)
	}
	return nil
}
