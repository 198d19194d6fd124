package script

// Queue is what was decided about the next things to happen, each for a number of
// times. The zero value is empty: nothing is decided. Not safe for concurrent use.
type Queue[T any] struct {
	decided []decision[T]
}

type decision[T any] struct {
	what T
	of   string
	left int
}

// Add decides the next count things of an account, or of any if of is empty, behind
// what is decided already. A count of 0 is one; -1 is all, until the next Add.
func (q *Queue[T]) Add(what T, of string, count int) {
	if last := len(q.decided) - 1; last >= 0 && q.decided[last].left < 0 {
		q.decided = q.decided[:last]
	}
	if count == 0 {
		count = 1
	}
	q.decided = append(q.decided, decision[T]{what, of, count})
}

// Next takes what is decided about the next thing of an account; the zero value if
// nothing is.
func (q *Queue[T]) Next(of string) (what T) {
	for i := range q.decided {
		d := &q.decided[i]
		if d.of != "" && d.of != of {
			continue
		}
		what = d.what
		if d.left > 0 {
			d.left--
		}
		if d.left == 0 {
			q.decided = append(q.decided[:i], q.decided[i+1:]...)
		}
		return what
	}
	return what
}
