package fsm

// Key returns what a Submit with this key and hash would answer without creating anything: OK and the id of the work that the
// key belongs to, or Conflict for another request's key. ok is false for a key that is not known.
func (f *FSM) Key(key string, hash []byte) (r Response, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	w := f.state.keys[key]
	if key == "" || w == nil {
		return Response{}, false
	}
	return answer(w, hash), true
}
