// Package host keeps plugs alive and carries messages between them.
//
// Takes: Options: which plugs to run, which channels hear each other, which hooks
// to call.
// Gives: a running host.
// Order and bounds: what this package knows alone is the order of the stages:
//
//	plug ─▶ link ─▶ intake ─▶ journal ─▶ drain ─▶ hook ─▶ journal ─▶ put ─▶ link ─▶ plug
//	                                       │                          │
//	                                       └────────── gate ──────────┘
//
// Stages don't import each other; each declares what it uses, and this package
// puts them together.
// Stops: Run when its context ends, within 20 s whatever plugs do (I2).
package host
