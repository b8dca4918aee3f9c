package fsm

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
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

// Whatever one record of a snapshot holds, the frame being right, Restore takes the snapshot whole and can work with it,
// or leaves the state alone.
func FuzzRestore(f *testing.F) {
	type record struct {
		bucket     byte
		key, value string
	}
	var records []record
	info, next, err := readSnapshot(bytes.NewReader(snapshotOf(f, smallState(f))), func(bucket int, k, v []byte) error {
		records = append(records, record{byte(bucket), string(k), string(v)})
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range records {
		f.Add(r.bucket, []byte(r.key), []byte(r.value))
	}
	f.Fuzz(func(t *testing.T, bucket byte, key, value []byte) {
		list := []record{{bucket, string(key), string(value)}}
		for _, r := range records {
			if r.bucket != bucket || r.key != string(key) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b record) int {
			return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.key, b.key))
		})
		snap := []byte(snapshotMagic)
		snap = binary.BigEndian.AppendUint32(snap, snapshotVersion)
		snap = binary.BigEndian.AppendUint64(snap, info.Index)
		snap = binary.BigEndian.AppendUint64(snap, next)
		for _, r := range list {
			snap = append(snap, r.bucket+1)
			snap = binary.BigEndian.AppendUint32(snap, uint32(len(r.key)))
			snap = binary.BigEndian.AppendUint32(snap, uint32(len(r.value)))
			snap = append(append(snap, r.key...), r.value...)
		}
		snap = append(snap, snapshotEnd)
		snap = binary.BigEndian.AppendUint64(snap, uint64(len(list)))
		sum := sha256.Sum256(snap)
		snap = append(snap, sum[:]...)

		s := open(t)
		do(t, s, &Submit{ID: "old", Time: t0, Path: "p"})
		before := dumpOf(t, s)
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
		works, _ := s.Summaries("", 1000, "")
		for _, w := range works {
			if _, ok := s.Document(w.ID); !ok {
				t.Errorf("no document of %q", w.ID)
			}
			s.Active(w.ID)
		}
		for _, id := range s.ActiveIDs() {
			do(t, s, &Cancel{ID: id, Time: at(100)})
		}
		if r := do(t, s, &Forget{Before: at(200)}); r.Removed != len(works) && len(s.ActiveIDs()) != 0 {
			t.Errorf("forgot %d of %d works", r.Removed, len(works))
		}
	})
}
