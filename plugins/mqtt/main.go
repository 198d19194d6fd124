// Command mqtt is the plug for MQTT 5: topics as channels. README.md says what an
// operator needs.
//
// Takes: from the host, what the contract (proto/plughost/plug/v1) asks a plug; from a
// broker, what is published to the topics in use.
//
// Gives: a message event for each, acknowledged to the broker once the host has it in its
// journal; a publish for every Put, with the broker's own acknowledgement as its receipt.
//
// Order and bounds: a topic's messages go out in the order in which the broker sends them.
// Package broker says what bounds one connection, package memory what is kept on the disk.
//
// How it stops: Receive ends first, then what the host has is acknowledged, then the
// connection closes; the broker keeps the session.
package main

import "github.com/plughost/plughost/sdk/go/plug"

func main() { plug.Serve(definition) }
