//go:build !purego

package csvsum

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/cpu"
)

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasBMI2 && cpu.X86.HasPOPCNT && cpu.X86.HasPCLMULQDQ {
		kernels = append(kernels, vector{}.kernel("avx2"))
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VBMI2 {
			kernels = append(kernels, vector{avx512: true}.kernel("avx512"))
		}
	}
}

// parity is what flattenQuoted carries from block to block.
type parity struct {
	inside uint64 // 0, or ^0 within quotes
	before uint64 // 1 if the byte before may be followed by an opening quote: delimiter, newline or quote
	bad    uint64 // not 0 once a quote opened behind something else: then the automaton has to say what it means
	// otherBad is bad for who came in with the opposite parity.
	otherBad uint64
}

//go:noescape
func flattenAVX2(p *byte, blocks int, base uint32, chars uint32, pos *uint32) (count, newlines int, quotes uint64)

//go:noescape
func flattenQuotedAVX2(p *byte, blocks int, base uint32, chars uint32, pos *uint32, state *parity) (count, newlines int)

//go:noescape
func findMasksAVX2(p *byte, blocks int, chars uint32, out *masks)

//go:noescape
func addCellsAVX2(a *cellRun) (odd int)

//go:noescape
func flattenAVX512(p *byte, blocks int, base uint32, chars uint32, pos *uint32) (count, newlines int, quotes uint64)

//go:noescape
func flattenQuotedAVX512(p *byte, blocks int, base uint32, chars uint32, pos *uint32, state *parity) (count, newlines int)

//go:noescape
func flattenMasksAVX512(m *masks, blocks int, base uint32, pos *uint32) (count int)

//go:noescape
func addCellsAVX512(a *cellRun) (odd int)

// vector is the kernel of one instruction set. Calls go straight to the assembly, so that nothing they point to escapes.
type vector struct{ avx512 bool }

func (v vector) kernel(name string) *kernel {
	return &kernel{name: name, index: v.index, both: true, cells: v.cells}
}

func (v vector) flatten(p *byte, blocks int, base uint32, chars uint32, pos *uint32) (count, newlines int, quotes uint64) {
	if v.avx512 {
		return flattenAVX512(p, blocks, base, chars, pos)
	}
	return flattenAVX2(p, blocks, base, chars, pos)
}

func (v vector) flattenQuoted(p *byte, blocks int, base uint32, chars uint32, pos *uint32, state *parity) (count, newlines int) {
	if v.avx512 {
		return flattenQuotedAVX512(p, blocks, base, chars, pos, state)
	}
	return flattenQuotedAVX2(p, blocks, base, chars, pos, state)
}

func (v vector) masker() masker {
	if !v.avx512 {
		return masker{masksAVX2, flattenMasks}
	}
	return masker{masksAVX2, func(dst []uint32, n int, m []masks, base uint32) int {
		return n + flattenMasksAVX512(&m[0], len(m), base, &dst[n])
	}}
}

// cells is kernel.cells.
func (v vector) cells(s *scan, pos []uint32, records, width, n int) int {
	s.pairs.need(&s.spec.Selection, n, records)
	run := cellRun{
		buf:     unsafe.Pointer(unsafe.SliceData(s.buf)),
		pos:     unsafe.Pointer(&pos[1]),
		records: records,
		stride:  4 * width,
		cols:    unsafe.Pointer(unsafe.SliceData(s.pairs.cols)),
		ncols:   n,
		lanes:   unsafe.Pointer(unsafe.SliceData(s.pairs.lanes)),
		odd:     unsafe.Pointer(unsafe.SliceData(s.left)),
		point:   uint32(s.spec.Dialect.Decimal),
		quote:   uint32(s.quote),
	}
	if width > 1 {
		run.empty = unsafe.Pointer(unsafe.SliceData(s.pairs.empty))
		s.pairs.rows[n-1] += int64(records)
	} else { // the column may go again, if there are only blank lines
		s.p.Columns[0].Numeric += int64(records)
	}
	if s.quote == 0 {
		run.quote = uint32(s.delim)
	}
	var left int
	if v.avx512 {
		left = addCellsAVX512(&run)
	} else {
		left = addCellsAVX2(&run)
	}
	for _, o := range s.left[:left] {
		s.p.Columns[o.col].Numeric--
	}
	return left
}

// index is kernel.index. Whatever is out of the ordinary is the automaton's.
func (v vector) index(a *automaton, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, end, other State) {
	if len(src) < 64 || !a.masked(src) {
		return indexPortable(a, dst, src, base, s)
	}
	if a.literal || s == Comment || a.comment != 0 && bytes.IndexByte(src, a.comment) >= 0 {
		out, records, end, other := a.resolve(v.masker(), dst, src, base, s)
		a.literal = a.literal && other == Unknown
		return out, records, end, other
	}
	if !a.quotes {
		out, records, quotes := v.plain(a, dst, src, base)
		if quotes == 0 || a.quote == 0 {
			outside := a.outside(src)
			if s == Quoted {
				return dst, 0, Quoted, outside
			}
			return out, records, outside, Quoted
		}
	}
	out, records, p := v.quoted(a, dst, src, base, s)
	a.quotes = bytes.IndexByte(src, a.quote) >= 0
	outside := a.outside(src)
	end, other = outside, Quoted
	if p.inside != 0 {
		end, other = Quoted, outside
	}
	if p.otherBad != 0 || s == Quoted && src[0] == a.quote {
		other = Unknown
	}
	if p.bad == 0 {
		return out, records, end, other
	}
	// A quote in the middle of a field, and most likely not the last.
	a.literal = true
	out, records, end, _ = a.resolve(v.masker(), dst, src, base, s)
	return out, records, end, other
}

// plain indexes src as if there were no quotes, and says whether there are.
func (v vector) plain(a *automaton, dst []uint32, src []byte, base uint32) (out []uint32, records int, quotes uint64) {
	chars := uint32(a.delim) | uint32(a.newline)<<8 | uint32(a.quote)<<16
	n, whole := len(dst), len(src)&^63
	dst = dst[:cap(dst)]
	count, records, quotes := v.flatten(&src[0], whole/64, base, chars, &dst[n])
	n += count
	if whole < len(src) {
		last := a.padded(src[whole:])
		count, more, q := v.flatten(&last[0], 1, base+uint32(whole), chars, &dst[n])
		n += count
		records += more
		quotes |= q
	}
	return dst[:n], records, quotes
}

// quoted indexes src, entered in state s, by the parity of quotes.
func (v vector) quoted(a *automaton, dst []uint32, src []byte, base uint32, s State) (out []uint32, records int, p parity) {
	chars := uint32(a.delim) | uint32(a.newline)<<8 | uint32(a.quote)<<16
	if s == Quoted {
		p.inside = ^uint64(0)
	}
	if s != Unquoted {
		p.before = 1
	}
	n, whole := len(dst), len(src)&^63
	dst = dst[:cap(dst)]
	count, records := v.flattenQuoted(&src[0], whole/64, base, chars, &dst[n], &p)
	n += count
	if whole < len(src) {
		last := a.padded(src[whole:])
		count, more := v.flattenQuoted(&last[0], 1, base+uint32(whole), chars, &dst[n], &p)
		n += count
		records += more
	}
	return dst[:n], records, p
}

// masksAVX2 is masker.find.
func masksAVX2(a *automaton, src []byte, out *[maskBlocks]masks) {
	findMasksAVX2(&src[0], len(src)/64, uint32(a.delim)|uint32(a.newline)<<8|uint32(a.quote)<<16|uint32(a.comment)<<24, &out[0])
	for i := range out[:len(src)/64] {
		if a.quote == 0 {
			out[i].quotes = 0
		}
		if a.comment == 0 {
			out[i].comments = 0
		}
	}
}
