package catchup

// seen holds the keys of archived items, the oldest of more than maxSeen forgotten.
type seen struct {
	keys  map[string]struct{}
	order []string
}

// add notes a key, and says whether it is new.
func (s *seen) add(key string) bool {
	if s.has(key) {
		return false
	}
	if s.keys == nil {
		s.keys = make(map[string]struct{})
	}
	s.keys[key] = struct{}{}
	if s.order = append(s.order, key); len(s.order) > maxSeen {
		delete(s.keys, s.order[0])
		s.order = s.order[1:]
	}
	return true
}

func (s *seen) has(key string) bool {
	_, ok := s.keys[key]
	return ok
}

// passes says whether a live item was archived. The first that was not is past the
// archive's end, and so are all that follow: nothing has to be remembered then.
func (s *seen) passes(key string) bool {
	if s.has(key) {
		return true
	}
	s.keys, s.order = nil, nil
	return false
}
