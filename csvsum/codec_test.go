package csvsum

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"colsum/decimal"
)

// The handles cache what they learn of the types.
var encoding, decoding codec.MsgpackHandle

func init() {
	encoding.Canonical = true
	encoding.WriteExt = true
	decoding.RawToString = true
	decoding.WriteExt = true
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := codec.NewEncoder(&b, &encoding).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := codec.NewDecoderBytes(b, &decoding).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// reopen sends a fold and its waiting partials through the codec, as the replicated state does.
func reopen(t testing.TB, f *Fold) *Fold {
	t.Helper()
	var g Fold
	decode(t, encode(t, f), &g)
	f.Done(func(i int64, p *Partial) {
		var q Partial
		decode(t, encode(t, p), &q)
		g.Restore(i, &q)
	})
	return &g
}

func TestPartialRoundTrip(t *testing.T) {
	num := func(s string) decimal.Sum {
		v, kind := decimal.Parse([]byte(s), '.')
		if kind != decimal.Numeric {
			t.Fatalf("%q is no number", s)
		}
		return v
	}
	for name, p := range map[string]*Partial{
		"zero":  {},
		"empty": {Columns: []Column{}, Bad: []BadCell{}},
		"full": {
			Start: 1, End: 2, Assumed: Quoted, Ends: [NumStates]State{1, 2, 3, Unknown, 5, 6, 0}, Rows: 3, Width: 4,
			Columns: []Column{{Sum: num("-1.25"), Numeric: 1}, {}, {Sum: num("1e500"), Empty: 2}},
			Bad:     []BadCell{{1, 2, 3, "x\x00é"}},
			Fault:   &Fault{"invalid_cell", "d", 1, 2, 3},
		},
	} {
		b := encode(t, p)
		var q Partial
		decode(t, b, &q)
		if got := encode(t, &q); !bytes.Equal(got, b) {
			t.Errorf("%s: encoded again it is\n%x, want\n%x", name, got, b)
		}
		if len(q.Columns) != len(p.Columns) {
			t.Fatalf("%s: %d columns, want %d", name, len(q.Columns), len(p.Columns))
		}
		for i := range p.Columns {
			if got, want := q.Columns[i].Sum.String(), p.Columns[i].Sum.String(); got != want {
				t.Errorf("%s: column %d: got %s, want %s", name, i, got, want)
			}
		}
		p.Columns, q.Columns = nil, nil
		p.Bad, q.Bad = append([]BadCell{}, p.Bad...), append([]BadCell{}, q.Bad...)
		if !reflect.DeepEqual(p, &q) {
			t.Errorf("%s: got %+v, want %+v", name, q, *p)
		}
	}
}

func TestPlanRoundTrip(t *testing.T) {
	for _, columns := range []Columns{{}, {List: []ColumnRef{{Number: 2}, {Name: "b"}}}} {
		plan := mustSniff(t, []byte("a,b\n1,2\n"), Options{Columns: columns})
		var q Plan
		decode(t, encode(t, plan), &q)
		if !reflect.DeepEqual(plan, &q) {
			t.Errorf("got %+v, want %+v", q, *plan)
		}
	}
}

// TestPartialMemory: what waits in a coordinator's fold is small.
func TestPartialMemory(t *testing.T) {
	data := shapes[0].file(1 << 20)
	plan := mustSniff(t, data, Options{Header: "no"})
	eachKernel(t, func(t *testing.T, k *kernel) {
		b := encode(t, scanBytes(t, k, &plan.Spec, data, Task{0, plan.Spec.Size, RecordStart}))
		const n = 1000
		kept := make([]Partial, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range kept {
			decode(t, b, &kept[i])
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if each := (after.HeapAlloc - before.HeapAlloc) / n; each > 1300 || len(kept[n-1].Columns) != 10 {
			t.Errorf("a decoded partial of 10 columns takes %d bytes of heap besides itself, want less than 1300", each)
		}
	})
}
