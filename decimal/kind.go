package decimal

// Kind says what a cell holds.
type Kind uint8

const (
	// Numeric: a decimal number by the grammar of Parse.
	Numeric Kind = iota
	// Empty: nothing, or only spaces and tabs.
	Empty
	// Invalid: anything else.
	Invalid
)
