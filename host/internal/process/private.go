package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-plugin"
)

// socketNameRoom is what is left of a socket's path for its name, in bytes;
// go-plugin's own server makes "/plugin" and up to ten digits.
const socketNameRoom = 24

// makeDir makes a plug's private directory in parent: 0700, with a "tmp" inside,
// and short enough for the path of a socket (fault 15).
func makeDir(parent string) (dir string, err error) {
	// Without links, the address in the handshake can be compared as text.
	if parent, err = filepath.Abs(parent); err == nil {
		parent, err = filepath.EvalSymlinks(parent)
	}
	if err != nil {
		return "", fmt.Errorf("run directory: %w", err)
	}
	dir, err = os.MkdirTemp(parent, "p")
	if err != nil {
		return "", fmt.Errorf("make private directory: %w", err)
	}
	if over := len(dir) - (maxSocketPath - socketNameRoom); over > 0 {
		os.Remove(dir)
		return "", fmt.Errorf("run directory %q is %d bytes too long for a unix socket: choose a shorter one", parent, over)
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		os.Remove(dir)
		return "", fmt.Errorf("make private directory: %w", err)
	}
	return dir, nil
}

// inherited says whether a plug may see a variable of the host's environment
// (I4, fault 9). All else of the host's is kept from it.
func inherited(name string) bool {
	switch name {
	case "PATH", "LANG", "TZ":
		return true
	}
	return strings.HasPrefix(name, "LC_") || strings.HasPrefix(name, "SSL_CERT_")
}

// environment makes a plug's environment; of two values for one name the later
// is used. Handshake holds go-plugin's variables.
func environment(host, own, handshake []string, dir string) []string {
	var env []string
	for _, v := range host {
		if name, _, _ := strings.Cut(v, "="); inherited(name) {
			env = append(env, v)
		}
	}
	env = append(env, "HOME="+dir, "TMPDIR="+filepath.Join(dir, "tmp"))
	for _, v := range own {
		// gRPC's debug output floods stderr.
		if !strings.HasPrefix(v, "GRPC_") {
			env = append(env, v)
		}
	}
	env = append(env, handshake...)
	return append(env, plugin.EnvUnixSocketDir+"="+dir)
}
