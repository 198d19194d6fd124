// Package plug is the SDK for writing a plug in Go: a program that represents one
// external network to a plughost.
//
//   - Takes what the author's Plug does: it starts, stops, sends (Putter, Editor,
//     Deleter, Reactor and the like), picks up (Receiver, or event handlers that call
//     the Queue), and answers (package utility). Gives the host the services of the
//     contract (proto/plughost/plug/v1) over go-plugin.
//   - Order: what is queued reaches the host in the order of the calls; cursors follow
//     the events before them. Puts of one channel run one after another.
//   - Bounds: a queue of 1,024 entries or 4 MiB, twice that while a Put runs; 16,384
//     entries or 8 MiB sent and not acknowledged; MaxConcurrentPuts Puts; 64 calls of
//     the optional services. A full queue blocks the author's network task and refuses
//     new Puts; nothing is dropped but typing and read markers, which are best effort
//     both ways.
//   - Stops when the host calls Stop (running Puts, pick-up, other calls, flush, the
//     author's Stop, within the grace), shuts the process down, or is gone.
//
// Beside it: catchup joins an archive and live events, spool hands files over, utility
// has the optional services.
//
// A plug's main is one call:
//
//	func main() {
//		plug.Serve(plug.Definition{
//			Name: "file", Version: "1.0.0", Network: "File",
//			Config: Config{},
//			New:    func() plug.Plug { return &file{} },
//		})
//	}
//
// Panics in the Plug's methods are contained: in Put the outcome is Uncertain, Receive
// is run again, Start and Stop fail. The stack goes to the log. A panic in a goroutine
// that the author started ends the process, as everywhere in Go; the host starts it
// again.
//
// The process's stdout belongs to the handshake: importing this package in a program
// that a host started points fd 1 at stderr.
package plug
