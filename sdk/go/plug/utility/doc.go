// Package utility serves what hooks and external code ask a network beside messages:
// its users, its channels, and what it keeps. All of it is optional; a Plug has what
// its type implements of the interfaces here.
//
//   - Takes a Plug and calls of the services Users, Channels and History. Gives the
//     contract's answers, and the names of the services that there is something of.
//   - Order: calls come between Start and Stop, at any time and at once. Their context
//     ends with the host's deadline (10 s for Users, else 30 s), and at Stop.
//   - Bounds: 64 calls at once over all; a list has at most what was asked for.
//   - Stops when the plug stops: the contexts end, and new calls are refused.
//
// Every method answers an error that says what happened: NotFound, Denied, or
// errors.ErrUnsupported for a call that makes no sense on this network. Any other
// error, also a panic, says that the plug could not find out; nothing is retried. An
// error's words are for a person: authors keep secrets out of them.
package utility
