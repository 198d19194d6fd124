package host_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/plughost/plughost/host"
	"github.com/plughost/plughost/host/hook"
	"github.com/plughost/plughost/host/id"
	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
	"github.com/plughost/plughost/sdk/go/plug"
)

// sayPast says a message of two hours ago, an edit of it, and one of now.
func sayPast(ctx context.Context, q *plug.Queue) error {
	past := timestamppb.New(time.Now().Add(-2 * time.Hour))
	old := plug.NewMessage("c", "1", "old", plugv1.Own_OWN_NO)
	edit := plug.NewMessage("c", "1", "", plugv1.Own_OWN_NO)
	edit.EventId, edit.Kind = "edit", &plugv1.Event_Edit{Edit: &plugv1.Edit{Content: old.GetMessage(), Revision: "2"}}
	live := plug.NewMessage("c", "2", "live", plugv1.Own_OWN_NO)
	old.Time, edit.Time, live.Time = past, past, timestamppb.Now()
	for _, e := range []*plugv1.Event{old, edit, live} {
		e.Author = &plugv1.User{Id: "ann", DisplayName: "Ann"}
		if err := q.Event(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// "Must" 5: what a source that was away tells of is given up where it is too old, by the
// conversation's catch_up, and so is its edit; a member without one gets all.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	o := childOptions{DataDir: dataDir(t)}
	strict, patient := filepath.Join(t.TempDir(), "strict"), filepath.Join(t.TempDir(), "patient")
	for kind, out := range map[string]string{"past": "", "strict": strict, "patient": patient} {
		config, err := json.Marshal(visitors{Out: out})
		if err != nil {
			t.Fatal(err)
		}
		o.Plugs = append(o.Plugs, host.Plug{Name: id.InstanceName(kind), Path: os.Args[0], Env: []string{asPlug + "=" + kind}, Config: config})
	}
	c := bridge(channel("past", "c"), channel("strict", "c"))
	c.Members[1].CatchUp = &hook.CatchUp{MaxAge: time.Hour, MaxMessages: 10}
	c.Members = append(c.Members, host.Member{Channel: channel("patient", "c"), Name: "{name}"})
	o.Conversations = []host.Conversation{c}
	h := startHost(t, o)
	got := func(path string) string {
		b, _ := os.ReadFile(path) // there is none yet
		return strings.ReplaceAll(strings.TrimSpace(string(b)), " by Ann with no picture\n", ", ")
	}
	const last = "live by Ann with no picture"
	until(t, "the live message has arrived", func() bool { return strings.HasSuffix(got(strict), last) && strings.HasSuffix(got(patient), last) })
	h.stop()
	if got := got(strict); got != last {
		t.Errorf("the strict one got %q", got)
	}
	if got := got(patient); !strings.HasPrefix(got, "old, ") {
		t.Errorf("the patient one got %q", got)
	}
	if !strings.Contains(h.log(), "given up by catch_up: it was 2h0m") {
		t.Error("it is not in the log")
	}
	nothingWaits(t, o.DataDir)
}
