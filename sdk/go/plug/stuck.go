package plug

import "time"

// stuckAfter is how long after its deadline a Put may go on running. Nothing but the end
// of the process ends it then, and until it ends nothing else can be put into its channel.
const stuckAfter = time.Minute

// watchStuck ends the process if the Put of a channel is still running stuckAfter its
// deadline; the host starts the plug again. The caller calls ended when it isn't.
func (s *server) watchStuck(channel string, deadline time.Time) (ended func()) {
	timer := time.AfterFunc(time.Until(deadline)+stuckAfter, func() {
		s.log.Error("a put does not return, long after its deadline; the process ends, with the stacks of all goroutines on stderr",
			"channel", channel, "deadline", deadline)
		if s.abort != nil {
			s.abort()
		}
	})
	return func() { timer.Stop() }
}
