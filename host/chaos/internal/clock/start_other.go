//go:build !(linux && (amd64 || arm64))

package clock

import (
	"fmt"
	"os/exec"
	"runtime"
)

// Start says that it can't be.
func (c *Clock) Start(*exec.Cmd) (wait func() error, err error) { return nil, Possible() }

// Possible tells why this process can give no program a clock.
func Possible() error {
	return fmt.Errorf("no clock of its own is possible here: it takes Linux on amd64 or arm64, this is %s on %s", runtime.GOOS, runtime.GOARCH)
}
