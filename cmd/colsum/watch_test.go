package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// docWith is a result document of a status.
func docWith(status string, done int) string {
	return fmt.Sprintf(`{"work_id":"w","filepath":"a.csv","status":%q,"progress":{"bytes_done":%d,"bytes_total":100},"results":[],"total":0,"bad_cells":[],"warnings":[]}`, status, done)
}

// A stream that breaks in the middle, an answer that knows no streams, and a stream to the end.
func TestWatchGoesOnWhereStreamsBreak(t *testing.T) {
	for _, status := range []string{"done", "failed"} {
		var streams, results atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/api/watch_work/w") {
				fmt.Fprint(w, docWith("running", 20*int(results.Add(1))))
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			switch streams.Add(1) {
			case 1:
				fmt.Fprintf(w, ": hello\n\nevent: work\ndata: %s\n\nevent: work\ndata: {\"half", docWith("running", 10))
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			case 2:
				w.WriteHeader(http.StatusBadGateway)
			default:
				doc := docWith(status, 100)
				fmt.Fprintf(w, "event: work\ndata: %s\n\nevent: end\ndata: %s\n\n", doc, doc)
			}
		}))
		defer s.Close()
		got := invoke(t, "", nil, "watch", "w", "--json", "--server", s.URL)
		want := strings.Join([]string{docWith("running", 10), docWith("running", 20), docWith("running", 40), docWith(status, 100)}, "\n") + "\n"
		code := map[string]int{"done": exitDone, "failed": exitFailed}[status]
		if got.code != code || got.stdout != want || got.stderr != "" {
			t.Errorf("exit status %d, want %d\ngot  %s\nwant %s\n%s", got.code, code, got.stdout, want, got.stderr)
		}
		streams.Store(0)
		results.Store(0)
		got = invoke(t, "", nil, "watch", "w", "--server", s.URL)
		if got.code != code || got.stderr != "" || strings.Count(got.stdout, "\n") != 1 || !strings.HasPrefix(got.stdout, "work w: a.csv: "+status) {
			t.Errorf("into a pipe: exit status %d, %q, %q; want the result only", got.code, got.stdout, got.stderr)
		}
	}
}

func TestWatchOfAWorkThatIsNot(t *testing.T) {
	s := script(t, answer{status: 404, body: `{"title":"Not Found","status":404,"detail":"work_id: no work has the id","code":"unknown_work"}`})
	checkMessage(t, invoke(t, "", nil, "watch", "nope", "--server", s.URL), exitFailed, []string{"unknown_work"})
}

func TestWatchOnACluster(t *testing.T) {
	dir := t.TempDir()
	a := freePorts(t, 3)
	spawn(t, "node", dir, "serve", "--http="+a[0], "--raft="+a[1], "--rpc="+a[2], "--workers=1")
	mustRun(t, "generate", "--columns=20", "--rows=20000", "--out="+dir+"/data/a.csv")
	id := strings.TrimSpace(mustRun(t, "schedule", "a.csv", "--server="+a[0]))
	out := mustRun(t, "watch", id, "--json", "--server="+a[0])
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if got := document(t, lines[len(lines)-1]); got.Status != "done" || got.Digest != sumOf(t, dir+"/data/a.csv").Digest {
		t.Errorf("last line: %s", lines[len(lines)-1])
	}
}
