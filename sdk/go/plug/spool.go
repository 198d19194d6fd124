package plug

import "github.com/plughost/plughost/sdk/go/plug/spool"

// Spool gives the session's spool: files for events are written by its Create and
// Commit, those of a Put are read by its Open.
func (s *Session) Spool() *spool.Spool { return spool.New(s.SpoolDir) }
