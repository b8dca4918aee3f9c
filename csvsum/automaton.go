package csvsum

// class is what a byte means to the automaton.
type class uint8

const (
	other   class = iota // everything else
	delim                // the delimiter
	quote                // the quote byte
	lf                   // "\n"
	cr                   // "\r"
	comment              // the comment byte

	numClasses = 6
)

// step is what a byte does to the automaton: the state after it, and whether it ends a field or a record.
type step struct {
	next State
	mark mark
}

// mark says what a byte ends.
type mark uint8

const (
	nothing     mark = iota
	endOfField       // a delimiter outside quotes
	endOfRecord      // a newline outside quotes; in comment lines too
)

// table is the specification of how a file falls into records and fields: table[state][class]. Everything faster must agree.
type table [NumStates][numClasses]step

// tables by Newline. In NewlineLF files a CR is data wherever it stands; that one CR directly before the LF of a record
// end belongs to it is a matter of the field's content, not of the states. A comment byte counts only where a record begins.
var tables = [2]table{
	NewlineLF: makeTable(NewlineLF),
	NewlineCR: makeTable(NewlineCR),
}

func makeTable(nl Newline) table {
	var t table
	// Outside quotes a field goes on, ends, or ends the record.
	outside := func(s State) {
		t[s] = [numClasses]step{
			other:   {Unquoted, nothing},
			delim:   {FieldStart, endOfField},
			quote:   {Unquoted, nothing},
			lf:      {RecordStart, endOfRecord},
			cr:      {Unquoted, nothing},
			comment: {Unquoted, nothing},
		}
		if nl == NewlineCR {
			t[s][lf] = step{Unquoted, nothing}
			t[s][cr] = step{AfterCR, endOfRecord}
		}
	}
	for _, s := range []State{RecordStart, FieldStart, Unquoted, QuoteInQuoted, AfterCR} {
		outside(s)
	}
	// Only at its start can a field open with a quote, and a record be a comment.
	for _, s := range []State{RecordStart, FieldStart, AfterCR} {
		t[s][quote] = step{Quoted, nothing}
	}
	for _, s := range []State{RecordStart, AfterCR} {
		t[s][comment] = step{Comment, nothing}
	}
	// After a quote within quotes: a second one is a quote character, anything else goes on unquoted.
	t[QuoteInQuoted][quote] = step{Quoted, nothing}
	// The LF of a CRLF that ended a record. In NewlineLF files AfterCR never comes about; there it is like RecordStart.
	if nl == NewlineCR {
		t[AfterCR][lf] = step{RecordStart, nothing}
	}
	for c := range t[Quoted] {
		t[Quoted][c] = step{Quoted, nothing}
		t[Comment][c] = step{Comment, nothing}
	}
	t[Quoted][quote] = step{QuoteInQuoted, nothing}
	t[Comment][lf] = t[Unquoted][lf]
	t[Comment][cr] = t[Unquoted][cr]
	if nl == NewlineLF {
		t[Comment][cr] = step{Comment, nothing}
	} else {
		t[Comment][lf] = step{Comment, nothing}
	}
	return t
}

// automaton is the table with the bytes of one dialect.
type automaton struct {
	table   *table
	classes [256]class
	marks   [256]uint8 // markEnd for the delimiter and newline, markOther for the quote and the comment byte
	newline byte       // '\n' or '\r'
	delim   byte
	quote   byte // 0 for none
	comment byte // 0 for none
	pad     byte // none of delim, newline, quote and comment
	quotes  bool // the last piece that a vector kernel indexed held quotes
	literal bool // the last piece that a vector kernel indexed held quotes that were text
	mixed   bool // the portable kernel has met bytes below ceiling that end nothing
	tail    [64]byte
	masks   [maskBlocks]masks
}

func newAutomaton(d *Dialect) *automaton {
	a := &automaton{table: &tables[d.Newline], newline: '\n', delim: d.Delimiter, quote: d.Quote, comment: d.Comment}
	if d.Newline == NewlineCR {
		a.newline = '\r'
	}
	for a.pad == a.delim || a.pad == a.newline || a.pad == a.quote || a.pad == a.comment {
		a.pad++
	}
	if d.Quote != 0 {
		a.classes[d.Quote] = quote
		a.marks[d.Quote] = markOther
	}
	if d.Comment != 0 {
		a.classes[d.Comment] = comment
		a.marks[d.Comment] = markOther
	}
	a.marks[a.newline], a.marks[a.delim] = markEnd, markEnd
	a.classes['\n'] = lf
	a.classes['\r'] = cr
	a.classes[d.Delimiter] = delim
	return a
}

// run takes src from state s on. It appends the positions of the bytes that end a field or a record, plus base, to dst,
// which must have room for len(src) more. It returns dst, how many of the new positions end records, and the state after src.
func (a *automaton) run(dst []uint32, src []byte, base uint32, s State) ([]uint32, int, State) {
	records := 0
	n := len(dst)
	dst = dst[:n+len(src)]
	for i, c := range src {
		st := a.table[s][a.classes[c]]
		s = st.next
		if st.mark != nothing {
			dst[n] = base + uint32(i)
			n++
			if st.mark == endOfRecord {
				records++
			}
		}
	}
	return dst[:n], records, s
}

// end returns the state after src from state s on.
func (a *automaton) end(src []byte, s State) State {
	for _, c := range src {
		s = a.table[s][a.classes[c]].next
	}
	return s
}

// between reports whether no record is under way in state s.
func between(s State) bool { return s == RecordStart || s == AfterCR || s == Comment }
