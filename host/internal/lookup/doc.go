// Package lookup asks plugs about their networks: people, channels, history.
//
// Takes: the calls of hooks and of the API.
// Gives: what the plug answers, checked by the link, and of history the origin.
// Order and bounds: calls are independent of each other and of Puts; each has the
// link's deadline; nothing is queued or tried again.
// Stops: nothing runs here; calls end with their context or with the plug.
package lookup
