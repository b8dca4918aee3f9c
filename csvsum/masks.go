package csvsum

import (
	"math/bits"
	"unsafe"
)

// masks says where in a block of 64 bytes the bytes stand that matter: bit i is byte i.
type masks struct {
	ends     uint64 // delimiters and newlines
	lines    uint64 // newlines
	quotes   uint64
	comments uint64 // comment bytes, wherever they stand
}

// maskBlocks is how many blocks are turned into masks at a time.
const maskBlocks = 16

// masker is what a kernel does with masks.
type masker struct {
	// find fills out with the masks of len(src)/64 blocks, at most maskBlocks.
	find func(a *automaton, src []byte, out *[maskBlocks]masks)
	// flatten writes base + the position of each bit of the masks' ends to dst from dst[n] on, and returns n plus their number.
	// dst must have room for indexSlack more than that.
	flatten func(dst []uint32, n int, m []masks, base uint32) int
}

// resolve answers as run does, from masks, a block at a time: any mixture of quotes, literal quotes and comments. In a
// NewlineCR file src must not hold an LF. other is the state after src for
// who entered it with the opposite parity of quotes, or Unknown.
func (a *automaton) resolve(k masker, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, end, other State) {
	n := len(dst)
	dst = dst[:cap(dst)]
	r := resolver{inComment: s == Comment, mirrored: s != Comment && len(src) > 0 && src[0] != a.quote}
	switch s {
	case Quoted:
		r.inside = ^uint64(0)
	case RecordStart, AfterCR:
		r.opens, r.begins = 1, 1
	case FieldStart, QuoteInQuoted:
		r.opens = 1
	}
	last := 63 // bit of the last byte, in the last block
	for at := 0; at < len(src); {
		piece := src[at:min(at+64*maskBlocks, len(src))]
		first := base + uint32(at)
		at += len(piece)
		if rest := len(piece) % 64; rest != 0 {
			if whole := len(piece) - rest; whole > 0 {
				piece = piece[:whole]
				at -= rest
			} else {
				piece = a.padded(piece)
				last = rest - 1
			}
		}
		k.find(a, piece, &a.masks)
		m := a.masks[:len(piece)/64]
		for b := range m {
			m[b].ends = r.next(&m[b])
			records += bits.OnesCount64(m[b].ends & m[b].lines)
		}
		n = k.flatten(dst, n, m, first)
	}
	end, other = r.state(a, src, last), Unknown
	if r.mirrored {
		if other = Quoted; end == Quoted {
			other = a.outside(src)
		}
	}
	return dst[:n], records, end, other
}

// resolver is what resolve carries from block to block.
type resolver struct {
	inside    uint64 // 0, or ^0 within quotes
	opens     uint64 // 1 if a quote that comes next opens a field or doubles the one before
	begins    uint64 // 1 if a record begins next
	inComment bool
	after     uint64 // 1 if the byte before is a delimiter, newline or quote, within quotes or not
	// mirrored: so far no quote was literal, nor would any be for who has the opposite parity of
	// quotes, and there was no comment byte. Then whether a byte is within quotes is the parity of the quotes before it (RFC 4180).
	mirrored bool
	// Of the last block: where it is within quotes, opening quotes included, and the quotes that are not literal.
	within, quotes uint64
}

// next returns the ends of fields and records in the next block.
func (r *resolver) next(m *masks) (ends uint64) {
	ends, lines, quotes, comments := m.ends, m.lines, m.quotes, m.comments
	if r.inside == 0 && !r.inComment && quotes&(ends<<1|r.opens) == 0 && comments&(lines<<1|r.begins) == 0 {
		// No quote opens a field and no comment begins, so all of them are text.
		if quotes|comments != 0 {
			r.mirrored = false
		}
		r.after = (ends | quotes) >> 63
		r.opens, r.begins = ends>>63, lines>>63
		r.within, r.quotes = 0, 0
		return ends
	}
	if r.inComment {
		// Nothing counts up to the newline; if there is none, nothing at all.
		skipped := upTo(lines, 1)
		r.inComment = lines == 0
		ends, quotes, comments = ends&^skipped, quotes&^skipped, comments&^skipped
	}
	var within uint64
	for {
		within = prefixXor(quotes) ^ r.inside
		opens := (ends|quotes)&^within<<1 | r.opens
		begins := lines&ends&^within<<1 | r.begins
		// What comes before the first event is settled, so they are taken one by one.
		events := quotes&within&^opens | comments&begins
		if events == 0 {
			break
		}
		r.mirrored = false
		event := events & -events
		if quotes&event != 0 {
			// In the middle of a field it is text, and so are all quotes up to the field's end.
			quotes &^= upTo(ends, event)
			continue
		}
		skipped := upTo(lines, event)
		r.inComment = lines&^(event-1) == 0
		ends, quotes, comments = ends&^skipped, quotes&^skipped, comments&^skipped
	}
	// Comments, and quotes that close for us and open for who has the other parity.
	if comments != 0 || quotes&^within&^((m.ends|m.quotes)<<1|r.after) != 0 {
		r.mirrored = false
	}
	r.after = (m.ends | m.quotes) >> 63
	ends &^= within
	r.inside = uint64(int64(within) >> 63)
	r.opens = (ends | quotes&^within) >> 63
	r.begins = ends & lines >> 63
	r.within, r.quotes = within, quotes
	return ends
}

// upTo returns the bits from the one bit of from on that are below the first one of m there, or all of them.
func upTo(m, from uint64) uint64 {
	m &^= from - 1
	return (m&-m - 1) &^ (from - 1)
}

// state returns the state after src, whose last byte is the given bit of the last block.
func (r *resolver) state(a *automaton, src []byte, last int) State {
	switch {
	case r.inComment:
		return Comment
	case r.within>>last&1 != 0:
		return Quoted
	case r.quotes>>last&1 != 0:
		return QuoteInQuoted
	}
	return a.table[Unquoted][a.classes[src[len(src)-1]]].next
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

// flattenMasks is masker.flatten.
func flattenMasks(dst []uint32, n int, m []masks, base uint32) int {
	for b := range m {
		n = flatten(dst, n, m[b].ends, base+uint32(64*b))
	}
	return n
}

// flatten writes first + i for each bit i of mask to dst from dst[n] on, four at a time, and returns n plus their number. dst
// must have room for four more than that.
func flatten(dst []uint32, n int, mask uint64, first uint32) int {
	count := bits.OnesCount64(mask)
	_ = dst[n+count+3]
	to := unsafe.Pointer(&dst[n])
	for {
		// Valid: no more than three words after the last of count.
		out := (*[4]uint32)(to)
		out[0] = first + uint32(bits.TrailingZeros64(mask))
		mask &= mask - 1
		out[1] = first + uint32(bits.TrailingZeros64(mask))
		mask &= mask - 1
		out[2] = first + uint32(bits.TrailingZeros64(mask))
		mask &= mask - 1
		out[3] = first + uint32(bits.TrailingZeros64(mask))
		mask &= mask - 1
		if mask == 0 {
			return n + count
		}
		to = unsafe.Add(to, 16)
	}
}

// padded returns the last bytes of a piece as a block of 64.
func (a *automaton) padded(tail []byte) []byte {
	n := copy(a.tail[:], tail)
	for i := n; i < len(a.tail); i++ {
		a.tail[i] = a.pad
	}
	return a.tail[:]
}
