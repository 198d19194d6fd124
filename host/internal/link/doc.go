// Package link is the host's typed client to one live plug, and the only user
// of the generated Plug client in the host.
//
// Takes: a gRPC connection to a plug's process, and what the host wants of it:
// Describe, Start, Stop, Put, one stream of messages.
//
// Gives: answers that are checked and safe to keep. Every call has a deadline
// (I2); what is over a size of the contract, or breaks it in another way, is
// refused here, counted and logged, and the plug lives on. A Put always ends in
// a PutResponse: a gRPC error, whatever its code, is an uncertain outcome (O5),
// because gRPC itself makes such errors up after the network has taken the
// message.
//
// Order and bounds: answers of the stream come in the plug's order, numbered
// without gaps (O6). Nothing is queued here: the stream is read when Recv is
// called, and flow control slows the plug down meanwhile. Acknowledgements are
// one number, sent at most 200 times per second. At most one stream is open.
//
// How it stops: Quiesce ends Puts, Stop ends the plug's work, Stream.Close ends
// the stream. The only goroutine that outlives a call is the one that sends a
// stream's acknowledgements; Close waits for it.
package link
