// Package mqtttest is the world of the MQTT plug, for tests: a mosquitto that can be
// restarted, and a proxy in front of it that is the network's bad days.
//
// Takes: a directory, an address.
// Gives: the broker's address, and a proxy's that can be cut, refuse or hold back.
// Order and bounds: a proxy keeps what it holds back of each connection to 4 KiB.
// Stops: Close, which waits.
package mqtttest
