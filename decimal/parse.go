package decimal

const (
	// MaxCell is the length in bytes, spaces and tabs around it not counted, above which a cell is Invalid.
	MaxCell = 1024
	// MaxExponent bounds the decimal exponent of a number's leading digit, in either direction. Zero has no exponent.
	MaxExponent = 1000

	// wordDigits and maxDigits are how many digits always fit a word and an int128: 10^19 < 2^64, 10^38 < 2^127.
	wordDigits = 19
	maxDigits  = 38
)

// number is a parsed cell: units · 10^-scale + parts · 10^-partScale, both up to 38 digits, or digits · 10^-scale where digits
// is not nil.
type number struct {
	neg       bool
	units     uint128
	scale     int
	parts     uint128
	partScale int
	digits    []byte
}

// Parse reads a cell: spaces and tabs around it are dropped; what remains is Numeric if it is
//
//	[+-]? (digits [point digits*] | point digits) ([eE] [+-]? digits)?
//
// of at most MaxCell bytes, and either zero or a number whose leading nonzero digit stands for a power of ten within
// ±MaxExponent. Nothing at all is Empty, everything else Invalid. The value is 0 unless the cell is Numeric.
func Parse(cell []byte, point byte) (Sum, Kind) {
	var s Sum
	kind := s.AddCell(cell, point)
	return s, kind
}

// Classify says what a cell holds without adding it up.
func Classify(cell []byte, point byte) Kind {
	var n number
	return n.parse(cell, point)
}

func (n *number) parse(cell []byte, point byte) Kind {
	cell = trim(cell)
	if len(cell) == 0 {
		return Empty
	}
	if len(cell) > MaxCell {
		return Invalid
	}
	first := 0
	if cell[0] == '-' || cell[0] == '+' {
		n.neg = cell[0] == '-'
		first = 1
	}
	// The mantissa, as a number as long as it is short.
	v, i := readDigits(0, cell, first)
	dot, digits, decimals := i, i-first, 0
	if i < len(cell) && cell[i] == point {
		v, i = readDigits(v, cell, i+1)
		decimals = i - dot - 1
		digits += decimals
	}
	if digits == 0 {
		return Invalid
	}
	if i == len(cell) && digits <= wordDigits {
		n.units.lo, n.scale = v, decimals
		return Numeric
	}
	exponent := 0
	if i < len(cell) {
		var ok bool
		if exponent, ok = parseExponent(cell[i:]); !ok {
			return Invalid
		}
	}
	whole, fraction := cell[first:dot], cell[i-decimals:i]
	significant := digits
	if digits > wordDigits || exponent < -MaxExponent/2 || exponent > MaxExponent/2 {
		if significant -= leadingZeros(whole, fraction); significant == 0 {
			return Numeric
		}
	}
	n.scale = decimals - exponent
	if lead := significant - 1 - n.scale; lead < -MaxExponent || lead > MaxExponent {
		return Invalid
	}
	switch {
	case digits <= wordDigits:
		n.units.lo = v
	case digits <= maxDigits:
		n.units.read(whole)
		n.units.read(fraction)
	case len(whole) <= maxDigits && len(fraction) <= maxDigits:
		n.units.read(fraction)
		n.parts.read(whole)
		n.partScale = -exponent
		return Numeric
	default:
		n.digits = append(append(make([]byte, 0, digits), whole...), fraction...)
		return Numeric
	}
	if n.scale < 0 && significant-n.scale <= maxDigits {
		n.units.scaleUp(-n.scale)
		n.scale = 0
	}
	return Numeric
}

// leadingZeros counts the zeros in front of the first other digit of two stretches of digits, one after the other.
func leadingZeros(whole, fraction []byte) int {
	zeros := 0
	for ; zeros < len(whole); zeros++ {
		if whole[zeros] != '0' {
			return zeros
		}
	}
	for _, c := range fraction {
		if c != '0' {
			break
		}
		zeros++
	}
	return zeros
}

// parseExponent reads [eE] [+-]? digits. A number too large to matter is cut: no mantissa of MaxCell digits makes up for it.
func parseExponent(b []byte) (exponent int, ok bool) {
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b = b[1:]
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		d := c - '0'
		if d > 9 {
			return 0, false
		}
		exponent = min(exponent*10+int(d), 1_000_000)
	}
	if neg {
		exponent = -exponent
	}
	return exponent, true
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
