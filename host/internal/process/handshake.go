package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"

	plugv1 "github.com/plughost/plughost/proto/plughost/plug/v1"
)

const (
	// maxHandshake bounds the first line of stdout, in bytes.
	maxHandshake = 4 << 10
	// maxSocketPath is the longest path of a unix socket on Linux, unix(7): 108
	// bytes with the final NUL.
	maxSocketPath = 107
)

// errNoHandshake says that stdout ended before a first line.
var errNoHandshake = errors.New("stdout ended without a handshake line")

// readHandshake reads the first line that a plug writes to stdout, which is
//
//	core version | contract version | network | address | protocol [ | certificate …]
//
// and returns the address, a path directly in dir. A certificate is left out
// (fault 2): transport security is not in use, and go-plugin would fall over it.
func readHandshake(stdout *bufio.Reader, dir string) (address string, err error) {
	raw, err := stdout.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("first line on stdout is longer than %d bytes: nothing may be printed before the handshake", stdout.Size())
	case err != nil && len(raw) == 0:
		return "", errNoHandshake
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("read handshake: %w", err)
	}
	line := strings.TrimSpace(string(raw))
	f := strings.Split(line, "|")
	if len(f) < 5 {
		return "", fmt.Errorf("first line on stdout is not a handshake: %.200q: nothing may be printed before it", line)
	}
	if f[0] != strconv.Itoa(plugin.CoreProtocolVersion) {
		return "", fmt.Errorf("handshake has core version %.20q, the host knows %d: build the plug with an SDK that fits this host", f[0], plugin.CoreProtocolVersion)
	}
	if f[1] != strconv.Itoa(plugv1.ProtocolVersion) {
		return "", fmt.Errorf("plug speaks version %.20q of the contract, the host version %d: update the older of the two", f[1], plugv1.ProtocolVersion)
	}
	if plugin.Protocol(f[4]) != plugin.ProtocolGRPC {
		return "", fmt.Errorf("plug speaks protocol %.20q, the host %q", f[4], plugin.ProtocolGRPC)
	}
	address = f[3]
	if f[2] != "unix" || filepath.Dir(address) != dir || filepath.Clean(address) != address {
		return "", fmt.Errorf("plug listens at %.20q %.200q: it must be a unix socket in %s (the directory in %s)", f[2], address, dir, plugin.EnvUnixSocketDir)
	}
	if len(address) > maxSocketPath {
		return "", fmt.Errorf("path of the plug's socket has %d bytes, at most %d are allowed: %.200q", len(address), maxSocketPath, address)
	}
	return address, nil
}

// cleanHandshake is the line that go-plugin is given instead of the plug's own.
func cleanHandshake(address string) string {
	return fmt.Sprintf("%d|%d|unix|%s|%s\n", plugin.CoreProtocolVersion, plugv1.ProtocolVersion, address, plugin.ProtocolGRPC)
}
