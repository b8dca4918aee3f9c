package csvsum

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// options under which random files are summed, by number.
func variant(n int) (opt Options, limit int64) {
	opt.Columns = []Columns{{First: 1, Every: 1}, {First: 2, Every: 2}, {List: []ColumnRef{{Number: 3}, {Number: 1}}}}[n%3]
	n /= 3
	opt.Delimiter = []string{",", ";", "auto"}[n%3]
	n /= 3
	none, single := "", "'"
	opt.Quote = []*string{nil, nil, &single, &none}[n%4]
	n /= 4
	opt.Comment = []string{"", "#"}[n%2]
	n /= 2
	opt.Invalid = []string{"report", "report", "fail"}[n%3]
	n /= 3
	limit = []int64{0, 0, 12}[n%3]
	n /= 3
	opt.Header = []string{"no", "auto", "yes"}[n%3]
	return opt, limit
}

// checkSplits sums data under a variant at several splits, in order and out of it, and compares with the reference.
func checkSplits(t *testing.T, data []byte, n int, rnd *rand.Rand, chunks []int64) {
	t.Helper()
	opt, limit := variant(n)
	checkOptions(t, data, opt, limit, rnd, chunks)
}

func checkOptions(t *testing.T, data []byte, opt Options, limit int64, rnd *rand.Rand, chunks []int64) {
	t.Helper()
	plan, err := Sniff(data, int64(len(data)), opt)
	if err != nil {
		return // of Sniff's refusals there is a table
	}
	plan.Spec.RecordLimit = limit
	want := refSum(data, &plan.Spec)
	for _, k := range kernels {
		for _, chunk := range chunks {
			if err := same(plan, sumSplit(t, k, plan, data, chunk), want); err != nil {
				t.Fatalf("%.500q, %+v, limit %d, kernel %s, chunk %d: %v", data, opt, limit, k.name, chunk, err)
			}
			if err := same(plan, sumShuffled(t, k, plan, data, chunk, rnd), want); err != nil {
				t.Fatalf("%.500q, %+v, limit %d, kernel %s, chunk %d, shuffled: %v", data, opt, limit, k.name, chunk, err)
			}
		}
	}
}

func randomFile(rnd *rand.Rand, pieces []string, n int) []byte {
	var b []byte
	for range n {
		b = append(b, pieces[rnd.IntN(len(pieces))]...)
	}
	return b
}

var (
	wild = []string{",", ",", ";", `"`, `"`, "'", "\n", "\n", "\r", "\r\n", "#", "1", "2.5", "-3", "e1", " ", "x", "\x00", "é"}
	tame = []string{"1", "1.25", "-7", `"3"`, `"4,5"`, `"a""b"`, `"line` + "\n" + `break"`, ",", ",", ",", ",", "\n", "\r\n", ",,", "abc"}
	mac  = []string{"1", "2", `"3"`, ",", ",", "\r", "#", "x"}
)

func TestRandomSplits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	rounds := 600
	if testing.Short() || raced {
		rounds = 150
	}
	for i := range rounds {
		pieces := [][]string{wild, tame, mac}[i%3]
		data := randomFile(rnd, pieces, 1+rnd.IntN(40))
		n := int64(len(data))
		checkSplits(t, data, rnd.IntN(1<<20), rnd, []int64{1, 2, 1 + rnd.Int64N(n), n})
	}
}

// TestRandomLarge is the same for files that fill several blocks, so that records lie over the seams of buffers and blocks.
func TestRandomLarge(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	for i := range 12 {
		pieces := [][]string{wild, tame, tame, mac}[i%4]
		data := randomFile(rnd, pieces, 100_000)
		checkSplits(t, data, rnd.IntN(1<<20), rnd, []int64{40_000 + rnd.Int64N(60_000), int64(len(data))})
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n\"3\",\"4\"\"5\"\n"), 0)
	f.Add([]byte("\"1\n2\",3\r\n\"\"\n#x,\"\n4,5"), 36)
	f.Add([]byte("1,2\r\r3,\"4\r\"5\r"), 3)
	f.Add([]byte("x\"y,\"z\"w\"\n,\n"), 700)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 0 || len(data) > 300 {
			return
		}
		var chunks []int64
		for c := range int64(len(data)) {
			chunks = append(chunks, c+1)
		}
		rnd := rand.New(rand.NewPCG(uint64(n), uint64(len(data))))
		checkSplits(t, data, n, rnd, append(chunks, int64(len(data))+1))
	})
}

// TestReference holds the reference itself against encoding/csv, where that reader is strict and the rules agree: no CR in
// the file.
func TestReference(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	compared := 0
	for range 20_000 {
		data := randomFile(rnd, []string{",", ",", `"`, `""`, "\n", "\n", "1", "2.5", "x", " ", `"3"`, "#"}, rnd.IntN(16))
		r := csv.NewReader(bytes.NewReader(data))
		r.FieldsPerRecord = -1
		var want [][]string
		for {
			rec, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				want = nil
				break
			}
			if len(rec) > 1 || rec[0] != "" {
				want = append(want, rec)
			}
		}
		if want == nil {
			continue
		}
		compared++
		var got [][]string
		for _, rec := range refRecords(data, 0, &Dialect{Delimiter: ',', Quote: '"', OneColumn: true}) {
			var fields []string
			for _, f := range rec.fields {
				fields = append(fields, f.content)
			}
			got = append(got, fields)
		}
		if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Fatalf("%q: got %q, want %q", data, got, want)
		}
	}
	if compared < 1000 {
		t.Errorf("only %d files were compared", compared)
	}
}

// TestWrongStates gives every task a wrong start state first. All must be repaired.
func TestWrongStates(t *testing.T) {
	data := []byte("a,b\n1,\"2\n3\"\n4,\"5\"\"\"\n\"6\",7\n#8,\"9\n10,11\n")
	for _, comment := range []string{"", "#"} {
		plan := mustSniff(t, data, Options{Columns: Columns{First: 1, Every: 1}, Comment: comment})
		want := refSum(data, &plan.Spec)
		eachKernel(t, func(t *testing.T, k *kernel) {
			for wrong := range State(NumStates) {
				for chunk := int64(1); chunk < 12; chunk++ {
					f := NewFold(plan)
					n := Tasks(plan.Spec.Size, chunk)
					for i := n - 1; i >= 0; i-- {
						start, end := plan.Spec.TaskRange(i, chunk)
						f.Offer(i, scanBytes(t, k, &plan.Spec, data, Task{start, end, wrong}))
					}
					for runs := int64(0); f.Frontier < n && f.Fault == nil; runs++ {
						if runs > n {
							t.Fatalf("state %d, chunk %d: not repaired", wrong, chunk)
						}
						s := f.StartState(f.Frontier)
						if s == Unknown {
							t.Fatalf("state %d, chunk %d: the frontier's state is unknown", wrong, chunk)
						}
						start, end := plan.Spec.TaskRange(f.Frontier, chunk)
						if v, _ := f.Offer(f.Frontier, scanBytes(t, k, &plan.Spec, data, Task{start, end, s})); v != Accepted {
							t.Fatalf("state %d, chunk %d: verdict %d", wrong, chunk, v)
						}
					}
					if err := same(plan, f, want); err != nil {
						t.Fatalf("state %d, chunk %d: %v", wrong, chunk, err)
					}
				}
			}
		})
	}
}

// TestChainKnownAtOnce: where the guesses of a whole chain are wrong, their other end states make all states known before
// any of them runs again.
func TestChainKnownAtOnce(t *testing.T) {
	data := []byte("\"" + string(bytes.Repeat([]byte("1,\"2\",3\n\""), 200)))
	data = append(data, "\"\n"...)
	plan := mustSniff(t, data, Options{Columns: Columns{First: 1, Every: 1}, Header: "no"})
	const chunk = 100
	n := Tasks(plan.Spec.Size, chunk)
	f := NewFold(plan)
	truth := make([]State, n)
	a := newAutomaton(&plan.Spec.Dialect)
	for i := range n {
		truth[i] = a.end(data[:i*chunk], RecordStart)
	}
	var dropped []int64
	for i := n - 1; i >= 0; i-- {
		start, end := plan.Spec.TaskRange(i, chunk)
		p := scanBytes(t, kernels[0], &plan.Spec, data, Task{start, end, Unknown})
		if i > 0 && p.Assumed == truth[i] {
			// Make the guess wrong, the other end states staying what they are.
			other := Quoted
			if truth[i] == Quoted {
				other = Unquoted
			}
			q := scanBytes(t, kernels[0], &plan.Spec, data, Task{start, end, other})
			q.Ends = p.Ends
			p = q
		}
		_, d := f.Offer(i, p)
		dropped = append(dropped, d...)
	}
	if f.Known != n || int64(len(dropped)) != n-1 {
		t.Errorf("known up to %d of %d with %d dropped, want all known and all but the first dropped", f.Known, n, len(dropped))
	}
	for i := int64(1); i < n; i++ {
		if got := f.StartState(i); got != truth[i] {
			t.Errorf("task %d: start state %d, want %d", i, got, truth[i])
		}
	}
}

// TestEnds: every end state a partial reports is the automaton's.
func TestEnds(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 4))
	eachKernel(t, func(t *testing.T, k *kernel) {
		known := 0
		for i := range 2000 {
			data := randomFile(rnd, [][]string{wild, tame, mac}[i%3], 1+rnd.IntN(60))
			opt, _ := variant(rnd.IntN(1 << 20))
			plan, err := Sniff(data, int64(len(data)), opt)
			if err != nil {
				continue
			}
			start := plan.Spec.DataStart + rnd.Int64N(int64(len(data))-plan.Spec.DataStart+1)
			end := start + rnd.Int64N(int64(len(data))-start+1)
			p := scanBytes(t, k, &plan.Spec, data, Task{start, end, Unknown})
			a := newAutomaton(&plan.Spec.Dialect)
			for s, got := range p.Ends {
				if got == Unknown {
					continue
				}
				known++
				if want := a.end(data[start:end], State(s)); got != want {
					t.Fatalf("%q [%d, %d) from state %d: got %d, want %d", data, start, end, s, got, want)
				}
			}
		}
		if known < 4000 {
			t.Errorf("only %d end states were reported", known)
		}
	})
}

func TestSum(t *testing.T) {
	data := randomFile(rand.New(rand.NewPCG(1, 1)), tame, 20_000)
	plan := mustSniff(t, data, Options{Columns: Columns{First: 1, Every: 1}, Header: "no"})
	want := refSum(data, &plan.Spec)
	for _, chunk := range []int64{0, 500, 10_000, 1 << 40} {
		var last int64
		f, err := Sum(context.Background(), openBytes(data), plan, chunk, 3, func(done int64) {
			if done < last {
				t.Errorf("progress went back from %d to %d", last, done)
			}
			last = done
		})
		if err != nil {
			t.Fatal(err)
		}
		if f.Fault == nil && last != int64(len(data)) {
			t.Errorf("chunk %d: the last progress was %d of %d", chunk, last, len(data))
		}
		if err := same(plan, f, want); err != nil {
			t.Errorf("chunk %d: %v", chunk, err)
		}
	}
}
