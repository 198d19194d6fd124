package intake

import (
	"runtime"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

// While an answer is being stored, the next one is received and prepared, so that neither
// the journal nor we wait for each other. Only one is being stored at a time: what is being
// stored owns last and gaps, and what is prepared owns what is known, files and Moves. An
// answer that needs both, or whose events are completed by what the journal holds, is
// prepared once the one before it stands, and the next one only once that does.

// begun is something that is being stored.
type begun struct {
	ended chan struct{} // closed when it has ended
	err   error         // why it was not stored; read after ended
}

// begin begins to store something, which nothing else is. The caller has entered.
func (in *Intake) begin(store func() error) {
	b := &begun{ended: make(chan struct{})}
	in.begun = b
	go func() {
		defer close(b.ended)
		b.err = store()
	}()
	// Its records are on their way before anything is prepared: else it would wait for
	// another thread to wake, as long as the preparing takes.
	runtime.Gosched()
}

// stand returns when what was begun is stored. If it was not, which is for the context's
// end alone, nothing counts as known any more. The caller has entered.
func (in *Intake) stand() error {
	b := in.begun
	if b == nil {
		return nil
	}
	<-b.ended
	in.begun = nil
	if b.err != nil {
		in.forgetKnown()
	}
	return b.err
}

// settle returns when nothing is being stored.
func (in *Intake) settle() {
	in.enter()
	defer in.leave()
	_ = in.stand()
}

// beside tells whether an answer can be prepared and stored beside others.
func (in *Intake) beside(answer *plugv1.StreamMessagesResponse) bool {
	if len(answer.Gaps) > 0 || len(answer.CaughtUp) > 0 || len(answer.Outcomes) > 0 {
		return false
	}
	for _, e := range answer.Events {
		if completes(e) || in.files != nil && len(in.files.Names(e)) > 0 {
			return false
		}
	}
	return true
}
