package csvsum

import "bytes"

// candidates are the delimiters that are looked for, in the order that decides between equals.
const candidates = ",;\t|"

// guessDelimiter chooses the delimiter of which the largest share of records agree on their number of fields, if that is at
// least 2; among equals the one with more fields, then the first in candidates. Without any, it is the first candidate that
// is not spoken for. whole says that sample is the whole file, so that its last record is complete.
func guessDelimiter(sample []byte, whole bool, d *Dialect) byte {
	var best struct {
		delim         byte
		agree, of, nf int
	}
	best.of = 1
	fallback := byte(0)
	for i := range len(candidates) {
		c := candidates[i]
		if c == d.Decimal || c == d.Quote || c == d.Comment {
			continue
		}
		if fallback == 0 {
			fallback = c
		}
		if bytes.IndexByte(sample, c) < 0 {
			continue
		}
		with := *d
		with.Delimiter = c
		agree, of, nf := agreement(sample, whole, &with)
		if nf < 2 {
			continue
		}
		if a, b := agree*best.of, best.agree*of; a > b || a == b && nf > best.nf {
			best.delim, best.agree, best.of, best.nf = c, agree, of, nf
		}
	}
	if best.delim == 0 {
		return fallback
	}
	return best.delim
}

// agreement returns how many of the sample's records have the most common number of fields, nf. Among equally common ones
// nf is the largest.
func agreement(sample []byte, whole bool, d *Dialect) (agree, of, nf int) {
	counts := map[int]int{}
	last := 0
	eachRecord(sample, d, func(_ []byte, fields int, complete bool) bool {
		last = fields
		if complete || whole {
			counts[fields]++
			of++
		}
		return true
	})
	if of == 0 && last > 0 {
		counts[last]++ // one record that is longer than the sample
		of++
	}
	for n, c := range counts {
		if c > agree || c == agree && n > nf {
			agree, nf = c, n
		}
	}
	return agree, of, nf
}

// oneColumn reports whether no record of the sample has a second field.
func oneColumn(sample []byte, d *Dialect) bool {
	one := true
	eachRecord(sample, d, func(_ []byte, fields int, _ bool) bool {
		one = fields < 2
		return one
	})
	return one
}

// eachRecord calls fn for each record of the sample, blank lines and comments left out, until it returns false. The last
// record may be cut off: complete is false then.
func eachRecord(sample []byte, d *Dialect, fn func(raw []byte, fields int, complete bool) bool) {
	a := newAutomaton(d)
	const block = 16 << 10
	buf := make([]uint32, 0, block+indexSlack)
	s := RecordStart
	begin, fields, skip := 0, 1, false
	for at := 0; at < len(sample); at += block {
		src := sample[at:min(at+block, len(sample))]
		buf, _, s, _ = indexPortable(a, buf[:0], src, uint32(at), s)
		for _, p := range buf {
			if sample[p] != a.newline {
				fields++
				continue
			}
			skip = a.comment != 0 && sample[begin] == a.comment
			end := int(p)
			if d.Newline == NewlineLF && end > begin && sample[end-1] == '\r' {
				end--
			}
			if !skip && (fields > 1 || end > begin) && !fn(sample[begin:end], fields, true) {
				return
			}
			begin, fields = int(p)+1, 1
			if d.Newline == NewlineCR && begin < len(sample) && sample[begin] == '\n' {
				begin++
			}
		}
	}
	if begin < len(sample) && (a.comment == 0 || sample[begin] != a.comment) {
		fn(sample[begin:], fields, false)
	}
}
