package plug

// fifo is a list of entries with the sum of their sizes. Its users keep its bound.
type fifo struct {
	entries []*entry
	bytes   int
}

func (f *fifo) push(e *entry) {
	f.entries = append(f.entries, e)
	f.bytes += e.size
}

func (f *fifo) pop(n int) {
	for _, e := range f.entries[:n] {
		f.bytes -= e.size
	}
	clear(f.entries[:n])
	if f.entries = f.entries[n:]; len(f.entries) == 0 {
		f.entries = nil // let a burst's memory go
	}
}

// drop takes out the entries that are unwanted, in a list of its own: what was taken
// of the old one before stays as it is.
func (f *fifo) drop(unwanted func(*entry) bool) {
	kept := fifo{}
	for _, e := range f.entries {
		if !unwanted(e) {
			kept.push(e)
		}
	}
	*f = kept
}

// broadcast wakes everybody who waits for a change. Both methods are called with
// the lock held that guards what changes.
type broadcast struct{ ch chan struct{} }

func (b *broadcast) wait() <-chan struct{} {
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) wake() {
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
