package host

import (
	"context"
	"sync"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	"github.com/plughost/plughost/host/id"
	"github.com/plughost/plughost/host/internal/journal"
	journalv1 "github.com/plughost/plughost/proto/plughost/journal/v1"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// shownNames is how many names are known to be in the message map without a look.
const shownNames = 10_000

// people implements conversation.People over the message map. What fails is only a
// mention that stays plain text, so it is not tried again.
type people struct {
	journal   *journal.Journal
	directory *directory
	log       hclog.Logger

	mu    sync.Mutex
	shown map[shownName]string // the user's id; emptied when it is full
}

type shownName struct {
	on   id.NetworkID
	name string
}

func newPeople(j *journal.Journal, d *directory, log hclog.Logger) *people {
	return &people{journal: j, directory: d, log: log.Named("people"), shown: map[shownName]string{}}
}

// Show implements conversation.People.
func (p *people) Show(ctx context.Context, on id.NetworkID, name string, of id.NetworkID, user *plugv1.User) {
	key, value := shownName{on, name}, string(of)+" "+user.GetId()+" "+user.GetUsername()
	p.mu.Lock()
	known := p.shown[key] == value
	p.mu.Unlock()
	if known || name == "" {
		return
	}
	if err := p.journal.SaveKnown(ctx, on, name, &journalv1.KnownRecord{NetworkId: string(of), User: proto.CloneOf(user)}); err != nil {
		p.log.Warn("a name was not stored; a mention of it stays plain text", "error", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.shown) >= shownNames {
		clear(p.shown)
	}
	p.shown[key] = value
}

// Who implements conversation.People.
func (p *people) Who(ctx context.Context, on id.NetworkID, name string) (id.NetworkID, *plugv1.User, bool) {
	known, err := p.journal.Known(ctx, on, name)
	if err != nil {
		return "", nil, false
	}
	return id.NetworkID(known.NetworkId), known.User, true
}

// NetworkOf implements conversation.People.
func (p *people) NetworkOf(name id.InstanceName) id.NetworkID { return p.directory.network(name) }
