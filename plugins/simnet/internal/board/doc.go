// Package board is what stands in the channels of the network now.
//
// Takes messages, and what is done to them; gives a verdict on whether that can be
// done, and what it led to. It acts at once and starts nothing; it is not safe for
// concurrent use. Bounds: the newest Keep messages over all channels; an older one is
// gone for whoever names it.
package board
