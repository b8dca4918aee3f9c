package csvsum

import (
	"bytes"
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
