package csvsum

// lookBack and lookAhead are how many bytes before and after a cut the guess of its state looks at: some records of
// usual length. A wrong guess costs a second scan of one task, never truth.
const (
	lookBack  = 4 << 10
	lookAhead = 4 << 10
)

// guess returns the likely state before window[at]. fromStart says that the window begins at the start of the data: then
// the answer is certain.
func (a *automaton) guess(window []byte, at int, fromStart bool) State {
	if fromStart {
		return a.end(window[:at], RecordStart)
	}
	// Either the window begins outside quotes or inside. Quotes stand in odd places if one takes the wrong one for granted.
	s, odd := a.trial(window, at, Unquoted)
	if a.quote == 0 {
		return s
	}
	if inside, oddInside := a.trial(window, at, Quoted); oddInside < odd {
		return inside
	}
	return s
}

// trial runs the automaton over the window from state s on. It returns the state before window[at] and counts quotes within
// unquoted text and text after closing quotes, neither of which a well-formed file has.
func (a *automaton) trial(window []byte, at int, s State) (before State, odd int) {
	before = s
	for i, c := range window {
		if i == at {
			before = s
		}
		cl := a.classes[c]
		if s == Unquoted && cl == quote || s == QuoteInQuoted && (cl == other || cl == comment) {
			odd++
		}
		s = a.table[s][cl].next
	}
	if at == len(window) {
		before = s
	}
	return before, odd
}

// tracks follows the automaton from start states other than the assumed one, for Partial.Ends. Without a comment byte it is
// cheap: bytes other than quotes take every state outside quotes to the same one, and leave Quoted as it is.
type tracks struct {
	on  bool
	now [NumStates]State
}

func newTracks(d *Dialect, assumed State) tracks {
	t := tracks{on: d.Comment == 0}
	for s := range t.now {
		t.now[s] = State(s)
	}
	// States that this dialect never reaches need no answer.
	t.now[Comment] = Unknown
	if d.Newline == NewlineLF {
		t.now[AfterCR] = Unknown
	}
	if d.Quote == 0 {
		t.now[Quoted], t.now[QuoteInQuoted] = Unknown, Unknown
	}
	t.now[assumed] = Unknown // the scan itself knows
	return t
}

// advance takes src, which the scan itself went through from state from to state to; other is what k.index said.
func (t *tracks) advance(a *automaton, k *kernel, scratch []uint32, src []byte, from, to, other State) {
	if !t.on || len(src) == 0 {
		return
	}
	var ends [NumStates]State
	for s := range ends {
		ends[s] = Unknown
	}
	ends[from] = to
	// Without comments, two states differ only in being within quotes or not, unless the first byte is a quote, or the LF of
	// a CRLF.
	known := k.both && src[0] != a.quote && (a.newline == '\n' || src[0] != '\n')
	for s, now := range t.now {
		if now == Unknown {
			continue
		}
		if ends[now] == Unknown {
			switch {
			case !known:
				_, _, ends[now], _ = k.index(a, scratch[:0], src, 0, now)
			case now != Quoted && from != Quoted:
				ends[now] = to
			default:
				ends[now] = other
			}
		}
		t.now[s] = ends[now]
	}
}
