// Package contract knows what the contract (proto/plughost/plug/v1) asks of what a
// plug says, so that nothing leaves the plug that the host would refuse.
//
//   - Takes events and receipts as an author made them. Gives the id of an event that
//     has none, texts of valid UTF-8, sizes, and errors that name the field.
//   - Keeps no state; every function may be called at once by any number of goroutines
//     on different messages.
//   - Bounds: those of plugv1 (256 KiB, ids of 512 bytes).
//   - Stops: there is nothing to stop.
package contract
