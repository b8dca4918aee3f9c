package decimal

import (
	"math/big"
	"strings"
)

// meanDigits is the number of significant digits of a mean: as many as tell any two doubles apart.
const meanDigits = 17

// String returns plain decimal notation, every digit, no exponent, no trailing zeros: "-12.5", "0".
func (s *Sum) String() string {
	return plain(s.value())
}

// Mean returns the sum divided by n > 0, rounded half to even to 17 significant digits, in plain decimal notation.
func (s *Sum) Mean(n int64) string {
	if n <= 0 {
		panic("decimal: mean of no numbers")
	}
	num, scale := s.value()
	if num.Sign() == 0 {
		return "0"
	}
	neg := num.Sign() < 0
	num.Abs(num)
	den := new(big.Int).Mul(big.NewInt(n), pow10(scale))
	// Find the shift for which num·10^shift/den has meanDigits digits before the point.
	shift := meanDigits - (len(num.Text(10)) - len(den.Text(10)))
	quo, rem, by := new(big.Int), new(big.Int), new(big.Int)
	for {
		scaled := new(big.Int).Set(num)
		by.Set(den)
		if shift >= 0 {
			scaled.Mul(scaled, pow10(shift))
		} else {
			by.Mul(by, pow10(-shift))
		}
		quo.QuoRem(scaled, by, rem)
		if quo.Cmp(pow10(meanDigits)) < 0 {
			break
		}
		shift--
	}
	switch rem.Lsh(rem, 1).Cmp(by) {
	case 1:
		quo.Add(quo, big.NewInt(1))
	case 0:
		if quo.Bit(0) == 1 {
			quo.Add(quo, big.NewInt(1))
		}
	}
	if neg {
		quo.Neg(quo)
	}
	if shift < 0 {
		quo.Mul(quo, pow10(-shift))
		shift = 0
	}
	return plain(reduce(quo, shift))
}

// plain writes v·10^-scale, scale >= 0.
func plain(v *big.Int, scale int) string {
	text := v.Text(10)
	if scale == 0 {
		return text
	}
	var b strings.Builder
	if text[0] == '-' {
		b.WriteByte('-')
		text = text[1:]
	}
	if len(text) <= scale {
		text = strings.Repeat("0", scale-len(text)+1) + text
	}
	b.WriteString(text[:len(text)-scale])
	b.WriteByte('.')
	b.WriteString(text[len(text)-scale:])
	return b.String()
}
