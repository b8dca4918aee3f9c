package decimal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/big"
)

// The canonical encoding of a value v·10^-scale, with the smallest scale >= 0 for which v is an integer:
//
//	00                                   zero
//	01 | uvarint scale | v, big endian   positive
//	02 | uvarint scale | -v, big endian  negative
//
// It is durable (replicated log, snapshots): a change needs new first bytes.
const (
	binZero     = 0
	binPositive = 1
	binNegative = 2
)

// Bounds of what UnmarshalBinary takes; no total of cells or of AddInt128 comes near them.
const (
	maxBinaryScale = 2 * MaxScale
	maxBinaryBytes = 2 * MaxScale
)

var errBinary = errors.New("decimal: not the encoding of a sum")

// MarshalBinary returns the canonical encoding: equal values have equal bytes.
func (s Sum) MarshalBinary() ([]byte, error) {
	v, scale := s.value()
	if v.Sign() == 0 {
		return []byte{binZero}, nil
	}
	b := make([]byte, 1, 24)
	b[0] = binPositive
	if v.Sign() < 0 {
		b[0] = binNegative
	}
	b = binary.AppendUvarint(b, uint64(scale))
	return append(b, v.Bytes()...), nil
}

// UnmarshalBinary sets s to an encoded value; it refuses what MarshalBinary would not have written.
func (s *Sum) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || len(b) > maxBinaryBytes {
		return errBinary
	}
	if b[0] == binZero && len(b) == 1 {
		*s = Sum{}
		return nil
	}
	scale, n := binary.Uvarint(b[1:])
	if n <= 0 || scale > maxBinaryScale || b[0] != binPositive && b[0] != binNegative {
		return errBinary
	}
	v := new(big.Int).SetBytes(b[1+n:])
	if b[0] == binNegative {
		v.Neg(v)
	}
	t := fromBig(v, int(scale))
	if again, err := t.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
		return errBinary
	}
	*s = t
	return nil
}

// fromBig returns v·10^-scale, in a lane if it fits one, and takes v over.
func fromBig(v *big.Int, scale int) Sum {
	if scale < 0 || scale > maxLane || v.BitLen() > 126 {
		return Sum{wide: v, scale: scale}
	}
	abs := new(big.Int).Abs(v)
	lo := new(big.Int).And(abs, new(big.Int).SetUint64(1<<64-1)).Uint64()
	lane := int128{int64(abs.Rsh(abs, 64).Uint64()), lo}
	if v.Sign() < 0 {
		lane = lane.neg()
	}
	var s Sum
	*s.lane(scale) = lane
	return s
}
