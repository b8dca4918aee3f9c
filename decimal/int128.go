package decimal

import (
	"math"
	"math/big"
	"math/bits"
	"sync/atomic"
)

// int128 is the two's complement integer hi·2^64 + lo.
type int128 struct {
	hi int64
	lo uint64
}

// add returns a + b, and whether that did not fit.
func (a int128) add(b int128) (sum int128, overflow bool) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	sum = int128{int64(hi), lo}
	return sum, (a.hi < 0) == (b.hi < 0) && (sum.hi < 0) != (a.hi < 0)
}

// neg returns -a; the most negative value stays as it is.
func (a int128) neg() int128 {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.hi), borrow)
	return int128{int64(hi), lo}
}

// timesTen returns a·10^n, and whether that fits.
func (a int128) timesTen(n int) (product int128, ok bool) {
	const most = math.MaxInt64/10 - 1 // 10·(most+1) < 2^63
	for ; n > 0; n-- {
		if a.hi < -most || a.hi > most {
			return a, a == int128{}
		}
		over, lo := bits.Mul64(a.lo, 10)
		a = int128{a.hi*10 + int64(over), lo}
	}
	return a, true
}

func (a int128) big() *big.Int {
	v := big.NewInt(a.hi)
	v.Lsh(v, 64)
	return v.Add(v, new(big.Int).SetUint64(a.lo))
}

// powers caches powers of ten; all of them together take about 3.5 MiB at most.
var powers [MaxScale]atomic.Pointer[big.Int]

// pow10 returns 10^n, to be read only.
func pow10(n int) *big.Int {
	if n < len(powers) {
		if p := powers[n].Load(); p != nil {
			return p
		}
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	if n < len(powers) {
		powers[n].Store(p)
	}
	return p
}
