// Package broker is one connection to an MQTT 5 broker, over paho.golang.
//
// Takes: an address and credentials; topics to subscribe to, messages to publish, and
// the word that a message which came has been dealt with.
//
// Gives: the messages that come, in order; for each publish what is certain of it; the
// end of the connection, with the reason.
//
// Order and bounds: messages of QoS 1 are acknowledged in the order in which they came,
// and only after Options.Flush has returned for a call that began after Done; one
// Flush covers all that were done until then. At most ReceiveMaximum of them are
// unacknowledged, none larger than MaxPacket. Messages of QoS 0 are dropped, and
// counted, while as many wait to be read: so nothing that waits ever keeps answers to
// publishes, acknowledgements and pings from being read.
//
// How it stops: by itself when the network or the broker ends it (Ended), or by Close,
// which waits for its goroutines. It never connects again: the next connection is
// another Conn, and brings nothing with it. So nothing is published a second time, and
// nothing after Publish has returned, which MQTT's own session (section 4.4) would do.
package broker
