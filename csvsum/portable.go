package csvsum

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// The portable kernel goes through 64 bytes at a time as eight words, a byte in each of eight lanes (SWAR), and makes masks
// with a bit for each byte.

const (
	each    = 0x0101010101010101 // one in every lane
	high    = each << 7          // the top bit of every lane
	low     = each * 0x7f
	collect = 0x0102040810204080 // times lanes of 0 or 1, the top byte has a bit for each lane
)

// ceiling is above all bytes that structure a file in the usual dialects, "\n", "\r", tab, `"`, "'" and ",", and below all
// that numbers consist of, save "+".
const ceiling = '-'

// indexPortable answers as automaton.run does.
func indexPortable(a *automaton, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, end, other State) {
	out, records, end = a.index(dst, src, base, s)
	return out, records, end, Unknown
}

func (a *automaton) index(dst []uint32, src []byte, base uint32, s State) ([]uint32, int, State) {
	if a.newline != '\n' || a.comment != 0 || len(src) == 0 {
		return a.run(dst, src, base, s)
	}
	if a.quote == 0 || bytes.IndexByte(src, a.quote) < 0 {
		if s == Quoted {
			return dst, 0, s
		}
		if s != Comment {
			return a.plain(dst, src, base)
		}
	}
	if s == Comment {
		return a.run(dst, src, base, s)
	}
	return a.quoted(dst, src, base, s)
}

// plain takes src without quotes, from a state outside quotes.
func (a *automaton) plain(dst []uint32, src []byte, base uint32) ([]uint32, int, State) {
	n := len(dst)
	found := a.candidates(dst[n:n+len(src)], src, base)
	// Among the candidates are bytes such as spaces and CRs: keep the delimiters and newlines.
	w, records := 0, 0
	for _, p := range found {
		c := src[p-base]
		found[w] = p
		w += int(a.keep[c] & 1)
		records += int(a.keep[c] >> 1)
	}
	last := a.table[Unquoted][a.classes[src[len(src)-1]]].next
	return dst[:n+w], records, last
}

// candidates writes the position of every byte below ceiling and of every delimiter to dst, which is as long as src.
func (a *automaton) candidates(dst []uint32, src []byte, base uint32) []uint32 {
	n := 0
	at := 0
	// The loop writes four positions at a time and keeps as many as there are.
	for ; len(src)-at >= 64 && len(dst)-n >= 64+4; at += 64 {
		var mask uint64
		block := src[at : at+64 : at+64]
		if a.delim < ceiling {
			for i := 0; i < 8; i++ {
				mask |= below(binary.LittleEndian.Uint64(block[8*i:])) >> 7 * collect >> 56 << (8 * i)
			}
		} else {
			delims := uint64(a.delim) * each
			for i := 0; i < 8; i++ {
				x := binary.LittleEndian.Uint64(block[8*i:])
				mask |= (below(x) | equal(x, delims)) >> 7 * collect >> 56 << (8 * i)
			}
		}
		count := bits.OnesCount64(mask)
		first := base + uint32(at)
		for k := 0; k < count; k += 4 {
			out := dst[n+k : n+k+4 : n+k+4]
			out[0] = first + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			out[1] = first + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			out[2] = first + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
			out[3] = first + uint32(bits.TrailingZeros64(mask))
			mask &= mask - 1
		}
		n += count
	}
	for ; at < len(src); at++ {
		if c := src[at]; c < ceiling || c == a.delim {
			dst[n] = base + uint32(at)
			n++
		}
	}
	return dst[:n]
}

// below sets the top bit of each lane that is less than ceiling.
func below(x uint64) uint64 {
	return ^(((x | high) - ceiling*each) | x) & high
}

// equal sets the top bit of each lane in which x and y agree. No lane disturbs another.
func equal(x, y uint64) uint64 {
	x ^= y
	return ^(((x & low) + low) | x) & high
}

// quoted takes src with quotes. As long as every opening quote stands where a field begins or doubles a closing one, whether
// a byte is within quotes is the parity of the quotes before it (RFC 4180). 64 bytes for which that does not hold go to the
// automaton.
func (a *automaton) quoted(dst []uint32, src []byte, base uint32, s State) ([]uint32, int, State) {
	n := len(dst)
	dst = dst[:n+len(src)]
	records := 0
	at := 0
	delims, newlines, quotes := uint64(a.delim)*each, uint64('\n')*each, uint64(a.quote)*each
	for ; len(src)-at >= 64; at += 64 {
		block := src[at : at+64 : at+64]
		var ends, lines, q uint64
		for i := 0; i < 8; i++ {
			x := binary.LittleEndian.Uint64(block[8*i:])
			nl := equal(x, newlines)
			lines |= nl >> 7 * collect >> 56 << (8 * i)
			ends |= (nl | equal(x, delims)) >> 7 * collect >> 56 << (8 * i)
			q |= equal(x, quotes) >> 7 * collect >> 56 << (8 * i)
		}
		inside := prefixXor(q)
		if s == Quoted {
			inside = ^inside
		}
		opening := q & inside
		ends &^= inside
		lines &^= inside
		// The bytes after which a quote opens a field, or goes on with it.
		before := (ends | q&^inside) << 1
		if s != Unquoted && s != Quoted {
			before |= 1
		}
		if opening&^before != 0 {
			for _, c := range block {
				st := a.table[s][a.classes[c]]
				s = st.next
				if st.mark != nothing {
					dst[n] = base + uint32(at)
					n++
					records += int(st.mark >> 1)
				}
				at++
			}
			at -= 64
			continue
		}
		records += bits.OnesCount64(lines)
		first := base + uint32(at)
		for m := ends; m != 0; m &= m - 1 {
			dst[n] = first + uint32(bits.TrailingZeros64(m))
			n++
		}
		switch {
		case inside>>63 != 0:
			s = Quoted
		case q>>63 != 0:
			s = QuoteInQuoted
		default:
			s = a.table[Unquoted][a.classes[block[63]]].next
		}
	}
	out, more, s := a.run(dst[:n], src[at:], base+uint32(at), s)
	return out, records + more, s
}

// prefixXor returns the mask whose bit i is the exclusive or of the bits 0 to i of x.
func prefixXor(x uint64) uint64 {
	x ^= x << 1
	x ^= x << 2
	x ^= x << 4
	x ^= x << 8
	x ^= x << 16
	return x ^ x<<32
}
