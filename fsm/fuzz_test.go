package fsm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
)

// Whatever the bytes, Decode returns a command that can be written and read again, or one of its errors.
func FuzzDecode(f *testing.F) {
	for _, cmd := range commands(f) {
		b, err := Encode(cmd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{1, 3, 0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		cmd, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrBadEntry) && !errors.Is(err, ErrUnknownEntry) {
				t.Fatalf("an error of neither kind: %v", err)
			}
			return
		}
		first, err := Encode(cmd)
		if err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
		back, err := Decode(first)
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		second, err := Encode(back)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("written in two ways: %v\n%x\n%x", err, first, second)
		}
	})
}

// Whatever the bytes, Restore takes a snapshot whole or leaves the state alone. The fuzzer's bytes stand for a snapshot
// without its checksum, which is put behind them, so that it reaches what lies beneath.
func FuzzRestore(f *testing.F) {
	snap := snapshotOf(f, smallState(f))
	f.Add(snap[:len(snap)-sha256.Size])
	f.Add(snapshotOf(f, open(f))[:len(snapshotMagic)+20+9])
	f.Fuzz(func(t *testing.T, b []byte) {
		s := open(t)
		do(t, s, &Submit{ID: "old", Time: t0, Path: "p"})
		before := dumpOf(t, s)
		sum := sha256.Sum256(b)
		snap := append(bytes.Clone(b), sum[:]...)
		if err := restore(s, snap); err != nil {
			if !errors.Is(err, ErrBadSnapshot) {
				t.Fatalf("an error of another kind: %v", err)
			}
			if got := dumpOf(t, s); got != before {
				t.Fatalf("the old state has changed\ngot  %s\nwant %s", got, before)
			}
			return
		}
		if got := snapshotOf(t, s); !bytes.Equal(got, snap) {
			t.Fatalf("restored, it is written otherwise\ngot  %x\nwant %x", got, snap)
		}
		list, _ := s.Summaries("", 1000, "")
		for _, w := range list {
			if _, ok := s.Document(w.ID); !ok {
				t.Errorf("no document of %q", w.ID)
			}
			s.Active(w.ID)
		}
	})
}
