package proof

// crashed is told that a process ended by itself, before the Puts that run on it are cut
// off: what was under way or uncertain then is suspected.
func (w *witness) crashed(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range w.operations {
		if n := len(op.attempts); n > 0 && op.settled == nil {
			if last := op.attempts[n-1]; last.process == p && (last.state == running || last.state == uncertain) {
				op.suspect, w.suspects[op] = last, true
			}
		}
	}
}

// suspected tells whether an operation may run only alone, as far as this life of the
// host must know.
func (w *witness) suspected(op *operation) bool {
	begun := op.suspect // what was running may have turned out not to be sent
	return op.settled == nil && (begun != nil && begun.life == w.life && begun.state == uncertain || op.record.GetCrashes() > 0)
}

// checkAlone checks that nothing runs beside what is suspected (D4).
func (w *witness) checkAlone(n *netState, a *attempt) {
	a.alone = w.suspected(a.operation)
	for other := range n.running {
		if a.process.isDead() {
			break // nothing runs there; the host was not told yet
		}
		if other.process == a.process && (a.alone || other.alone) {
			w.breachLocked("D4", "attempt %d of %s beside attempt %d of %s, though the plug crashed of one of them", a.number, a.id, other.number, other.id)
		}
	}
	n.running[a] = true
}

// notAlone is told that an attempt ended. While anything is suspected, whatever runs may
// have kept it waiting, and everything else behind it (O7).
func (w *witness) notAlone(n *netState, a *attempt) {
	delete(n.running, a)
	for op := range w.suspects {
		if op.channel.Network == a.channel.Network && w.suspected(op) {
			n.alone = a.ended
		}
	}
}
