package csvsum

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzKernels holds all kernels, at random splits, against the reference, on files that are long enough for whole blocks,
// pieces and runs of equal records: what is fuzzed is the beginning, the row that is repeated, and what comes between some of
// the rows.
func FuzzKernels(f *testing.F) {
	for _, s := range []struct {
		head, row, between string
	}{
		{"a,b,c\n", "1.5,-2,0.25\n", "x,,\"4\"\n"},
		{"", "0.8444218515250481,0.1,9.5e-05\r\n", "\r\n"},
		{"\n\n", "\"1\",\"2.5\",\"\"\n", "\"1\n2\",\"a\"\"b\",3\n"},
		{"#\"\n", "12345678901,.5,5.\n", "#comment, \"\n"},
		{"1;2,5;3\n", "-1,25; 7 ;+4\n", ";\n"},
		{"1\r2\r", "1,\"2\",3\r", "5\" pipe,\r\n"},
		{"", "x,5\" pipe,1\n", "\"open"},
		{"", "1\n", "\"\"\n"},
		{"", "99999999999999999999.9999999999999999999999999,1e-40,1e30\n", ",\n"},
	} {
		for n := range uint32(3) {
			f.Add([]byte(s.head), []byte(s.row), []byte(s.between), uint16(40+200*n), uint16(30), n*12345)
		}
	}
	f.Fuzz(func(t *testing.T, head, row, between []byte, repeat, every uint16, n uint32) {
		data := slices.Clip(head)
		for i := range int(repeat) {
			if len(data)+len(row)+len(between) > 20_000 {
				break
			}
			data = append(data, row...)
			if every > 0 && i%int(every) == int(every)-1 {
				data = append(data, between...)
			}
		}
		opt, limit := variant(int(n >> 2 % (1 << 20)))
		if n&1 != 0 && opt.Delimiter != "," {
			opt.Decimal = ","
		}
		if n&2 != 0 {
			data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r"))
		}
		if limit > 0 {
			limit = int64(len(row)) + 20
		}
		rnd := rand.New(rand.NewPCG(uint64(n), uint64(len(data))))
		size := int64(len(data))
		checkOptions(t, data, opt, limit, rnd, []int64{1 + size/7 + rnd.Int64N(1+size/3), size + 1})
	})
}
