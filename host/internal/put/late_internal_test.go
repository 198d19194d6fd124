package put

import (
	"fmt"
	"testing"

	"github.com/plughost/plughost/host/id"
)

// D5: late word is listened for of the newest of what is parked, and of no more.
func TestListenedIsBounded(t *testing.T) {
	l := newLate()
	for i := range maxListened + 100 {
		for range 2 { // parked once and found parked again
			l.listen(id.Channel{}, id.OperationID(fmt.Sprint(i)))
		}
	}
	if len(l.parked) != maxListened || len(l.order) != maxListened || l.parked["99"] != nil || l.parked["100"] == nil {
		t.Errorf("%d are listened for, in an order of %d", len(l.parked), len(l.order))
	}
}
