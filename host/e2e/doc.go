// Package e2e drives the whole of plughost as its users do: a real browser, people's
// WebSockets and MQTT devices on two webchats and a mosquitto, bridged by a real host,
// with plugs and host killed in between. Its tests need Chromium, Node and mosquitto
// (make deps) and the binaries (make build); they run with -tags e2e, as make e2e does.
// Screenshots of what they see go to bin/shots, or where SCREENSHOTS says.
package e2e
