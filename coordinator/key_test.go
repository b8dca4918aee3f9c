package coordinator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"colsum/coordinator/problem"
	"colsum/csvsum"
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
