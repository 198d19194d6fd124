package demo

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"text/template"
)

// config is that of the demo's host: an ordinary one.
var config = template.Must(template.New("config").Parse(`version: 1
data_dir: {{printf "%q" .DataDir}}
plugs_dir: {{printf "%q" .PlugsDir}}
journal: {ballast: 16MiB} # of a directory for temporary files, perhaps in memory
plugs:
  north: {use: webchat, config: {listen: "{{index .Listen "north"}}", title: North}}
  south: {use: webchat, config: {listen: "{{index .Listen "south"}}", title: South}}
conversations:
  lobby: {members: [north/lobby, south/lobby]}
`))

// writeConfig chooses the addresses and writes the host's config.
func (d *demo) writeConfig() error {
	ports, err := freePorts(d.o.Port, len(sides))
	if err != nil {
		return err
	}
	listen := map[string]string{}
	d.addresses = map[string]string{}
	for i, side := range sides {
		listen[side] = net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[i]))
		d.addresses[side] = "http://" + listen[side] + "/"
	}
	if err := os.Mkdir(d.path("tmp"), 0o700); err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	f, err := os.OpenFile(d.path("plughost.yaml"), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the demo's config: %w", err)
	}
	err = config.Execute(f, map[string]any{"DataDir": d.path("data"), "PlugsDir": d.o.PlugsDir, "Listen": listen})
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the demo's config: %w", err)
	}
	return nil
}

// freePorts finds ports of the loopback that nobody listens on: from first on, or
// any if it is 0. The plugs take them, and keep them over every restart, so that
// the pages find them again.
func freePorts(first, n int) ([]int, error) {
	var ports []int
	for port := first; len(ports) < n; port++ {
		if first == 0 {
			port = 0
		} else if port >= first+100 {
			return nil, fmt.Errorf("no free port from %d to %d: choose another with --port", first, port-1)
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			if first == 0 {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			continue
		}
		// Held until all are found, so that none is found twice.
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
