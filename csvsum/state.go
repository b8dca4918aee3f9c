package csvsum

// State is a state of the record automaton, taken before a byte of the file.
type State uint8

const (
	// RecordStart: a record, a comment line or a blank line begins here.
	RecordStart State = iota
	// FieldStart: after a delimiter.
	FieldStart
	// Unquoted: within a field that did not open with a quote, or after text that follows a closing quote.
	Unquoted
	// Quoted: within quotes.
	Quoted
	// QuoteInQuoted: after a quote within quotes; it closes the field or is the first half of a doubled quote.
	QuoteInQuoted
	// AfterCR: in NewlineCR files, after a CR that ended a record; a following LF belongs to it.
	AfterCR
	// Comment: within a comment line.
	Comment

	// NumStates is the number of states above.
	NumStates = 7
	// Unknown stands for a state nobody knows: a task without a given start state, an end state that was not computed.
	Unknown State = 0xff
)
