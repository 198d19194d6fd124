// Package text works on rich text: a plugv1.Text, a list of segments with their
// formatting, as plugs and host exchange it. Its subpackages markdown and html read
// and write the mark-up of networks.
//
//   - Takes texts, strings, and what a network can carry (plugv1.Limits). Gives new
//     texts and strings; what it is given it never changes, but a result may share
//     segments with it, so treat both as read only.
//   - Order: segments stay in reading order; no character is lost but those that a
//     function says it leaves out. Bounds: time and memory grow with the length of
//     what is given; a link has at most MaxLinkBytes.
//   - Stops when it returns: pure functions, no goroutines, no state. All may be called
//     at once.
//
// A plug that renders for itself splits with the length of what it will really send:
//
//	parts := text.SplitRendered(content, prefix, limits, markdown.Format{}.Render)
//
// # Mentions
//
// Only a segment with Mention or MassMention may notify anyone, and nothing in this
// package makes one out of characters. The other way round, a network looks for
// mentions in the very characters it is sent ("@everyone", "<!channel>", a nick): for
// such a network a plug makes plain text Inert before it sends it.
package text
