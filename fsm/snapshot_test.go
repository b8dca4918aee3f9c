package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/raft"
)

// A state that is restored after each entry stays the one that never was: memory and file alike.
func TestRestoreAtEveryIndex(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			a, b := open(t), open(t)
			s := newScript(t, 100+seed, a)
			for i := range uint64(150) {
				l := entry(t, i+1, s.next())
				want, got := fmt.Sprintf("%+v", a.Apply(l)), fmt.Sprintf("%+v", b.Apply(l))
				if got != want {
					t.Fatalf("entry %d: response\ngot  %s\nwant %s", i+1, got, want)
				}
				snap := snapshotOf(t, b)
				if !bytes.Equal(snap, snapshotOf(t, a)) {
					t.Fatalf("entry %d: snapshots differ", i+1)
				}
				if err := restore(b, snap); err != nil {
					t.Fatalf("entry %d: %v", i+1, err)
				}
				if i%5 == 0 || i == 149 {
					compare(t, a, b)
				}
			}
		})
	}
}

// compare checks that every query answers alike.
func compare(t *testing.T, a, b *FSM) {
	t.Helper()
	if g, w := dumpOf(t, b), dumpOf(t, a); g != w {
		t.Fatalf("dumps differ\ngot  %s\nwant %s", g, w)
	}
	index, sum, err := b.Hash()
	if i, s, e := a.Hash(); i != index || s != sum || e != nil || err != nil {
		t.Fatal("hashes differ", i, index, e, err)
	}
	if g, w := b.Counts(), a.Counts(); g != w {
		t.Fatalf("counts: got %+v, want %+v", g, w)
	}
	show := func(f *FSM) string {
		list, _ := f.Summaries("", 1000, "")
		out := fmt.Sprintf("%v %v\n", f.Nodes(), f.ActiveIDs())
		for _, s := range list {
			d, _ := f.Document(s.ID)
			active, _ := f.Active(s.ID)
			if active != nil {
				active.Error, active.Options.Quote = nil, nil
			}
			out += fmt.Sprintf("%s\n%s\n%+v\n", asJSON(t, s), asJSON(t, d), active)
		}
		return out
	}
	if g, w := show(b), show(a); g != w {
		t.Fatalf("queries differ\ngot  %s\nwant %s", g, w)
	}
}

// smallState has a work of each status, a waiting partial and a node.
func smallState(t testing.TB) *FSM {
	t.Helper()
	f := open(t)
	do(t, f, &Announce{Node{ID: "n1", Raft: "h:1"}})
	csv := newFile(t, "a,b\n1,2.5\n3,x\n", 6, everyColumn)
	csv.start(t, f, "done")
	csv.run(t, f, "done")
	csv.start(t, f, "runs")
	do(t, f, &Complete{Time: at(3), Done: []Completion{{"runs", 1, "v1", csv.scan(t, 1, 0)}}})
	do(t, f, &Submit{ID: "q", Time: at(4), Path: "q.csv", Key: "k", Hash: []byte{1}})
	if c := f.Counts(); c.Done != 1 || c.Running != 1 || c.Queued != 1 || c.TasksDone != 1 {
		t.Fatalf("counts: %+v", c)
	}
	return f
}

// No damage to any byte of a snapshot passes, nor does any shorter or longer one, and the old state stays.
func TestDamagedSnapshot(t *testing.T) {
	snap := snapshotOf(t, smallState(t))
	f := open(t)
	do(t, f, &Submit{ID: "old", Time: t0, Path: "old.csv"})
	before := dumpOf(t, f)
	refused := func(name string, b []byte) {
		t.Helper()
		if err := restore(f, b); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("%s: got %v, want ErrBadSnapshot", name, err)
		}
		if _, err := VerifySnapshot(bytes.NewReader(b)); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("%s: verify: got %v, want ErrBadSnapshot", name, err)
		}
	}
	for i := range snap {
		b := bytes.Clone(snap)
		b[i] ^= 1 << (i % 8)
		refused(fmt.Sprint("byte ", i), b)
		if i%7 == 0 {
			refused(fmt.Sprint("cut at ", i), snap[:i])
		} else if _, err := VerifySnapshot(bytes.NewReader(snap[:i])); !errors.Is(err, ErrBadSnapshot) {
			t.Fatalf("cut at %d: verify: got %v, want ErrBadSnapshot", i, err)
		}
	}
	refused("longer", append(bytes.Clone(snap), 0))
	if _, err := os.Stat(f.restorePath()); !os.IsNotExist(err) {
		t.Errorf("a file of a refused restore is left: %v", err)
	}
	if got := dumpOf(t, f); got != before {
		t.Errorf("the old state has changed:\ngot  %s\nwant %s", got, before)
	}
	do(t, f, &Cancel{ID: "old", Time: t0}) // it still works
	if d, ok := f.Document("old"); !ok || d.Status != "cancelled" {
		t.Errorf("document of the old state: got %+v", d)
	}
	broken := errors.New("broken disk")
	err := f.Restore(io.NopCloser(io.MultiReader(bytes.NewReader(snap[:50]), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) || errors.Is(err, ErrBadSnapshot) {
		t.Errorf("a reader that fails: got %v", err)
	}
	if err := restore(f, snap); err != nil {
		t.Fatalf("undamaged: %v", err)
	}
	if !bytes.Equal(snapshotOf(t, f), snap) {
		t.Error("the snapshot of the restored state is another")
	}
}

// A snapshot whose frame and checksum are right is still refused where its records do not fit together.
func TestInconsistentSnapshot(t *testing.T) {
	src := smallState(t)
	for name, drop := range map[string]struct{ bucket, key []byte }{
		"running without fold":    {bucketFolds, seqKey(2)},
		"fold without work":       {bucketWorks, seqKey(2)},
		"ended without document":  {bucketDocs, seqKey(1)},
		"document without work":   {bucketWorks, seqKey(1)},
		"progress without task 1": {bucketPartials, partialKey(2, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := src.db.bolt.Begin(true)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if tx.Bucket(drop.bucket).Get(drop.key) == nil {
				t.Fatal("there is no such record to drop")
			}
			if err := tx.Bucket(drop.bucket).Delete(drop.key); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := writeSnapshot(&b, tx); err != nil {
				t.Fatal(err)
			}
			if _, err := VerifySnapshot(bytes.NewReader(b.Bytes())); err != nil {
				t.Fatalf("the frame: %v", err)
			}
			if err := restore(open(t), b.Bytes()); !errors.Is(err, ErrBadSnapshot) {
				t.Errorf("got %v, want ErrBadSnapshot", err)
			}
		})
	}
}

func TestVerifySnapshot(t *testing.T) {
	f := smallState(t)
	snap := snapshotOf(t, f)
	info, err := VerifySnapshot(iotest.OneByteReader(bytes.NewReader(snap)))
	if err != nil {
		t.Fatal(err)
	}
	if info.Index != f.AppliedIndex() || info.Works != 3 || info.Version != 1 || info.Bytes != int64(len(snap)) || info.Records < 6 {
		t.Errorf("got %+v", info)
	}
	if !bytes.Equal(info.Sum[:], snap[len(snap)-32:]) {
		t.Error("the sum is not the one in the snapshot")
	}
}

// A length field alone takes no memory.
func TestSnapshotHugeLength(t *testing.T) {
	b := snapshotOf(t, open(t))[:28]
	b = append(b, 1)
	b = binary.BigEndian.AppendUint32(b, 8)
	b = binary.BigEndian.AppendUint32(b, maxRecordValue)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 1)
	n := testing.AllocsPerRun(1, func() {
		if _, err := VerifySnapshot(bytes.NewReader(b)); !errors.Is(err, ErrBadSnapshot) {
			t.Fatal(err)
		}
	})
	if n > 1000 {
		t.Errorf("%v allocations", n)
	}
}

// A snapshot shows the moment it was taken at, though persisted later, beside entries and even a restore.
func TestSnapshotBesideApply(t *testing.T) {
	f := smallState(t)
	want := snapshotOf(t, f)
	s, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	do(t, f, &Cancel{ID: "runs", Time: at(9)})
	if err := restore(f, snapshotOf(t, f)); err != nil {
		t.Fatal(err)
	}
	do(t, f, &Cancel{ID: "q", Time: at(9)})
	var out sink
	if err := s.Persist(&out); err != nil {
		t.Fatal(err)
	}
	s.Release()
	if !bytes.Equal(out.Bytes(), want) {
		t.Error("the snapshot is not of the moment it was taken at")
	}
}

// failingSink takes so many bytes and no more.
type failingSink struct {
	sink
	room int
}

var errFull = errors.New("no space left")

func (s *failingSink) Write(b []byte) (int, error) {
	if s.room -= len(b); s.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestPersistFails(t *testing.T) {
	s, err := smallState(t).Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	out := &failingSink{room: 100}
	if err := s.Persist(out); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
	if !out.cancelled || out.closed {
		t.Error("the sink was not cancelled")
	}
}

// What an earlier run left is not read.
func TestOpenStartsEmpty(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		f, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if n := f.AppliedIndex(); n != 0 || len(f.ActiveIDs()) != 0 {
			t.Errorf("applied %d, active %v after opening", n, f.ActiveIDs())
		}
		do(t, f, &Submit{ID: "a", Time: t0, Path: "p"})
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Not even what is no file of ours.
	if err := os.WriteFile(filepath.Join(dir, "fsm.db"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := Open(Config{}); err == nil {
		t.Error("opened without Dir")
	}
}

var _ raft.SnapshotSink = (*sink)(nil)
