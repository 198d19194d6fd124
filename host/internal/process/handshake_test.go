package process

import (
	"bufio"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func handshakeOf(line string) (string, error) {
	return readHandshake(bufio.NewReaderSize(strings.NewReader(line), maxHandshake), "/run/p1")
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"1|1|unix|/run/p1/s|grpc\n",
		"1|1|unix|/run/p1/s|grpc|\n",
		"1|1|unix|/run/p1/s|grpc|" + strings.Repeat("QUJD", 100) + "|true\n",
		" 1|1|unix|/run/p1/s|grpc\r\n",
		"1|1|unix|/run/p1/s|grpc", // and stdout ends
	} {
		if address, err := handshakeOf(line); err != nil || address != "/run/p1/s" {
			t.Errorf("%q: %q, %v", line, address, err)
		}
	}
}

// Whatever a plug prints: an accepted address is one in its directory, and the
// line that go-plugin gets has five fields.
func FuzzHandshake(f *testing.F) {
	for _, line := range []string{
		"", "\n", "1|1|unix|/run/p1/s|grpc\n", "1|1|unix|/run/p1/../s|grpc\n", "1|1|unix|/run/p1/|grpc\n", "1|1|tcp|1.2.3.4:5|grpc|x\n",
		"1|1|unix|/run/p1/" + strings.Repeat("x", 200) + "|grpc\n", strings.Repeat("|", 5000),
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		address, err := handshakeOf(line)
		if err != nil {
			return
		}
		if filepath.Dir(address) != "/run/p1" || len(address) > maxSocketPath {
			t.Errorf("accepted %q", address)
		}
		clean := cleanHandshake(address)
		if strings.Count(clean, "|") != 4 || strings.Count(clean, "\n") != 1 {
			t.Errorf("go-plugin gets %q", clean)
		}
	})
}

func TestEnvironment(t *testing.T) { // I4
	t.Parallel()
	got := environment(
		[]string{"PATH=/bin", "HOME=/root", "AWS_SECRET=x", "LC_ALL=C", "LCD=x", "TMPDIR=/t", "SSL_CERT_FILE=/c", "=x", ""},
		[]string{"HOME=/h", "GRPC_TRACE=all", "A=b=c"},
		[]string{"COOKIE=1", "PLUGIN_UNIX_SOCKET_DIR=/long"}, "/run/p1")
	want := []string{
		"PATH=/bin", "LC_ALL=C", "SSL_CERT_FILE=/c", "HOME=/run/p1", "TMPDIR=/run/p1/tmp",
		"HOME=/h", "A=b=c", "COOKIE=1", "PLUGIN_UNIX_SOCKET_DIR=/long", "PLUGIN_UNIX_SOCKET_DIR=/run/p1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
