package main

import (
	"testing"

	"github.com/plughost/plughost/plugins/mqtt/mqtttest"
)

// proxy stands between the plug and the broker, and is the network's bad days.
type proxy struct{ *mqtttest.Proxy }

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p, err := mqtttest.StartProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &proxy{p}
}

func (p *proxy) url() string { return "mqtt://" + p.Address() }
