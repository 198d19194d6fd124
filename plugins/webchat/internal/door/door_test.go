package door

import (
	"net"
	"strings"
	"testing"
)

func TestHostsOfAnAddress(t *testing.T) {
	d := New()
	d.ListensAt(&net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "ip6-localhost")
	if got := strings.Join(d.hosts, " "); got != "localhost:80 localhost [::1]:80 ::1 ip6-localhost:80 ip6-localhost" {
		t.Errorf("hosts are %s", got)
	}
	d = New()
	d.ListensAt(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, "192.0.2.1")
	if !d.anyHost {
		t.Error("on a network its names are not known, and yet not all are let in")
	}
}
