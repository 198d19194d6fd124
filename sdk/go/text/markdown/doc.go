// Package markdown reads and writes Markdown: CommonMark 0.31 with strikethrough (as in
// GitHub Flavored Markdown), without raw HTML and link reference definitions, which chat
// networks don't have.
//
//   - Takes Markdown from a network and gives a text; takes a text and gives Markdown.
//   - Order: segments are in reading order. Bounds: time and memory grow with the length
//     of what is given; quotes and lists show at most 8 levels; what is longer than
//     MaxBytes, or made of brackets or nested quotes, is taken as plain text.
//   - Stops when it returns: no goroutines, no state but a parser that all share; all
//     may be called at once.
//
// What Parse makes of what Render made is the same text, normalised, as far as Markdown
// can say it. It can't say these, and Render leaves them out: underlining (but on
// Discord), formatting of blanks and line feeds and within a preformatted block,
// blanks at the end of a line, blank lines at both ends and a second one in a row.
// Where Markdown's rules don't let a formatting begin or end, between a letter and a
// punctuation mark say, the formatting is left out and the characters stay: Render reads
// back what it wrote, so no formatting ever appears that was not there.
package markdown
