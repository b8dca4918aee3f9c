package raftnode

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/raft"
)

// A recent answers as the store below it does, whatever is stored, overwritten and deleted, and keeps to its bounds.
func TestRecentAnswersAsItsStore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	store := raft.NewInmemStore()
	r := newRecent(store)
	first, next := uint64(1), uint64(1)
	for step := range 2000 {
		switch rnd.IntN(20) {
		case 0: // a conflict: the end is deleted and written anew
			if next > first {
				from := first + rnd.Uint64N(next-first)
				if err := r.DeleteRange(from, next-1); err != nil {
					t.Fatal(err)
				}
				next = from
			}
		case 1: // compaction
			if next > first {
				to := first + rnd.Uint64N(next-first)
				if err := r.DeleteRange(first, to); err != nil {
					t.Fatal(err)
				}
				first = to + 1
			}
		case 2: // a snapshot was installed: the log goes on further up
			if rnd.IntN(10) == 0 && next > first {
				if err := r.DeleteRange(first, next-1); err != nil {
					t.Fatal(err)
				}
				next += rnd.Uint64N(50)
				first = next
			}
		default:
			var logs []*raft.Log
			for range 1 + rnd.IntN(64) {
				size := 10
				if rnd.IntN(20) == 0 {
					size = 1 << 20
				}
				logs = append(logs, &raft.Log{Index: next, Term: uint64(step), Data: bytes.Repeat([]byte{byte(step)}, size)})
				next++
			}
			if err := r.StoreLogs(logs); err != nil {
				t.Fatal(err)
			}
		}
		for range 8 {
			i := rnd.Uint64N(next + 2)
			var got, want raft.Log
			gotErr, wantErr := r.GetLog(i, &got), store.GetLog(i, &want)
			if !errors.Is(gotErr, wantErr) || got.Term != want.Term || !bytes.Equal(got.Data, want.Data) {
				t.Fatalf("step %d, entry %d: got term %d (%v), want %d (%v)", step, i, got.Term, gotErr, want.Term, wantErr)
			}
		}
		held := 0
		for _, l := range r.logs {
			held += len(l.Data)
		}
		if held != r.bytes || len(r.logs) > recentEntries || held > recentBytes {
			t.Fatalf("step %d: %d entries of %d bytes are kept, counted as %d", step, len(r.logs), held, r.bytes)
		}
		if next-first > 4*recentEntries { // keep the test small
			if err := r.DeleteRange(first, next-recentEntries); err != nil {
				t.Fatal(err)
			}
			first = next - recentEntries + 1
		}
	}
}

// What the store refused is not remembered.
func TestRecentForgetsWhatWasNotStored(t *testing.T) {
	r := newRecent(refusing{raft.NewInmemStore()})
	if err := r.StoreLog(&raft.Log{Index: 1}); err == nil {
		t.Fatal("no error")
	}
	if err := r.GetLog(1, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("got %v, want ErrLogNotFound", err)
	}
}

type refusing struct{ raft.LogStore }

func (refusing) StoreLogs([]*raft.Log) error { return errors.New("full") }
