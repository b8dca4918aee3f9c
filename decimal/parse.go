package decimal

import "math/bits"

const (
	// MaxCell is the length in bytes, spaces and tabs around it not counted, above which a cell is Invalid.
	MaxCell = 1024
	// MaxExponent bounds the decimal exponent of a number's leading digit, in either direction. Zero has no exponent.
	MaxExponent = 1000

	// maxDigits is how many significant digits always fit an int128: 10^38 < 2^127.
	maxDigits = 38
)

// number is a parsed cell: (hi·2^64 + lo) · 10^-scale, or digits · 10^-scale where digits is not nil.
type number struct {
	neg    bool
	hi, lo uint64
	scale  int
	digits []byte
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
	i := 0
	if cell[0] == '-' || cell[0] == '+' {
		n.neg = cell[0] == '-'
		i = 1
	}
	// The mantissa as long as it is short; significant counts its digits from the first that is not 0.
	first := i
	dot := -1
	significant := 0
	var lo uint64
	for ; i < len(cell); i++ {
		d := cell[i] - '0'
		if d > 9 {
			if cell[i] != point || dot >= 0 {
				break
			}
			dot = i
			continue
		}
		if significant > 0 || d != 0 {
			significant++
		}
		if significant <= 19 {
			lo = lo*10 + uint64(d)
		}
	}
	end := i // of the mantissa
	decimals, digits := 0, end-first
	if dot >= 0 {
		decimals = end - dot - 1
		digits--
	}
	if digits == 0 {
		return Invalid
	}
	exponent := 0
	if i < len(cell) {
		var ok bool
		if exponent, ok = parseExponent(cell[i:]); !ok {
			return Invalid
		}
	}
	if significant == 0 {
		return Numeric
	}
	n.scale = decimals - exponent
	if lead := significant - 1 - n.scale; lead < -MaxExponent || lead > MaxExponent {
		return Invalid
	}
	if significant <= 19 {
		n.lo = lo
	} else {
		n.long(cell[first:end], point, significant)
	}
	if n.scale < 0 && n.digits == nil && significant-n.scale <= maxDigits {
		for ; n.scale < 0; n.scale++ {
			n.mul10add(0)
		}
	}
	return Numeric
}

// long takes a mantissa of more than 19 significant digits: into 128 bits, or as text.
func (n *number) long(mantissa []byte, point byte, significant int) {
	if significant <= maxDigits {
		for _, c := range mantissa {
			if c != point {
				n.mul10add(uint64(c - '0'))
			}
		}
		return
	}
	n.digits = make([]byte, 0, len(mantissa))
	for _, c := range mantissa {
		if c != point {
			n.digits = append(n.digits, c)
		}
	}
}

func (n *number) mul10add(d uint64) {
	over, lo := bits.Mul64(n.lo, 10)
	lo, carry := bits.Add64(lo, d, 0)
	n.hi, n.lo = n.hi*10+over+carry, lo
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
