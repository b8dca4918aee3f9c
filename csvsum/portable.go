package csvsum

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// The portable kernel takes eight bytes at a time as a word, a byte in each of eight lanes (SWAR), and makes masks of 64.

const (
	each = 0x0101010101010101 // one in every lane
	high = each << 7          // the top bit of every lane
	low  = each * 0x7f
)

// ceiling is above all bytes that structure a file in the usual dialects, "\n", "\r", tab, `"`, "'" and ",", and below all
// that numbers consist of, save "+".
const ceiling = '-'

// indexPortable is kernel.index.
func indexPortable(a *automaton, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, end, other State) {
	switch {
	case !a.masked(src):
		out, records, end = a.run(dst, src, base, s)
		return out, records, end, Unknown
	case s != Comment && s != Quoted && !a.mixed:
		if out, records, ok := a.numbers(dst, src, base); ok {
			return out, records, a.outside(src), Quoted
		}
		a.mixed = true // and so will what follows be
	}
	if s == Comment || a.comment != 0 && bytes.IndexByte(src, a.comment) >= 0 || a.quote != 0 && bytes.IndexByte(src, a.quote) >= 0 {
		return a.resolve(masker{masksPortable, flattenMasks}, dst, src, base, s)
	}
	if s == Quoted {
		return dst, 0, Quoted, a.outside(src)
	}
	n := len(dst)
	n += exactly(dst[n:n+len(src)+indexSlack], src, base, a.delim, a.newline)
	return dst[:n], bytes.Count(src, []byte{a.newline}), a.outside(src), Quoted
}

// numbers indexes src, entered outside quotes, if it holds neither quotes nor comment bytes, nor many other bytes below
// ceiling than delimiters and newlines: most files of numbers, with times or CRs here and there.
func (a *automaton) numbers(dst []uint32, src []byte, base uint32) (out []uint32, records int, ok bool) {
	if max(a.delim, a.newline, a.quote, a.comment) >= ceiling {
		return dst, 0, false
	}
	n := len(dst)
	records = bytes.Count(src, []byte{a.newline})
	ends := records + bytes.Count(src, []byte{a.delim})
	low := dst[n : n+len(src)+indexSlack]
	if found := below(low, src, base); found != ends {
		if found > 2*ends || !a.onlyEnds(low[:found], src, base) {
			return dst, 0, false
		}
	}
	return dst[:n+ends], records, true
}

// What automaton.marks holds.
const (
	markEnd   = 1
	markOther = 2
)

// onlyEnds moves the positions of delimiters and newlines to the front of pos, which lists all bytes of src below ceiling. It
// returns false if there are quotes or comment bytes among these.
func (a *automaton) onlyEnds(pos []uint32, src []byte, base uint32) bool {
	n, met := 0, uint8(0)
	for _, p := range pos {
		k := a.marks[src[p-base]]
		met |= k
		pos[n] = p
		n += int(k & markEnd)
	}
	return met&markOther == 0
}

// masked reports whether masks tell all about src. They do not know that an LF after a CR belongs to it, which only matters
// in files that have a CR and no LF in their first MiB.
func (a *automaton) masked(src []byte) bool {
	return len(src) > 0 && (a.newline == '\n' || bytes.IndexByte(src, '\n') < 0)
}

// outside returns the state after src, which is not empty, for who leaves it outside quotes and comments.
func (a *automaton) outside(src []byte) State {
	if c := src[len(src)-1]; c != a.quote || a.quote == 0 {
		return a.table[Unquoted][a.classes[c]].next
	}
	return QuoteInQuoted
}

// below writes the position of every byte of src below ceiling to dst, which is indexSlack longer than src, and returns how
// many there are; save that a byte above 0x7f may count as below, too.
func below(dst []uint32, src []byte, base uint32) int {
	n := 0
	whole := len(src) &^ 63
	_ = dst[len(src)+3]
	for at := 0; at < whole; at += 64 {
		// Valid: at+64 is at most len(src).
		b := (*[64]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(src)), at))
		m := over(b[0:8])
		m = m>>1 | over(b[8:16])
		m = m>>1 | over(b[16:24])
		m = m>>1 | over(b[24:32])
		m = m>>1 | over(b[32:40])
		m = m>>1 | over(b[40:48])
		m = m>>1 | over(b[48:56])
		m = m>>1 | over(b[56:64])
		mask := ^transpose(m)
		// As flatten, which is too large to be inlined. Valid: no more than three words after n + the bits of mask, which
		// is at most at + 64.
		to := unsafe.Add(unsafe.Pointer(unsafe.SliceData(dst)), 4*n)
		n += bits.OnesCount64(mask)
		for {
			out := (*[4]uint32)(to)
			out[0] = base + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			out[1] = base + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			out[2] = base + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			out[3] = base + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			if mask == 0 {
				break
			}
			to = unsafe.Add(to, 16)
		}
		base += 64
	}
	for i, c := range src[whole:] {
		if c < ceiling {
			dst[n] = base + uint32(i)
			n++
		}
	}
	return n
}

// over sets the top bit of each lane that is not below ceiling; above 0x7f of some.
func over(b []byte) uint64 { return (binary.LittleEndian.Uint64(b) | high - ceiling*each) & high }

// exactly writes the position of every byte of src that is c or d to dst, which is indexSlack longer than src, and returns
// how many there are.
func exactly(dst []uint32, src []byte, base uint32, c, d byte) int {
	cs, ds := uint64(c)*each, uint64(d)*each
	n := 0
	whole := len(src) &^ 63
	for at := 0; at < whole; at += 64 {
		b := (*[64]byte)(src[at:])
		x0, x1 := binary.LittleEndian.Uint64(b[0:8]), binary.LittleEndian.Uint64(b[8:16])
		x2, x3 := binary.LittleEndian.Uint64(b[16:24]), binary.LittleEndian.Uint64(b[24:32])
		x4, x5 := binary.LittleEndian.Uint64(b[32:40]), binary.LittleEndian.Uint64(b[40:48])
		x6, x7 := binary.LittleEndian.Uint64(b[48:56]), binary.LittleEndian.Uint64(b[56:64])
		if (x0|x1|x2|x3|x4|x5|x6|x7|cs|ds)&high == 0 {
			// All of ASCII: a lane of x^cs, plus 0x7f, has its top bit set unless it was 0, and carries nothing over.
			m := ((x0 ^ cs) + low) & ((x0 ^ ds) + low) & high
			m = m>>1 | ((x1^cs)+low)&((x1^ds)+low)&high
			m = m>>1 | ((x2^cs)+low)&((x2^ds)+low)&high
			m = m>>1 | ((x3^cs)+low)&((x3^ds)+low)&high
			m = m>>1 | ((x4^cs)+low)&((x4^ds)+low)&high
			m = m>>1 | ((x5^cs)+low)&((x5^ds)+low)&high
			m = m>>1 | ((x6^cs)+low)&((x6^ds)+low)&high
			m = m>>1 | ((x7^cs)+low)&((x7^ds)+low)&high
			n = flatten(dst, n, ^transpose(m), base+uint32(at))
			continue
		}
		m := neither(b[0:8], cs, ds) >> 7
		m |= neither(b[8:16], cs, ds) >> 6
		m |= neither(b[16:24], cs, ds) >> 5
		m |= neither(b[24:32], cs, ds) >> 4
		m |= neither(b[32:40], cs, ds) >> 3
		m |= neither(b[40:48], cs, ds) >> 2
		m |= neither(b[48:56], cs, ds) >> 1
		m |= neither(b[56:64], cs, ds)
		n = flatten(dst, n, ^transpose(m), base+uint32(at))
	}
	for at := whole; at < len(src); at++ {
		if src[at] == c || src[at] == d {
			dst[n] = base + uint32(at)
			n++
		}
	}
	return n
}

// neither sets the top bit of each lane that is neither that of cs nor that of ds. No lane disturbs another.
func neither(b []byte, cs, ds uint64) uint64 {
	x := binary.LittleEndian.Uint64(b)
	return differ(x, cs) & differ(x, ds) & high
}

// differ sets the top bit of each lane in which x and y differ; the other bits mean nothing.
func differ(x, y uint64) uint64 {
	x ^= y
	return x&low + low | x
}

// transpose takes the top bits of eight words, those of the k-th in bit k of each lane, to a mask of 64: bit 8k + i is bit k
// of lane i.
func transpose(x uint64) uint64 {
	t := (x ^ x>>7) & 0x00aa00aa00aa00aa
	x ^= t ^ t<<7
	t = (x ^ x>>14) & 0x0000cccc0000cccc
	x ^= t ^ t<<14
	t = (x ^ x>>28) & 0x00000000f0f0f0f0
	return x ^ t ^ t<<28
}

// masksPortable is masker.find.
func masksPortable(a *automaton, src []byte, out *[maskBlocks]masks) {
	delims, lines, quotes := uint64(a.delim)*each, uint64(a.newline)*each, uint64(a.quote)*each
	for i := range len(src) / 64 {
		block := (*[64]byte)(src[64*i:])
		var d, l, q uint64
		for k := 0; k < 64; k += 8 {
			x := binary.LittleEndian.Uint64(block[k:])
			d = d>>1 | differ(x, delims)&high
			l = l>>1 | differ(x, lines)&high
			q = q>>1 | differ(x, quotes)&high
		}
		m := &out[i]
		*m = masks{lines: ^transpose(l), ends: ^transpose(d & l)}
		if a.quote != 0 {
			m.quotes = ^transpose(q)
		}
		if a.comment != 0 {
			m.comments = commentMask(block, a.comment)
		}
	}
}

func commentMask(block *[64]byte, comment byte) uint64 {
	comments := uint64(comment) * each
	var c uint64
	for k := 0; k < 64; k += 8 {
		c = c>>1 | differ(binary.LittleEndian.Uint64(block[k:]), comments)&high
	}
	return ^transpose(c)
}
