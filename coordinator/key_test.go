package coordinator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"colsum/coordinator/problem"
	"colsum/csvsum"
	"colsum/fsm"
)

// A request that is sent again is answered with its work even when its file has gone since; another request under that key
// is refused for the key's sake, and a new one for the file's.
func TestSubmitAgainAfterTheFileIsGone(t *testing.T) {
	s := newStack(t, Config{KeepFor: time.Hour}).start()
	path := filepath.Join(s.data, "a.csv")
	if err := os.WriteFile(path, []byte("1\n2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	req := SubmitRequest{Path: "a.csv", Key: "k", Options: csvsum.Options{Header: "no"}}
	id, err := s.Submit(s.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Submit(s.ctx, req); err != nil || again != id {
		t.Errorf("the same request again: %q, %v; want %q", again, err, id)
	}
	other := req
	other.Options.Header = "yes"
	for _, tc := range []struct {
		name string
		req  SubmitRequest
		want problem.Code
	}{
		{"another request, same key", other, problem.KeyConflict},
		{"same request, new key", SubmitRequest{Path: req.Path, Options: req.Options, Key: "k2"}, problem.FileNotFound},
		{"same request, no key", SubmitRequest{Path: req.Path, Options: req.Options}, problem.FileNotFound},
	} {
		if id, err := s.Submit(s.ctx, tc.req); problem.From(err).Code != tc.want {
			t.Errorf("%s: %q, %v; want %s", tc.name, id, err, tc.want)
		}
	}
}

// A work whose first Submit was given up before its outcome was known begins as soon as the request is sent again.
func TestSubmitAgainBeginsAWorkThatNobodyWaitedFor(t *testing.T) {
	s := newStack(t, Config{}).start()
	s.write("a.csv", table(20, 12, 1))
	req := SubmitRequest{Path: "a.csv", Key: "k"}
	hash, err := requestHash(req)
	s.must(err)
	_, err = s.node.Propose(s.ctx, &fsm.Submit{ID: "first", Time: time.Now().UTC(), Path: req.Path, Options: req.Options, Key: req.Key, Hash: hash})
	s.must(err)
	id, err := s.Submit(s.ctx, req)
	if err != nil || id != "first" {
		t.Fatalf("got %q, %v, want the first attempt's work", id, err)
	}
	r := s.reign.Load()
	r.mu.Lock()
	known := r.works[id] != nil
	r.mu.Unlock()
	if !known {
		t.Error("the work waits to be found by a reconciliation")
	}
	s.work(2, nil)
	s.want(id, "a.csv", csvsum.Options{})
}
