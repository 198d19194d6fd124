package memory

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

const (
	remembered = 1024           // packets
	maxLines   = 8 * remembered // of the file, before it is written anew
)

// packet is one packet as the file has it, a line each.
type packet struct {
	Packet uint16 `json:"packet"`
	Digest string `json:"digest"`
	ID     string `json:"id"`
	here   bool   // its id was given by this process
}

// packets remembers packets, in a file to which each is appended.
type packets struct {
	path  string
	file  *os.File
	lines int
	known map[uint16]packet // bound: remembered
	order []uint16          // the keys of known, oldest first
}

// open reads the file. A line that a kill has cut short is left out: its packet was not
// queued, for that comes after.
func (p *packets) open(path string) error {
	p.path, p.known = path, make(map[uint16]packet)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the packets: %w", err)
	}
	b, err := io.ReadAll(file)
	if err != nil {
		file.Close()
		return fmt.Errorf("read the packets: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		var line packet
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Packet != 0 && line.ID != "" {
			p.remember(line)
		}
	}
	p.file = file
	return p.compact()
}

func (p *packets) close() error { return p.file.Close() }

func (p *packets) id(number uint16, repeat bool, digest string) (id string, known bool, err error) {
	if old, ok := p.known[number]; ok && repeat && old.Digest == digest {
		if !old.here {
			here := old
			here.here = true
			p.known[number] = here
		}
		return old.ID, old.here, nil
	}
	line := packet{Packet: number, Digest: digest, ID: NewID(), here: true}
	p.remember(line)
	return line.ID, false, p.write(line)
}

// NewID makes an id for a message that has none.
func NewID() string { return "made:" + rand.Text() }

func (p *packets) remember(line packet) {
	if _, ok := p.known[line.Packet]; ok {
		for i, number := range p.order {
			if number == line.Packet {
				p.order = append(p.order[:i], p.order[i+1:]...)
				break
			}
		}
	}
	p.known[line.Packet] = line
	p.order = append(p.order, line.Packet)
	if len(p.order) > remembered {
		delete(p.known, p.order[0])
		p.order = p.order[1:]
	}
}

func (p *packets) write(line packet) error {
	if p.lines >= maxLines {
		return p.compact() // it is among those remembered
	}
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode a packet: %w", err)
	}
	if _, err := p.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("remember a packet: %w", err)
	}
	p.lines++
	return nil
}

// compact writes the file anew with what is remembered, and so without a line that was
// cut short, to which the next one would be appended.
func (p *packets) compact() error {
	var b bytes.Buffer
	for _, number := range p.order {
		if err := json.NewEncoder(&b).Encode(p.known[number]); err != nil {
			return fmt.Errorf("encode a packet: %w", err)
		}
	}
	if err := replace(p.path, b.Bytes()); err != nil {
		return err
	}
	file, err := os.OpenFile(p.path, os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the packets: %w", err)
	}
	p.file.Close()
	p.file, p.lines = file, len(p.order)
	return nil
}

func (p *packets) forget() error {
	p.known, p.order = make(map[uint16]packet), nil
	return p.compact()
}

// digest tells contents apart. The length of each part stands before it.
func digest(content [][]byte) string {
	h := sha256.New()
	for _, part := range content {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
