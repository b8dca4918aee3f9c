package csvsum

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestIndex holds every kernel against the automaton, from every state, over sources of every length around its block size.
func TestIndex(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	eachKernel(t, func(t *testing.T, k *kernel) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		for i := range 3000 {
			opt, _ := variant(rnd.IntN(1 << 20))
			d := Dialect{Delimiter: ",;\t|x-"[rnd.IntN(6)], Quote: opt.quote(), Comment: opt.comment(), Newline: Newline(rnd.IntN(2))}
			a := newAutomaton(&d)
			src := randomFile(rnd, [][]string{wild, tame, mac, {"12345", ",", "-0.5", "\n"}}[i%4], rnd.IntN(200))
			if rnd.IntN(4) == 0 {
				src = bytes.ReplaceAll(src, []byte(`"`), nil)
			}
			for s := range State(NumStates) {
				dst := make([]uint32, 3, 3+len(src)+indexSlack)
				want, wantRecords, wantEnd := a.run(make([]uint32, 3, 3+len(src)), src, 7, s)
				got, records, end, other := k.index(a, dst, src, 7, s)
				if !slices.Equal(got, want) || records != wantRecords || end != wantEnd {
					t.Fatalf("%q, %+v, from state %d:\n got %v, %d records, state %d\nwant %v, %d records, state %d", src, d, s, got, records, end, want, wantRecords, wantEnd)
				}
				// What it says of the other parity holds for every state of it.
				for o := RecordStart; other != Unknown && o <= QuoteInQuoted; o++ {
					if (o == Quoted) == (s == Quoted) || len(src) > 0 && src[0] == d.Quote {
						continue
					}
					if got := a.end(src, o); got != other {
						t.Fatalf("%q, %+v, from state %d, other parity %d: got state %d, want %d", src, d, s, o, other, got)
					}
				}
			}
		}
	})
}

func TestChooseKernel(t *testing.T) {
	for _, k := range kernels {
		if got, err := chooseKernel(k.name); got != k || err != nil {
			t.Errorf("%s: got %v, %v", k.name, got, err)
		}
	}
	if got, err := chooseKernel(""); got != kernels[len(kernels)-1] || err != nil {
		t.Errorf("none named: got %v, %v", got, err)
	}
	if got, err := chooseKernel("abacus"); err == nil {
		t.Errorf("abacus: got %s", got.name)
	}
}

// shapes are the kinds of files that the performance goals name.
var shapes = []struct {
	name string
	row  func(rnd *rand.Rand, b []byte) []byte
}{
	{"decimals", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 101, "\n", func(b []byte) []byte { return fmt.Append(b, rnd.Float64()) })
	}},
	{"negatives", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 101, "\n", func(b []byte) []byte { return fmt.Append(b, rnd.NormFloat64()) })
	}},
	{"integers", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 101, "\n", func(b []byte) []byte { return fmt.Append(b, rnd.IntN(1000)) })
	}},
	{"wide", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 1000, "\n", func(b []byte) []byte { return fmt.Append(b, rnd.Float64()) })
	}},
	{"quoted", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 101, "\n", func(b []byte) []byte { return fmt.Append(b, `"`, rnd.Float64(), `"`) })
	}},
	{"crlf", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 100, "\r\n", func(b []byte) []byte { return fmt.Append(b, rnd.Float64()) })
	}},
	{"sparse", func(rnd *rand.Rand, b []byte) []byte {
		return cells(b, 101, "\n", func(b []byte) []byte {
			if rnd.IntN(3) == 0 {
				return b
			}
			return fmt.Append(b, rnd.Float64())
		})
	}},
	{"semicolons", func(rnd *rand.Rand, b []byte) []byte {
		return bytes.ReplaceAll(cells(nil, 101, "\n", func(b []byte) []byte { return fmt.Append(b, rnd.Float64()) }), []byte(","), []byte(";"))
	}},
}

func cells(b []byte, n int, newline string, cell func([]byte) []byte) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = cell(b)
	}
	return append(b, newline...)
}

func BenchmarkScan(b *testing.B) {
	for _, shape := range shapes {
		var data []byte
		rnd := rand.New(rand.NewPCG(1, 2))
		for len(data) < 8<<20 {
			data = append(data, shape.row(rnd, nil)...)
		}
		plan := mustSniff(b, data, Options{Header: "no"})
		for _, k := range kernels {
			b.Run(shape.name+"/"+k.name, func(b *testing.B) {
				sc := Scanner{kernel: k}
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					p := scanWith(b, &sc, &plan.Spec, data, Task{0, plan.Spec.Size, RecordStart})
					if p.Rows == 0 || p.Columns[0].Numeric == 0 {
						b.Fatal("nothing was summed")
					}
				}
			})
		}
	}
}
