//go:build !race

package proof

import "testing"

// oneThread is for the race detector only.
func oneThread(*testing.T) {}
