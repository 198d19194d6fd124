package broker

import (
	"context"

	"github.com/eclipse/paho.golang/packets"
	pahosession "github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"
)

// session is paho's memory of one connection: packet ids and the receive maximum. It
// lives no longer than the connection. What paho would keep beyond it are publishes
// without an answer, to send them again; whether to do that is for the host to say.
type session struct {
	*state.State
	conn *Conn
}

// AddToSession notes that a publish has begun. Until then it waits for its turn under
// the broker's receive maximum, and nothing has been written.
func (s *session) AddToSession(ctx context.Context, packet pahosession.Packet, resp chan<- packets.ControlPacket) error {
	if err := s.State.AddToSession(ctx, packet, resp); err != nil {
		return err
	}
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		if m, ok := packet.(*packets.Publish); ok {
			a.id = m.PacketID
		}
		s.conn.begin(ctx, a)
	}
	return nil
}

// PacketReceived notes a broker's answer: if the connection ends right behind it, paho
// may tell of the end only.
func (s *session) PacketReceived(p *packets.ControlPacket, to chan<- *packets.Publish) error {
	if answer, ok := p.Content.(*packets.Puback); ok {
		s.conn.answered(answer)
	}
	return s.State.PacketReceived(p, to)
}

// Ack is paho's own acknowledgement, made when its handler has returned: too early.
// Ours is made by acknowledge. (Paho's manual acknowledgements wait for a ticker.)
func (s *session) Ack(*packets.Publish) error { return nil }

// ConnectionLost notes the broker's reason, then ends everything that waits for an
// answer: paho would let it wait for the next connection.
func (s *session) ConnectionLost(d *packets.Disconnect) error {
	if d != nil {
		s.conn.disconnected(d)
	}
	if err := s.State.ConnectionLost(d); err != nil {
		return err
	}
	return s.State.Close()
}
