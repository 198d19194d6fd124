package supervisor

// Stop stops the plug in order, and keeps it stopped until Start or Restart. It
// returns at once; the status shows how it goes.
func (s *Supervisor) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.stopped = true
		close(s.halted)
	}
}

// Start ends what Stop began: the plug is started at once. One that waits, is
// held or failed is tried at once; one that runs, or is about to, goes on.
func (s *Supervisor) Start() {
	if !s.resume() {
		s.Retry()
	}
}

// resume takes back a Stop, and tells whether there was one. A life that is being
// stopped ends all the same; another follows.
func (s *Supervisor) resume() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		return false
	}
	s.stopped, s.halted = false, make(chan struct{})
	select {
	case s.again <- struct{}{}:
	default: // is asked for already
	}
	return true
}

// halt is closed while the plug is to be stopped.
func (s *Supervisor) halt() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halted
}

func (s *Supervisor) isHalted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}
