package memory

// Log is a list of items that forgets its oldest. Positions count from 1 and are
// never used again. The zero value is empty.
type Log[T any] struct {
	items     []T
	forgotten uint64
}

// Add appends an item; if more than keep are there, the oldest are forgotten.
func (l *Log[T]) Add(item T, keep int) {
	l.items = append(l.items, item)
	// A quarter too many are copied away at once, so that an item costs little.
	if len(l.items) > keep+keep/4 {
		drop := len(l.items) - keep
		l.items = append(make([]T, 0, keep+keep/4+1), l.items[drop:]...)
		l.forgotten += uint64(drop)
	}
}

// End is the position of the last item; 0 if there never was one.
func (l *Log[T]) End() uint64 { return l.forgotten + uint64(len(l.items)) }

// Forgotten is how many items are gone: those up to this position.
func (l *Log[T]) Forgotten() uint64 { return l.forgotten }

// At returns the item at a position, if it is there.
func (l *Log[T]) At(position uint64) (item T, ok bool) {
	if position <= l.forgotten || position > l.End() {
		return item, false
	}
	return l.items[position-l.forgotten-1], true
}
