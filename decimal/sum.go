package decimal

// Sum is an exact total of decimal numbers. The zero value is the number 0, ready for use.
type Sum struct{ stub string }

// AddCell parses cell and adds it, with point as the decimal sign. It reports what the cell was; unless that is Numeric,
// the sum is unchanged.
func (s *Sum) AddCell(cell []byte, point byte) Kind { panic("stub") }

// AddInt128 adds (hi·2^64 + lo) · 10^-scale, hi:lo being a two's complement 128-bit integer.
func (s *Sum) AddInt128(hi int64, lo uint64, scale int) { panic("stub") }

// Add adds t to s and leaves t as it is.
func (s *Sum) Add(t *Sum) { panic("stub") }

// String returns plain decimal notation, every digit, no exponent, no trailing zeros: "-12.5", "0".
func (s *Sum) String() string { panic("stub") }

// Mean returns the sum divided by n > 0, rounded half to even to 17 significant digits, in plain decimal notation.
func (s *Sum) Mean(n int64) string { panic("stub") }

// MarshalBinary returns the canonical encoding: equal values have equal bytes.
func (s Sum) MarshalBinary() ([]byte, error) { panic("stub") }

// UnmarshalBinary sets s to an encoded value; it refuses what MarshalBinary would not have written.
func (s *Sum) UnmarshalBinary(b []byte) error { panic("stub") }
