package spool_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/plughost/plughost/host/internal/spool"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// path leads from a message to a SpoolFile somewhere in it.
type path []protoreflect.FieldDescriptor

func (p path) String() (s string) {
	for _, f := range p {
		s += "." + string(f.Name())
	}
	return s
}

// paths finds every way from a message to a SpoolFile. The contract has no
// message that holds itself.
func paths(d protoreflect.MessageDescriptor, so path) (found []path) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.Kind() != protoreflect.MessageKind || f.IsMap() {
			continue
		}
		there := append(slices.Clone(so), f)
		if f.Message().FullName() == (*plugv1.SpoolFile)(nil).ProtoReflect().Descriptor().FullName() {
			found = append(found, there)
			continue
		}
		found = append(found, paths(f.Message(), there)...)
	}
	return found
}

// place makes what is on a path, and returns the SpoolFile at its end.
func place(m protoreflect.Message, p path) *plugv1.SpoolFile {
	for _, f := range p {
		if f.IsList() {
			m = m.Mutable(f).List().AppendMutable().Message()
		} else {
			m = m.Mutable(f).Message()
		}
	}
	return m.Interface().(*plugv1.SpoolFile)
}

// Wherever the contract lets a file be in an event or an action, it is found.
func TestEveryPlace(t *testing.T) {
	events := paths((&plugv1.Event{}).ProtoReflect().Descriptor(), nil)
	for _, p := range events {
		e := &plugv1.Event{}
		place(e.ProtoReflect(), p).Name = "x"
		if got := spool.Names(e); !slices.Equal(got, []string{"x"}) {
			t.Errorf("event%s: names %q", p, got)
		}
	}
	actions := paths((&plugv1.Action{}).ProtoReflect().Descriptor(), nil)
	for _, p := range actions {
		a := &plugv1.Action{}
		place(a.ProtoReflect(), p).Sha256 = make([]byte, 32)
		if got := spool.Hashes(a); len(got) != 1 {
			t.Errorf("action%s: hashes %v", p, got)
		}
	}
	if len(events) < 12 || len(actions) < 9 {
		t.Errorf("%d places in events, %d in actions", len(events), len(actions))
	}
}
