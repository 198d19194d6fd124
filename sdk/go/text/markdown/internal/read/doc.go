// Package read makes segments of the syntax tree that goldmark makes of Markdown.
//
//   - Takes Markdown without control characters; gives segments, not yet joined.
//   - Order: segments are in reading order. Bounds: MaxBytes, and what limits.go says.
//   - Stops when it returns: no goroutines, no state but a parser that all share; all
//     may be called at once.
package read
