// Package subject says under which subjects the journal's records are kept: which kinds
// there are, which of them the log and which the map holds, and how networks, channels
// and ids become a subject's tokens.
//
// It is part of the stored format: what is changed here no longer finds what was stored.
package subject
